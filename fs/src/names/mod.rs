//! Operations on names: create, link, unlink, rename.
