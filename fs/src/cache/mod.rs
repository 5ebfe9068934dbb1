//! One core's cache of file data: whole blocks of 4 KiB, within a hard bound of memory.
//!
//! A pure machine: it is told what was read and what may be stale. Eviction is S3-FIFO (Yang and
//! others, "FIFO queues are all you need for cache eviction", SOSP 2023): what is read once leaves
//! through a small queue and never displaces what is read again.
//!
//! Invariants: memory is taken at the start and never grows; a block is given out only under the
//! stamp that it came with, so that a write on any core, which raises the stamp, makes it vanish
//! everywhere; nothing here allocates after [`Cache::new`].

mod ghost;
mod index;
mod queue;
mod read_ahead;

use std::ops::Range;

use byway_engine::error::SetupError;
use byway_engine::memory::{Arena, ArenaConfig, LEASE_LEN_MAX, Lease};

use crate::format::BLOCK_LEN;
use ghost::Ghost;
use index::Index;
use queue::{Links, Queue};

pub use read_ahead::{READ_AHEAD_BLOCKS_MAX, READ_AHEAD_BLOCKS_MIN, ReadAhead};

/// Blocks in one piece of the cache's memory.
const CHUNK_BLOCKS: usize = LEASE_LEN_MAX as usize / BLOCK_LEN;
/// Uses that are counted; more make no difference.
const USES_MAX: u8 = 3;
/// Uses in the small queue that bring a block into the main one.
const USES_TO_STAY: u8 = 2;
/// The small queue gets one part in so many.
const SMALL_PART: usize = 10;

/// Names a block of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BlockKey {
    /// The file: a number for each time that one was opened, so that nothing outlasts its closing.
    pub file: u64,
    /// The block within it, in units of 4 KiB.
    pub block: u64,
}

impl BlockKey {
    /// Spreads the key's bits; files are read in order, so neighbours must not collide.
    fn hash(self) -> u64 {
        let file = self.file.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (file ^ self.block).wrapping_mul(0xd6e8_feb8_6659_fd93);
        mixed ^ (mixed >> 32)
    }
}

/// What a cache did, and what it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheCounts {
    /// Blocks found.
    pub hits: u64,
    /// Blocks not found.
    pub misses: u64,
    /// Of the misses: blocks found under an older stamp.
    pub stale: u64,
    /// Blocks that made room for others.
    pub evictions: u64,
    /// Bytes of blocks held.
    pub bytes: u64,
    /// The most bytes of memory that the cache takes, its index included.
    pub bound: u64,
}

/// What is known of a slot's block.
#[derive(Clone, Copy)]
struct Slot {
    key: BlockKey,
    stamp: u64,
    uses: u8,
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Free,
    Small,
    Main,
}

/// The cache.
pub struct Cache {
    memory: Vec<Lease>,
    slots: Vec<Slot>,
    links: Links,
    index: Index,
    free: Queue,
    small: Queue,
    main: Queue,
    ghost: Ghost,
    counts: CacheCounts,
}

impl Cache {
    /// A cache that takes at most `len_max` bytes, of memory of its own; fails where that is too
    /// little for 2 MiB of blocks and their index.
    pub fn new(len_max: usize) -> Result<Cache, SetupError> {
        let chunk = LEASE_LEN_MAX as usize + CHUNK_BLOCKS * Cache::overhead();
        let chunks = len_max / chunk;
        if chunks == 0 {
            let thing = format!("cache of {len_max} bytes");
            let remedy = format!("give it at least {chunk} bytes, or none");
            return Err(SetupError::new(thing, "too small", remedy));
        }
        let len = chunks * LEASE_LEN_MAX as usize;
        let arena = Arena::new(ArenaConfig { len, huge: false })?;
        let memory: Vec<Lease> = (0..chunks).map_while(|_| arena.lease(LEASE_LEN_MAX)).collect();
        assert_eq!(memory.len(), chunks, "an arena holds as many chunks as it was made for");
        Ok(Cache::over(memory, chunks * chunk))
    }

    /// Bytes beside each block: its slot, links, index and ghost. Tables of a power of two take up
    /// to twice what is asked for.
    fn overhead() -> usize {
        size_of::<Slot>() + Links::LEN + 2 * (Index::LEN + Ghost::LEN)
    }

    fn over(memory: Vec<Lease>, bound: usize) -> Cache {
        let len = memory.len() * CHUNK_BLOCKS;
        let key = BlockKey { file: 0, block: 0 };
        let mut links = Links::new(len);
        let mut free = Queue::default();
        (0..len as u32).for_each(|slot| free.push(&mut links, slot));
        Cache {
            memory,
            slots: vec![Slot { key, stamp: 0, uses: 0, place: Place::Free }; len],
            links,
            index: Index::new(len),
            free,
            small: Queue::default(),
            main: Queue::default(),
            ghost: Ghost::new(len),
            counts: CacheCounts { bound: bound as u64, ..CacheCounts::default() },
        }
    }

    /// The bytes of a block, where they are held under this stamp.
    #[inline]
    pub fn get(&mut self, key: BlockKey, stamp: u64) -> Option<&[u8]> {
        let Some(slot) = self.find(key) else {
            self.counts.misses += 1;
            return None;
        };
        let known = &mut self.slots[slot as usize];
        if known.stamp != stamp {
            self.drop_stale(slot);
            return None;
        }
        known.uses = (known.uses + 1).min(USES_MAX);
        self.counts.hits += 1;
        Some(bytes_of(&mut self.memory, slot))
    }

