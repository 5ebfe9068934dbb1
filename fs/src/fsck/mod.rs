//! Checking and repairing a volume.

mod claims;

pub use claims::Claims;
