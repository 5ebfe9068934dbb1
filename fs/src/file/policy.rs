//! Whether a file's data is cached, and stamps that make copies stale.
//!
//! A stamp counts changes of a region of 1 MiB, and the writers that are in it. Who caches must find
//! no writer at the start of a read, and the same stamp ever after: so a copy is used only while no
//! write began or ended since it was read, on any core.

use std::ops::Range;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// What is kept of a file's data in the memory of the cores that read it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Nothing: right for a disk of a virtual machine, which has a cache of its own.
    #[default]
    None,
    /// What was read: right for images that many share, and for small files.
    Read,
}

/// Blocks that share a stamp: 1 MiB.
pub(super) const REGION_BLOCKS: u64 = 256;
/// Stamps of a file; regions that are so far apart share one.
const STAMPS: usize = 64;
/// The low bits of a stamp count the writers.
const CHANGE: u64 = 1 << 20;

/// How far a change of the policy has come.
const OFF: u8 = 0;
const WRITERS_TELL: u8 = 1;
const ON: u8 = 2;

/// The policy of an open file, and its stamps.
pub(super) struct Stamps {
    stage: AtomicU8,
    stamps: [AtomicU64; STAMPS],
}

impl Stamps {
    pub(super) fn new(policy: Policy) -> Stamps {
        let stage = if policy == Policy::Read { ON } else { OFF };
        Stamps { stage: stage.into(), stamps: std::array::from_fn(|_| AtomicU64::new(0)) }
    }

    /// Readers may use copies.
    #[inline]
    pub(super) fn is_on(&self) -> bool {
        self.stage.load(Ordering::Acquire) == ON
    }

    /// Writers must make copies stale.
    #[inline]
    pub(super) fn must_tell(&self) -> bool {
        self.stage.load(Ordering::Acquire) != OFF
    }

    /// Between the policies: writers tell, readers use nothing. Before either stage beyond it every
    /// channel must have drained.
    pub(super) fn prepare(&self) {
        self.stage.store(WRITERS_TELL, Ordering::Release);
    }

    /// The policy holds from here on; copies from before are stale.
    pub(super) fn set(&self, policy: Policy) {
        self.stamps.iter().for_each(|stamp| add(stamp, CHANGE));
        let stage = if policy == Policy::Read { ON } else { OFF };
        self.stage.store(stage, Ordering::Release);
    }

    /// The stamp of a block; none while somebody writes there.
    #[inline]
    pub(super) fn of(&self, block: u64) -> Option<u64> {
        let stamp = self.stamps[place_of(block / REGION_BLOCKS)].load(Ordering::Acquire);
        stamp.is_multiple_of(CHANGE).then_some(stamp)
    }

    /// Somebody begins to write blocks.
    pub(super) fn begin(&self, blocks: &Range<u64>) {
        self.each(blocks, |stamp| add(stamp, CHANGE + 1));
    }

    /// A write that began is over, whatever came of it.
    pub(super) fn end(&self, blocks: &Range<u64>) {
        self.each(blocks, |stamp| add(stamp, CHANGE - 1));
    }

    fn each(&self, blocks: &Range<u64>, change: impl Fn(&AtomicU64)) {
        if blocks.is_empty() {
            return;
        }
        let (first, last) = (blocks.start / REGION_BLOCKS, (blocks.end - 1) / REGION_BLOCKS);
        let count = (last - first + 1).min(STAMPS as u64);
        (first..first + count).for_each(|region| change(&self.stamps[place_of(region)]));
    }
}

fn add(stamp: &AtomicU64, change: u64) {
    stamp.fetch_add(change, Ordering::AcqRel);
}

fn place_of(region: u64) -> usize {
    region as usize % STAMPS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_none_during_a_write_and_another_one_after_it() {
        let stamps = Stamps::new(Policy::Read);
        let before = stamps.of(5);
        stamps.begin(&(0..8));
        assert_eq!(stamps.of(5), None);
        assert_eq!(stamps.of(REGION_BLOCKS), Some(0), "the next region is another one");
        stamps.end(&(0..8));
        assert!(stamps.of(5).is_some() && stamps.of(5) != before);
    }

    #[test]
    fn a_range_without_end_is_every_region_once() {
        let stamps = Stamps::new(Policy::Read);
        stamps.begin(&(700..u64::MAX));
        assert!((0..64).all(|region| stamps.of(region * REGION_BLOCKS).is_none()));
        stamps.end(&(700..u64::MAX));
        assert!((0..64).all(|region| stamps.of(region * REGION_BLOCKS).is_some()));
    }
}
