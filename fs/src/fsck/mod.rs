//! Checking and repairing a volume.
