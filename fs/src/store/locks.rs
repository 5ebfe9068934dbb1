//! The glocks that this node holds.
//!
//! A node that is alone holds all of them, exclusively: each demand is granted at once and counted.

use std::cell::Cell;

use super::table::Table;
use super::{LockId, Mode};

/// What the local table of glocks has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LockCounts {
    /// Demands that were met by what is held.
    pub held: u64,
    /// Demands that somebody else had to grant first.
    pub awaited: u64,
    /// Locks that were given down.
    pub downgrades: u64,
}

#[derive(Default)]
pub(super) struct Locks {
    table: Table<Mode>,
    /// Everything is granted: one node, alone.
    pub(super) alone: bool,
    held: Cell<u64>,
    awaited: Cell<u64>,
    downgrades: u64,
}

impl Locks {
    #[inline]
    pub(super) fn mode(&self, id: LockId) -> Mode {
        match self.alone {
            true => Mode::Exclusive,
            false => self.table.get(key(id)).copied().unwrap_or(Mode::Unlocked),
        }
    }

    /// True where `id` is held in at least `mode`.
    #[inline]
    pub(super) fn meets(&self, id: LockId, mode: Mode) -> bool {
        let is_met = self.mode(id) >= mode;
        let counter = if is_met { &self.held } else { &self.awaited };
        counter.set(counter.get() + 1);
        is_met
    }

    pub(super) fn grant(&mut self, id: LockId, mode: Mode) {
        self.table.insert(key(id), mode);
    }

    pub(super) fn downgrade(&mut self, id: LockId, mode: Mode) {
        self.downgrades += 1;
        self.table.insert(key(id), mode);
    }

    pub(super) fn counts(&self) -> LockCounts {
        let (held, awaited) = (self.held.get(), self.awaited.get());
        LockCounts { held, awaited, downgrades: self.downgrades }
    }
}

/// One number for each lock: blocks are counted in less than 56 bits.
fn key(id: LockId) -> u64 {
    let (kind, number) = match id {
        LockId::Rename => (0, 0),
        LockId::Inode(ino) => (1, ino),
        LockId::Group(group) => (2, u64::from(group)),
        LockId::GroupMap => (3, 0),
        LockId::Slot(slot) => (4, u64::from(slot)),
        LockId::Super => (5, 0),
    };
    kind << 56 | number & ((1 << 56) - 1)
}
