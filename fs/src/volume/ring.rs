//! How full the journal's ring is.

use crate::journal::{Head, JournalPlace};

/// The most blocks of one commit, so that its time and memory are bounded: 32 MiB.
const COMMIT_BLOCKS_MAX: u64 = 8192;
/// Parts of the ring: a commit begins at one of so many.
const COMMIT_PARTS: u64 = 4;

/// The ring of the journal that this mount writes.
pub(super) struct Ring {
    pub(super) place: JournalPlace,
    /// The newest durable head.
    pub(super) head: Head,
    /// Where the next commit begins.
    pub(super) end: u64,
}

impl Ring {
    /// Blocks that hold commits of the window or of the commit under way.
    pub(super) fn used(&self) -> u64 {
        self.end - self.head.tail_pos
    }

    /// Blocks that may be written.
    pub(super) fn room(&self) -> u64 {
        self.place.ring() - self.used()
    }

    /// The running transaction is committed when it is as long.
    pub(super) fn commit_at(&self) -> u64 {
        (self.place.ring() / COMMIT_PARTS).min(COMMIT_BLOCKS_MAX)
    }

    /// True where images are to be written in place, to let the tail move.
    pub(super) fn is_filling(&self) -> bool {
        self.used() > self.place.ring() / 2
    }

    /// Where the tail is to move when the ring fills.
    pub(super) fn low_water(&self) -> u64 {
        self.end.saturating_sub(self.place.ring() / COMMIT_PARTS)
    }
}