    /// True where a block is held under this stamp; counts as no use of it.
    pub fn holds(&self, key: BlockKey, stamp: u64) -> bool {
        self.find(key).is_some_and(|slot| self.slots[slot as usize].stamp == stamp)
    }

    /// Keeps a block, whose 4,096 bytes `fill` writes. `stamp` is the file's of the moment at which
    /// the read of these bytes began.
    pub fn put(&mut self, key: BlockKey, stamp: u64, fill: impl FnOnce(&mut [u8])) {
        if let Some(slot) = self.find(key) {
            self.slots[slot as usize].stamp = stamp;
            return fill(bytes_of(&mut self.memory, slot));
        }
        let slot = self.free.pop(&mut self.links).unwrap_or_else(|| self.evict());
        let hash = key.hash();
        let place = if self.ghost.remembers(hash) { Place::Main } else { Place::Small };
        self.slots[slot as usize] = Slot { key, stamp, uses: 0, place };
        self.queue(place).push(slot);
        self.index.insert(hash, slot);
        self.counts.bytes += BLOCK_LEN as u64;
        fill(bytes_of(&mut self.memory, slot));
    }

    /// Forgets blocks of a file.
    pub fn invalidate(&mut self, file: u64, blocks: Range<u64>) {
        let is_hit = |key: BlockKey| key.file == file && blocks.contains(&key.block);
        let count = blocks.end.saturating_sub(blocks.start);
        if count > self.slots.len() as u64 {
            return self.forget_where(is_hit);
        }
        for block in blocks.clone() {
            if let Some(slot) = self.find(BlockKey { file, block }) {
                self.release(slot);
            }
        }
    }

    /// Forgets everything of a file.
    pub fn forget(&mut self, file: u64) {
        self.forget_where(|key| key.file == file);
    }

    /// Hits, misses, evictions, bytes and the bound.
    pub fn counts(&self) -> CacheCounts {
        self.counts
    }

    fn forget_where(&mut self, is_hit: impl Fn(BlockKey) -> bool) {
        for slot in 0..self.slots.len() as u32 {
            let known = self.slots[slot as usize];
            if known.place != Place::Free && is_hit(known.key) {
                self.release(slot);
            }
        }
    }

    #[inline]
    fn find(&self, key: BlockKey) -> Option<u32> {
        self.index.find(key.hash(), |slot| self.slots[slot as usize].key == key)
    }

    #[cold]
    fn drop_stale(&mut self, slot: u32) {
        self.counts.misses += 1;
        self.counts.stale += 1;
        self.release(slot);
    }

    fn queue(&mut self, place: Place) -> QueueOf<'_> {
        let queue = match place {
            Place::Free => &mut self.free,
            Place::Small => &mut self.small,
            Place::Main => &mut self.main,
        };
        QueueOf { queue, links: &mut self.links }
    }

    /// Takes a slot out of its queue and the index, to be free.
    fn release(&mut self, slot: u32) {
        self.unlink(slot);
        self.slots[slot as usize].place = Place::Free;
        self.queue(Place::Free).push(slot);
    }

    fn unlink(&mut self, slot: u32) {
        let Slot { key, place, .. } = self.slots[slot as usize];
        self.queue(place).remove(slot);
        self.index.remove(key.hash(), slot);
        self.counts.bytes -= BLOCK_LEN as u64;
    }

    /// A slot whose block gives way. Every step either frees one or spends uses that were counted.
    fn evict(&mut self) -> u32 {
        let target = self.slots.len() / SMALL_PART;
        let slot = loop {
            let from_small = self.small.len() >= target.max(1) || self.main.len() == 0;
            let candidate = if from_small { self.last_of_small() } else { self.last_of_main() };
            if let Some(slot) = candidate {
                break slot;
            }
        };
        self.unlink(slot);
        self.slots[slot as usize].place = Place::Free;
        self.counts.evictions += 1;
        slot
    }

    /// The oldest of the small queue; it moves on to the main queue where it was used meanwhile.
    fn last_of_small(&mut self) -> Option<u32> {
        let slot = self.small.oldest()?;
        let known = self.slots[slot as usize];
        if known.uses < USES_TO_STAY {
            self.ghost.remember(known.key.hash());
            return Some(slot);
        }
        self.queue(Place::Small).remove(slot);
        self.slots[slot as usize] = Slot { uses: 0, place: Place::Main, ..known };
        self.queue(Place::Main).push(slot);
        None
    }

    /// The oldest of the main queue; it gets another round for a use.
    fn last_of_main(&mut self) -> Option<u32> {
        let slot = self.main.oldest()?;
        let uses = &mut self.slots[slot as usize].uses;
        if *uses == 0 {
            return Some(slot);
        }
        *uses -= 1;
        let mut main = self.queue(Place::Main);
        main.remove(slot);
        main.push(slot);
        None
    }
}

/// A queue with the links that all queues share.
struct QueueOf<'a> {
    queue: &'a mut Queue,
    links: &'a mut Links,
}

impl QueueOf<'_> {
    fn push(&mut self, slot: u32) {
        self.queue.push(self.links, slot);
    }

    fn remove(&mut self, slot: u32) {
        self.queue.remove(self.links, slot);
    }
}

#[inline]
fn bytes_of(memory: &mut [Lease], slot: u32) -> &mut [u8] {
    let at = slot as usize % CHUNK_BLOCKS * BLOCK_LEN;
    &mut memory[slot as usize / CHUNK_BLOCKS][at..at + BLOCK_LEN]
}

#[cfg(test)]
mod tests;
