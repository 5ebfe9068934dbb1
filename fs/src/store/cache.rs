//! The blocks in memory: found by number, kept in a slab, and put out by a clock hand.
//!
//! Invariants: a block is put out only while it is clean, that is: not changed by the running
//! transaction, not part of a commit under way, and durable in place; the memory of blocks is used
//! again, so that a steady stream of operations allocates nothing.

use std::cell::Cell;
use std::rc::Rc;

use super::table::Table;
use super::{Block, LockId, Want};

/// Blocks whose memory is kept for the next operations.
const SPARE_MAX: usize = 4096;
/// The block is not part of the running transaction.
pub(super) const NOT_RUNNING: u32 = u32::MAX;

/// A block in memory.
pub(super) struct Cached {
    pub(super) bno: u64,
    pub(super) want: Want,
    pub(super) block: Rc<Block>,
    /// The checksum of the image in the newest commit, while the block has not changed since.
    pub(super) crc: u32,
    /// Its place in the list of the running transaction, or [`NOT_RUNNING`].
    pub(super) running_at: u32,
    /// A commit under way holds an image of it.
    pub(super) is_committing: bool,
    /// The newest durable commit with an image that is not durable in place; 0: there is none.
    pub(super) home: u64,
    /// Read since the hand passed.
    referenced: Cell<bool>,
}

impl Cached {
    /// A block as it lies in place.
    pub(super) fn clean(bno: u64, want: Want, block: Rc<Block>) -> Cached {
        Cached {
            bno,
            want,
            block,
            crc: 0,
            running_at: NOT_RUNNING,
            is_committing: false,
            home: 0,
            referenced: Cell::new(true),
        }
    }

    /// Part of the running transaction.
    pub(super) fn is_running(&self) -> bool {
        self.running_at != NOT_RUNNING
    }

    /// What is in memory is durable in place.
    pub(super) fn is_clean(&self) -> bool {
        !self.is_running() && !self.is_committing && self.home == 0
    }
}

/// What the cache of metadata has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheCounts {
    /// Reads that found their block.
    pub hits: u64,
    /// Blocks that had to be read from the device.
    pub misses: u64,
    /// Clean blocks that made room for others.
    pub evictions: u64,
}

#[derive(Default)]
pub(super) struct Cache {
    index: Table<u32>,
    slots: Vec<Option<Cached>>,
    free: Vec<u32>,
    hand: usize,
    spare: Vec<Rc<Block>>,
    hits: Cell<u64>,
    misses: u64,
    evictions: u64,
}

impl Cache {
    /// The place of a block in the slab.
    #[inline]
    pub(super) fn find(&self, bno: u64) -> Option<u32> {
        self.index.get(bno).copied()
    }

    /// A block, noted as used.
    #[inline]
    pub(super) fn hit(&self, bno: u64) -> Option<(u32, &Cached)> {
        let slot = self.find(bno)?;
        let cached = self.at(slot);
        cached.referenced.set(true);
        self.hits.set(self.hits.get() + 1);
        Some((slot, cached))
    }

    #[inline]
    pub(super) fn get(&self, bno: u64) -> Option<&Cached> {
        self.find(bno).map(|slot| self.at(slot))
    }

    #[inline]
    pub(super) fn get_mut(&mut self, bno: u64) -> Option<&mut Cached> {
        self.find(bno).map(|slot| self.at_mut(slot))
    }

    #[inline]
    pub(super) fn at(&self, slot: u32) -> &Cached {
        self.slots[slot as usize].as_ref().expect("the slab knows the slot")
    }

    #[inline]
    pub(super) fn at_mut(&mut self, slot: u32) -> &mut Cached {
        self.slots[slot as usize].as_mut().expect("the slab knows the slot")
    }

    /// Keeps a block that is not there yet.
    pub(super) fn insert(&mut self, cached: Cached) -> u32 {
        let bno = cached.bno;
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.slots.push(None);
                (self.slots.len() - 1) as u32
            }
        };
        self.slots[slot as usize] = Some(cached);
        let before = self.index.insert(bno, slot);
        assert!(before.is_none(), "a block that is resident does not come again");
        slot
    }

    /// Takes a block out.
    pub(super) fn remove(&mut self, bno: u64) -> Option<Cached> {
        let slot = self.index.remove(bno)?;
        self.free.push(slot);
        self.slots[slot as usize].take()
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// A block of memory for a copy; its bytes are anything.
    #[inline]
    pub(super) fn blank(&mut self) -> Rc<Block> {
        self.spare.pop().unwrap_or_default()
    }

    /// Keeps the memory of a block that nobody needs any more.
    #[inline]
    pub(super) fn recycle(&mut self, mut block: Rc<Block>) {
        if self.spare.len() < SPARE_MAX && Rc::get_mut(&mut block).is_some() {
            self.spare.push(block);
        }
    }

    pub(super) fn note_miss(&mut self) {
        self.misses += 1;
    }

    pub(super) fn counts(&self) -> CacheCounts {
        CacheCounts { hits: self.hits.get(), misses: self.misses, evictions: self.evictions }
    }

    /// Puts clean blocks out until at most `most` blocks are left, or all of them are dirty. A block
    /// that was used since the hand came by is spared once.
    pub(super) fn shrink_to(&mut self, most: usize) {
        let mut steps = 2 * self.slots.len();
        while self.len() > most && steps > 0 {
            steps -= 1;
            self.hand = (self.hand + 1) % self.slots.len();
            let Some(cached) = &self.slots[self.hand] else { continue };
            if cached.is_clean() && !cached.referenced.replace(false) {
                self.evict(cached.bno);
            }
        }
    }

    fn evict(&mut self, bno: u64) {
        let cached = self.remove(bno).expect("it was found at the hand");
        self.recycle(cached.block);
        self.evictions += 1;
    }

    /// Forgets every clean block.
    pub(super) fn drop_clean(&mut self) {
        self.drop_where(|_| true);
    }

    /// The blocks under a glock, in the order of their numbers.
    pub(super) fn under(&self, lock: LockId) -> Vec<u64> {
        let covered = self.slots.iter().flatten().filter(|cached| cached.want.lock() == lock);
        let mut found: Vec<u64> = covered.map(|cached| cached.bno).collect();
        found.sort_unstable();
        found
    }

    /// Forgets the clean blocks that `which` names.
    pub(super) fn drop_where(&mut self, which: impl Fn(&Cached) -> bool) {
        let clean = self.slots.iter().flatten().filter(|c| c.is_clean() && which(c));
        let gone: Vec<u64> = clean.map(|cached| cached.bno).collect();
        gone.into_iter().for_each(|bno| {
            let cached = self.remove(bno).expect("it was found in the slab");
            self.recycle(cached.block);
        });
    }
}
