//! Between cores: bounded rings, and a doorbell that is rung only for a sleeper.
//!
//! Invariants: no lock is shared between cores; every queue is bounded and gives back what it
//! cannot take; a message pushed before its core decided to sleep is seen by that core, and one
//! pushed after rings it (see [`doorbell`], checked with loom).

pub mod doorbell;
mod mailbox;
pub(crate) mod pulse;
pub(crate) mod remote;
pub mod spsc;
mod sync;

pub use mailbox::Mailbox;
pub use remote::{CALLS_MAX, Call, SendError};
