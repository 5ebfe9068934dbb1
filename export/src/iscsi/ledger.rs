//! Who holds how much of the arena.
//!
//! Invariants: a session is charged for a slot's memory from `take` to `free`. Memory that *moves*
//! comes back without the help of its session's stream; as long as some moves, waiting makes sense.

use std::cell::Cell;
use std::rc::Rc;

use byway_engine::core::Core;

use super::slot::Slot;

/// The smallest piece that a task's memory is made of.
pub(crate) const CHUNK_MIN: u32 = 4096;

/// What all sessions of a node share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// Slots whose memory moves.
    moving: Cell<u32>,
    /// Memory came back since somebody looked.
    freed: Cell<bool>,
}

impl Shared {
    /// True where memory will come back by itself.
    pub(crate) fn is_moving(&self) -> bool {
        self.moving.get() > 0
    }

    /// True where memory came back since the last call.
    #[inline]
    pub(crate) fn take_freed(&self) -> bool {
        self.freed.replace(false)
    }
}

/// Why there is no memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shortage {
    /// The session has its share.
    Session,
    /// The arena has none left.
    Arena,
}

/// One session's account.
pub(crate) struct Ledger {
    core: Rc<Core>,
    shared: Rc<Shared>,
    charged: u64,
    max: u64,
}

impl Ledger {
    pub(crate) fn new(core: &Rc<Core>, shared: &Rc<Shared>, max: u64) -> Ledger {
        Ledger { core: Rc::clone(core), shared: Rc::clone(shared), charged: 0, max }
    }

    /// Bytes in use.
    pub(crate) fn charged(&self) -> u64 {
        self.charged
    }

    /// Takes memory for a slot: all of it or none.
    #[inline]
    pub(crate) fn take(&mut self, slot: &mut Slot, len: u32, chunk: u32) -> Result<(), Shortage> {
        if self.charged > 0 && self.charged + u64::from(len) > self.max {
            return Err(Shortage::Session);
        }
        if !slot.buffer.take(&self.core, len, chunk) && !self.take_small(slot, len, chunk) {
            return Err(Shortage::Arena);
        }
        slot.charged = len;
        self.charged += u64::from(len);
        Ok(())
    }

    /// The arena may have the memory in smaller pieces: what it has cut stays cut.
    #[cold]
    fn take_small(&self, slot: &mut Slot, len: u32, chunk: u32) -> bool {
        let smaller = std::iter::successors(Some(chunk / 2), |chunk| Some(chunk / 2));
        let mut smaller = smaller.take_while(|chunk| *chunk >= CHUNK_MIN);
        smaller.any(|chunk| slot.buffer.take(&self.core, len, chunk))
    }

    /// The memory of the slot is on its way to be free.
    #[inline]
    pub(crate) fn start_moving(&self, slot: &mut Slot) {
        if !slot.is_moving {
            slot.is_moving = true;
            self.shared.moving.set(self.shared.moving.get() + 1);
        }
    }

    /// Gives back what a slot has.
    #[inline]
    pub(crate) fn free(&mut self, slot: &mut Slot) {
        slot.buffer.free();
        self.charged -= u64::from(std::mem::take(&mut slot.charged));
        if std::mem::take(&mut slot.is_moving) {
            self.shared.moving.set(self.shared.moving.get() - 1);
        }
        self.shared.freed.set(true);
    }
}
