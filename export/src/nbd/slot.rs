//! One request of a connection, from its arrival to its reply.
//!
//! ```text
//! Free ──a request──▶ Receiving ──▶ Working ──▶ Answering ──▶ Leaving ──▶ Free
//!                         │            ▲           ▲   └─(copied)──────────▲
//!                         ├──▶ Held ───┘           │
//!                         │     (no right to write yet)
//!                         └──(refused)─────────────┘
//! ```

use byway_engine::block::Extent;
use byway_proto::nbd::errno::NbdErrno;

use crate::buffer::Buffer;

/// Where a request is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stage {
    #[default]
    Free,
    /// Its payload arrives.
    Receiving,
    /// It waits for the right to write.
    Held,
    /// With the device.
    Working,
    /// Its reply waits for room in a batch.
    Answering,
    /// Its reply, with its memory, is in a batch.
    Leaving,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Work {
    Read,
    Write {
        fua: bool,
    },
    #[default]
    Flush,
    /// Bytes that are not needed; with `fua`, a flush follows.
    Trim {
        fua: bool,
    },
    Zero {
        fua: bool,
        unmap: bool,
    },
    /// Reads that nobody looks at.
    Cache,
    Status {
        is_one: bool,
    },
}

impl Work {
    /// True where the right to write is needed.
    #[inline]
    pub(crate) fn changes(self) -> bool {
        matches!(self, Work::Write { .. } | Work::Trim { .. } | Work::Zero { .. })
    }
}

/// A failure, as the client is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) errno: NbdErrno,
    pub(crate) text: String,
}

/// One place in a connection's table of requests.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    pub(crate) stage: Stage,
    pub(crate) work: Work,
    /// The client's name for the request.
    pub(crate) cookie: u64,
    /// First byte on the device, and bytes.
    pub(crate) offset: u64,
    pub(crate) len: u64,
    /// Bytes that the device was asked for, where that is done step by step.
    pub(crate) asked: u64,
    pub(crate) buffer: Buffer,
    /// Requests at the device.
    pub(crate) ios: u32,
    pub(crate) fault: Option<Box<Fault>>,
    pub(crate) extents: Vec<Extent>,
    /// Bytes of the arena that the connection is charged for.
    pub(crate) charged: u32,
    /// When it arrived, in nanoseconds.
    pub(crate) begun_at: u64,
    /// The changes that a flush covers.
    pub(crate) covers: u64,
    /// It ends without an answer, by plan.
    pub(crate) is_unheard: bool,
    next_free: u16,
}

/// No slot.
const NONE: u16 = u16::MAX;

/// The requests of one connection. It grows to the most that there were at once.
#[derive(Debug)]
pub(crate) struct Slots {
    slots: Vec<Slot>,
    free: u16,
    used: u16,
    max: u16,
}

impl Slots {
    pub(crate) fn new(max: u16) -> Slots {
        Slots { slots: Vec::new(), free: NONE, used: 0, max }
    }

    /// A slot for a request; nothing while all are taken.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<u16> {
        if self.free == NONE && !self.grow() {
            return None;
        }
        let at = self.free;
        let slot = &mut self.slots[usize::from(at)];
        debug_assert_eq!(slot.stage, Stage::Free, "the free list names free slots");
        self.free = slot.next_free;
        slot.stage = Stage::Receiving;
        (slot.asked, slot.ios) = (0, 0);
        self.used += 1;
        Some(at)
    }

    #[cold]
    fn grow(&mut self) -> bool {
        let at = self.slots.len() as u16;
        if at >= self.max {
            return false;
        }
        self.slots.push(Slot { next_free: NONE, ..Slot::default() });
        self.free = at;
        true
    }

    /// The request is over.
    #[inline]
    pub(crate) fn put_back(&mut self, at: u16) {
        let slot = &mut self.slots[usize::from(at)];
        debug_assert_ne!(slot.stage, Stage::Free, "a slot ends one life at a time");
        debug_assert_eq!(slot.ios, 0, "the device has nothing of it");
        slot.stage = Stage::Free;
        slot.fault = None;
        slot.next_free = self.free;
        self.free = at;
        self.used -= 1;
    }

    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.used == self.max
    }

    /// Requests that live.
    #[inline]
    pub(crate) fn used(&self) -> u16 {
        self.used
    }

    /// Forgets the memory of the table, where nothing lives.
    pub(crate) fn shrink(&mut self) {
        if self.used == 0 {
            self.slots = Vec::new();
            self.free = NONE;
        }
    }

    /// All living slots.
    pub(crate) fn living(&mut self) -> impl Iterator<Item = (u16, &mut Slot)> {
        let numbered = self.slots.iter_mut().enumerate();
        numbered.filter(|(_, slot)| slot.stage != Stage::Free).map(|(at, slot)| (at as u16, slot))
    }
}

impl std::ops::Index<u16> for Slots {
    type Output = Slot;

    #[inline]
    fn index(&self, at: u16) -> &Slot {
        &self.slots[usize::from(at)]
    }
}

impl std::ops::IndexMut<u16> for Slots {
    #[inline]
    fn index_mut(&mut self, at: u16) -> &mut Slot {
        &mut self.slots[usize::from(at)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_used_again_and_bounded() {
        let mut slots = Slots::new(2);
        let (a, b) = (slots.take().unwrap(), slots.take().unwrap());
        assert!(a != b && slots.is_full() && slots.take().is_none());
        slots.put_back(a);
        assert_eq!(slots.take(), Some(a));
        slots.put_back(a);
        slots.put_back(b);
        slots.shrink();
        assert_eq!((slots.used(), slots.living().count()), (0, 0));
        assert_eq!(slots.take(), Some(0));
    }
}
