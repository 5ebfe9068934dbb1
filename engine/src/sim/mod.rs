//! The simulation below the reactor: the same tasks on a virtual clock, under one seed.
//!
//! A [`World`] holds hosts, each a real [`Core`](crate::core::Core) with the real executor and
//! timers, and what they would find outside: [`SimDisk`]s with caches that a power loss tears, and
//! a network that delays, cuts and goes silent. The seed decides everything that is not decided;
//! equal seeds give equal [`World::trace_hash`]es. Start at [`World`].

mod config;
mod disk;
mod host;
mod net;
mod rng;
mod trace;
mod world;

pub use config::{Livelock, Stop, WorldConfig};
pub use disk::{
    DISK_EXTENTS_MAX, DiskConfig, DiskRule, DiskSnapshot, DiskStats, Latency, Mutation, RuleAction,
    SilentFaults, SimDisk,
};
pub use host::{HostId, SimHost};
pub use net::{NetConfig, SimListener, SimStream};
pub use rng::{PPM, Rng};
pub use trace::{Observer, TraceLine};
pub use world::World;

#[cfg(test)]
mod tests;
