//! Where a file's blocks lie, as one channel knows it: a sorted, bounded list of extents.
//!
//! Invariants: entries ascend and do not overlap; there are at most [`MAPPED_MAX`], whose memory is
//! taken at the start. A lookup is a few plain loads: the entry that was used last, else a binary
//! search.

use std::ops::Range;

/// The most extents that a channel knows at once.
pub const MAPPED_MAX: usize = 4096;
/// One part in so many is forgotten where the list is full.
const FORGOTTEN_PART: usize = 8;

/// What is behind blocks of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// Nothing, or space that was never written: they read as zeroes.
    Zeroes,
    /// Data on the device.
    Disk {
        /// The device block of the first of them.
        bno: u64,
        /// They may be overwritten where they lie.
        writable: bool,
        /// Above zero: written, but after a crash they would read as zeroes; the channel's flush
        /// of this number, or a later one, ends that.
        fresh: u32,
    },
    /// Space for one write of whole blocks, which holds anything until then.
    Granted {
        /// The device block of the first of them.
        bno: u64,
    },
}

/// Blocks of a file that lie together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mapped {
    /// The first block within the file.
    pub(super) first: u64,
    /// How many blocks.
    pub(super) len: u64,
    /// What is behind them.
    pub(super) target: Target,
}

impl Mapped {
    /// The block behind the last one.
    pub(super) fn end(&self) -> u64 {
        self.first + self.len
    }

    pub(super) fn covers(&self, block: u64) -> bool {
        block.wrapping_sub(self.first) < self.len
    }

    /// The part of it within `blocks`.
    pub(super) fn within(&self, blocks: &Range<u64>) -> Option<Mapped> {
        let (first, end) = (self.first.max(blocks.start), self.end().min(blocks.end));
        if first >= end {
            return None;
        }
        let target = self.target.moved(first - self.first);
        Some(Mapped { first, len: end - first, target })
    }
}

impl Target {
    /// The same, from `by` blocks later on.
    pub(super) fn moved(self, by: u64) -> Target {
        match self {
            Target::Zeroes => Target::Zeroes,
            Target::Disk { bno, writable, fresh } => {
                Target::Disk { bno: bno + by, writable, fresh }
            }
            Target::Granted { bno } => Target::Granted { bno: bno + by },
        }
    }
}

/// The list.
pub(super) struct Map {
    entries: Vec<Mapped>,
    /// The entry that was used last.
    last: usize,
    /// Where forgetting goes on.
    hand: usize,
}

impl Map {
    pub(super) fn new() -> Map {
        Map { entries: Vec::with_capacity(MAPPED_MAX + 2), last: 0, hand: 0 }
    }

    /// The entry that holds a block.
    #[inline]
    pub(super) fn find(&mut self, block: u64) -> Option<Mapped> {
        if let Some(entry) = self.entries.get(self.last)
            && entry.covers(block)
        {
            return Some(*entry);
        }
        let at = self.entries.partition_point(|entry| entry.end() <= block);
        let entry = self.entries.get(at).filter(|entry| entry.covers(block))?;
        self.last = at;
        Some(*entry)
    }

    /// Knows `entry` from here on, whatever was known of its blocks before.
    pub(super) fn insert(&mut self, entry: Mapped) {
        self.forget(entry.first..entry.end());
        if self.entries.len() >= MAPPED_MAX {
            self.make_room();
        }
        let at = self.entries.partition_point(|other| other.first < entry.first);
        self.entries.insert(at, entry);
        self.join(at);
        if at > 0 {
            self.join(at - 1);
        }
    }

    /// Makes one of the entry at `at` and the one behind it, where they are parts of one extent.
    fn join(&mut self, at: usize) {
        let [one, two] = self.entries[at..].first_chunk().copied().unwrap_or([self.entries[at]; 2]);
        if one.end() == two.first && one.target.moved(one.len) == two.target {
            self.entries[at].len += two.len;
            self.entries.remove(at + 1);
        }
    }

