//! A file as a block device.
