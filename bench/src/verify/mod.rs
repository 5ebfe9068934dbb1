//! Content that can be checked: every written block is stamped, every block read back is compared
//! with what this run knows of it.
//!
//! Invariants: a block has at most one operation in flight, so the stamp that a read must find is
//! never in doubt; a block that was never written is not judged, and neither is one whose write
//! failed, until it is written again.

mod stamp;
mod table;

pub use stamp::{STAMP_LEN, Stamp, StampFault};
pub use table::Generations;
