//! The three levels of the library over one engine.
//!
//! [`Disk`]: futures in a reactor's tasks, the fastest way to write concurrent code. [`Client`]:
//! from any thread or runtime. [`PollQueue`]: the application's thread is the reactor; no futures,
//! no threads.

mod client;
mod disk;
mod poll_queue;
mod requests;

pub use client::{Client, ClientRequest, ClientResult, block_on};
pub use disk::{Disk, DiskRequest, LeaseResult};
pub use poll_queue::PollQueue;

#[cfg(test)]
mod tests;
