//! A disk with a volatile cache, whose faults a seed decides.
//!
//! Invariants: a completed write without `fua` lies in the cache; a completed flush has made
//! durable what had completed before the flush was submitted, and nothing more; a completed write
//! with `fua` is durable. At a power loss each atomic unit of everything else survives or not, by
//! itself and in no order. Several hosts may use one disk; its cache outlives their crashes.
//! Everything is behind one mutex: a simulation has one thread, and the mutex only satisfies the
//! waist, which is `Sync` for the sake of devices that real cores share.

mod channel;
mod config;
mod finish;
mod loss;
mod medium;
mod plan;
mod ranges;
mod state;

pub use config::{DiskConfig, DiskRule, Latency, Mutation, RuleAction, SilentFaults};

use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard};

use super::Rng;
use super::trace::Trace;
use crate::block::{BlockDevice, Capabilities, Channel, DeviceInfo};
use crate::core::Core;
use crate::error::SetupError;
use channel::DiskChannel;
use ranges::RangeMap;
use state::State;

/// The most extents in one answer to block status.
pub const DISK_EXTENTS_MAX: usize = 1024;

/// What a disk has done, and what it has done wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskStats {
    /// Requests that were served.
    pub served: u64,
    /// Requests that hung.
    pub hung: u64,
    /// Times its power was lost.
    pub power_losses: u64,
    /// Reads and writes that went to another place.
    pub misdirected: u64,
    /// Writes that were acknowledged and not done.
    pub lost_writes: u64,
    /// Reads with a flipped bit.
    pub flipped_reads: u64,
    /// Requests that a rule hit.
    pub by_rule: u64,
}

/// A simulated disk. A handle: clones name the same disk.
#[derive(Clone)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // A panic of one simulated run is that run's failure; its disks are not used afterwards.
    state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl SimDisk {
    /// A disk of its own, outside of a world: time passes by the clocks of the cores that use it,
    /// and by [`SimDisk::advance_to`].
    ///
    /// # Panics
    /// When the configuration is no geometry.
    pub fn new(config: DiskConfig, seed: u64) -> SimDisk {
        SimDisk::in_world(config, Rng::new(seed), Trace::new(None), 0)
    }

    pub(super) fn in_world(config: DiskConfig, rng: Rng, trace: Trace, number: u64) -> SimDisk {
        SimDisk { state: Arc::new(Mutex::new(State::new(config, rng, trace, number))) }
    }

    /// Lets time pass until `now_ns`.
    pub fn advance_to(&self, now_ns: u64) {
        lock(&self.state).advance(now_ns);
    }

    pub(super) fn next_event(&self) -> Option<u64> {
        lock(&self.state).next_event()
    }

    /// Cuts the power: what is not durable is lost, kept or torn; requests in flight fail and so
    /// does every later one on the channels that are open.
    pub fn power_off(&self) {
        lock(&self.state).power_off();
    }

    /// Gives the power back. Channels opened from now on work.
    pub fn power_on(&self) {
        lock(&self.state).power_on();
    }

    /// The power goes and comes back.
    pub fn power_loss(&self) {
        let mut state = lock(&self.state);
        state.power_off();
        state.power_on();
    }

    /// What hosts that crashed had left in flight reaches the medium now or never, as when a
    /// target ends the tasks of a session that is reinstated.
    pub fn settle_orphans(&self) {
        lock(&self.state).settle_orphans();
    }

    /// Requests that hang complete now.
    pub fn release_hung(&self) {
        lock(&self.state).release_hung();
    }

    /// Adds a fault, before the ones that are there.
    pub fn add_rule(&self, rule: DiskRule) {
        lock(&self.state).config.rules.insert(0, rule);
    }

    /// Changes the size in bytes; open channels report it as an event. What is cut off is gone.
    ///
    /// # Panics
    /// When the size is not a multiple of the block.
    pub fn resize(&self, size: u64) {
        let mut state = lock(&self.state);
        assert!(size.is_multiple_of(u64::from(state.config.block_len)), "whole blocks");
        state.resize(size);
    }

    /// What would be left if the power went now and nothing were kept by chance.
    pub fn durable_snapshot(&self) -> DiskSnapshot {
        DiskSnapshot { bytes: lock(&self.state).medium.durable().clone() }
    }

    /// What reads see now.
    pub fn visible_snapshot(&self) -> DiskSnapshot {
        DiskSnapshot { bytes: lock(&self.state).medium.front().clone() }
    }

    /// What the disk has done so far.
    pub fn stats(&self) -> DiskStats {
        lock(&self.state).stats
    }
}

/// A disk's bytes at one moment, for checkers.
#[derive(Clone, Debug)]
pub struct DiskSnapshot {
    bytes: RangeMap,
}

impl DiskSnapshot {
    /// Fills `to` with the bytes from `offset` on; zeroes where nothing was written.
    pub fn read(&self, offset: u64, to: &mut [u8]) {
        self.bytes.read(offset, to);
    }
}

impl BlockDevice for SimDisk {
    fn info(&self) -> DeviceInfo {
        let state = lock(&self.state);
        DeviceInfo {
            name: state.config.name.clone(),
            size: state.size,
            block_len: state.config.block_len,
            atomic_len: state.config.atomic_len,
            optimal_len: state.config.atomic_len,
            io_len_max: state.config.io_len_max,
            depth_max: state.config.depth_max,
            read_only: false,
            can: Capabilities {
                fua: true,
                volatile_cache: true,
                discard: true,
                write_zeroes: true,
                compare_and_write: true,
                block_status: true,
                reservations: false,
            },
        }
    }

    fn open_channel(&self, core: &Rc<Core>) -> Result<Box<dyn Channel>, SetupError> {
        let state = lock(&self.state);
        if !state.is_powered {
            let name = state.config.name.clone();
            return Err(SetupError::new(name, "it has no power", "switch it on first"));
        }
        drop(state);
        Ok(Box::new(DiskChannel::new(Arc::clone(&self.state), core.clock().clone())))
    }
}

#[cfg(test)]
mod tests;
