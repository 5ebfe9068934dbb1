//! The loop around a core, on this thread or on one of its own.

mod group;
mod peers;
mod run;
mod watchdog;

pub use group::ReactorThread;
pub use peers::{LANE_CALLS_MAX, Peers, ReactorGroup};
pub use run::Reactor;

#[cfg(test)]
mod tests;
