//! Checking and repairing a volume.

mod claims;
mod finding;

pub use claims::Claims;
pub use finding::{CODES, Code, FINDINGS_MAX, Finding, Report};
