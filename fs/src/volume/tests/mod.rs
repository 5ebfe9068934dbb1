//! Lab protocols of a mounted volume.
