//! Stories of files.
