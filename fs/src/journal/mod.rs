//! The journal as a pure machine: ring positions, commits, the tail, and what a replay applies.

mod batch;
mod window;

pub use batch::{Batch, ENTRIES_PER_DESC, Image, commit_len};
pub use window::{Entry, Window};
