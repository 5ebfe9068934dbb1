//! Memory that I/O may touch: regions, the arena cut from one, and the leases on it.
//!
//! Invariants: a lease is the only safe way to its bytes; a region outlives every lease and
//! segment on it (they hold it); an operation owns its segments until its last completion, so
//! memory that the kernel may still write is never given to anybody else.

mod arena;
mod crc;
mod free_list;
mod lease;
mod region;
mod segment;
mod strip;

pub use arena::{Arena, ArenaConfig, ArenaStats, LEASE_LEN_MAX, LEASE_LEN_MIN, PageKind};
pub use crc::Crc32c;
pub use lease::Lease;
pub use region::{Region, RegionId};
pub use segment::Segment;
pub use strip::Strip;

#[cfg(test)]
mod tests;