    /// Knows nothing of these blocks any more.
    pub(super) fn forget(&mut self, blocks: Range<u64>) {
        let from = self.entries.partition_point(|entry| entry.end() <= blocks.start);
        let to = self.entries.partition_point(|entry| entry.first < blocks.end);
        if from >= to {
            return;
        }
        let before = self.entries[from].within(&(0..blocks.start));
        let after = self.entries[to - 1].within(&(blocks.end..u64::MAX));
        self.entries.splice(from..to, before.into_iter().chain(after));
    }

    /// A flush of this number is done: what was fresh before it is so no more.
    pub(super) fn settle(&mut self, flush: u32) {
        for entry in &mut self.entries {
            if let Target::Disk { fresh, .. } = &mut entry.target
                && *fresh <= flush
            {
                *fresh = 0;
            }
        }
    }

    /// Entries go in the order of a hand that moves around, so that each has the same chance.
    fn make_room(&mut self) {
        let count = MAPPED_MAX / FORGOTTEN_PART;
        let from = if self.hand + count > self.entries.len() { 0 } else { self.hand };
        self.entries.drain(from..from + count);
        // What follows moved down by as much: the hand stays where it is.
        self.hand = from + 1;
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn disk(first: u64, len: u64, bno: u64) -> Mapped {
        Mapped { first, len, target: Target::Disk { bno, writable: true, fresh: 0 } }
    }

    #[test]
    fn neighbours_of_one_extent_become_one() {
        let mut map = Map::new();
        map.insert(disk(10, 5, 110));
        map.insert(disk(20, 5, 120));
        map.insert(disk(15, 5, 115));
        assert_eq!(map.len(), 1);
        assert_eq!(map.find(24), Some(disk(10, 15, 110)));
        map.forget(12..22);
        assert_eq!(map.find(11), Some(disk(10, 2, 110)));
        assert_eq!(map.find(22), Some(disk(22, 3, 122)));
        assert_eq!(map.find(12), None);
    }

    #[test]
    fn a_flush_settles_what_was_fresh_before_it() {
        let mut map = Map::new();
        let fresh = |first, fresh| {
            let target = Target::Disk { bno: first, writable: true, fresh };
            Mapped { first, len: 1, target }
        };
        map.insert(fresh(1, 1));
        map.insert(fresh(9, 2));
        map.settle(1);
        assert_eq!(map.find(1), Some(fresh(1, 0)));
        assert_eq!(map.find(9), Some(fresh(9, 2)));
    }

    #[test]
    fn a_full_list_forgets_and_does_not_grow() {
        let mut map = Map::new();
        let capacity = map.entries.capacity();
        for n in 0..20_000 {
            map.insert(disk(2 * n, 1, 5 * n));
            assert_eq!(map.find(2 * n), Some(disk(2 * n, 1, 5 * n)));
            assert!(map.len() <= MAPPED_MAX);
        }
        assert_eq!(map.entries.capacity(), capacity);
    }

    proptest! {
        #[test]
        fn it_knows_what_it_was_told_last(
            steps in prop::collection::vec((0..200u64, 1..40u64, 0..5u64), 1..200)
        ) {
            let mut map = Map::new();
            let mut model = [None; 256];
            for (first, len, kind) in steps {
                let blocks = first..first + len;
                if kind == 0 {
                    map.forget(blocks.clone());
                    blocks.for_each(|block| model[block as usize] = None);
                } else {
                    map.insert(disk(first, len, first + 1000 * kind));
                    blocks.for_each(|block| model[block as usize] = Some(block + 1000 * kind));
                }
                for (block, known) in model.iter().enumerate() {
                    let block = block as u64;
                    let found = map.find(block).map(|entry| {
                        match entry.target.moved(block - entry.first) {
                            Target::Disk { bno, .. } => bno,
                            other => panic!("{other:?}"),
                        }
                    });
                    prop_assert_eq!(found, *known);
                }
                prop_assert!(map.entries.windows(2).all(|w| w[0].end() <= w[1].first));
            }
        }
    }
}
