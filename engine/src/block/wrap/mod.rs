//! Devices that hold a device: middleware with the shape of what it wraps.
//!
//! Invariants: a wrapper forwards what it does not change (geometry, events, rescans, what to wait
//! for); a completion carries the submitter's tag, payload and offsets, whatever the device below
//! was asked; in the steady state only `Fault` allocates.

pub mod fault;
mod slice;
mod split_mix;
mod stats;
mod trace;
mod verify;

pub use fault::{Fault, FaultAction, FaultPlan, FaultRule, Pick};
pub use slice::Slice;
pub use split_mix::SplitMix64;
pub use stats::{OpStats, Stats, StatsHandle, StatsSnapshot};
pub use trace::{Trace, TraceEvent, TraceHandle};
pub use verify::{VERIFY_WRITERS_MAX, Verify, VerifyCounts, VerifyHandle};

#[cfg(test)]
mod tests;
