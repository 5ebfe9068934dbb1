//! What a load is told at its start and tells at its end.

use byway_engine::SetupError;
use byway_engine::block::Payload;
use byway_engine::memory::Lease;

use crate::generator::Rng;
use crate::record::Finished;

/// What one thread is to do.
#[derive(Clone, Debug)]
pub struct LoadConfig {
    /// First byte of the thread's part of the device.
    pub base: u64,
    /// Blocks of the part.
    pub blocks: u64,
    /// Bytes of a block and of each request.
    pub bs: u32,
    /// Requests in flight.
    pub qd: u32,
    /// Writes are durable when they complete.
    pub fua: bool,
    /// Stamp and check, with this seed in the stamps.
    pub verify: Option<u64>,
    /// Seed of the content of unverified writes.
    pub seed: u64,
    /// Uncounted time before the measurement, in nanoseconds.
    pub warmup_ns: u64,
    /// The measurement, in nanoseconds.
    pub runtime_ns: u64,
    /// Keep a histogram of every second.
    pub log: bool,
}

/// Where a load is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Running, not counted.
    Warmup,
    /// Running and counted.
    Counting,
    /// Nothing new becomes due; what is left comes in.
    Draining,
    /// Reading back what was written.
    ReadBack,
    /// Nothing left.
    Over,
}

/// What came of a load.
#[derive(Debug)]
pub struct Outcome {
    /// The recorded numbers.
    pub recorded: Finished,
    /// The measured time in nanoseconds: less than asked for where the load was stopped.
    pub runtime_ns: u64,
    /// Requests of an open loop that were due and never started.
    pub unserved: u64,
    /// Blocks whose content was checked.
    pub verified: u64,
}

/// A buffer for each slot, filled with bytes that do not compress.
pub(super) fn buffers(
    config: &LoadConfig,
    lease: impl Fn(u32) -> Option<Lease>,
) -> Result<Vec<(u32, Payload)>, SetupError> {
    let mut rng = Rng::new(config.seed);
    let mut buffer = |index| {
        let mut lease = lease(config.bs).ok_or_else(|| {
            let problem = format!("no room for {} buffers of {} bytes", config.qd, config.bs);
            SetupError::new("arena", problem, "use a smaller --qd or --bs")
        })?;
        lease.chunks_mut(8).for_each(|chunk| {
            chunk.copy_from_slice(&rng.next_u64().to_le_bytes()[..chunk.len()]);
        });
        Ok((index, Payload::from(lease)))
    };
    (0..config.qd).rev().map(&mut buffer).collect()
}
