//! Making a volume.
