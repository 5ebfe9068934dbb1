//! The load that one thread puts on a device: a machine without clock, thread or device.
//!
//! A runner tells it the time and what was done, and asks for the next request:
//! [`Load::begin`], [`Load::complete`], [`Load::next_io`], [`Load::next_due`]. The same machine runs
//! under a virtual clock in tests and under every interface of the library.

mod config;
mod content;
mod machine;
mod pace;

pub use config::{LoadConfig, Outcome, Phase};
pub use machine::Load;
pub use pace::Pace;

#[cfg(test)]
mod tests;
