//! Checking and repairing a volume.

mod claims;
mod finding;
mod judge;
mod reader;
mod tree;

pub use claims::Claims;
pub use finding::{CODES, Code, FINDINGS_MAX, Finding, Report};
