//! The journal as a pure machine: ring positions, commits, the tail, and what a replay applies.
//!
//! Invariants: a commit counts as a whole or not at all; the window between tail and end holds every
//! durable change that is not durable in place; positions and numbers only grow.

mod batch;
mod encode;
mod head;
mod place;
mod replay;
mod scan;
#[cfg(test)]
mod tests;
mod window;

pub use batch::{Batch, Image, commit_len, descs};
pub use encode::Encoder;
pub use head::Head;
pub use place::JournalPlace;
pub use replay::{Replay, Verdict, verdict};
pub use scan::{Change, Fed, Scan};
pub use window::{Entry, Window};
