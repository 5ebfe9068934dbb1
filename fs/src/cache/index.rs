//! From the hash of a key to its slot: chains through slots, of a fixed size.

const NONE: u32 = u32::MAX;

/// The table. Nothing walks over it.
pub(super) struct Index {
    /// A power of two.
    heads: Vec<u32>,
    next: Vec<u32>,
}

impl Index {
    /// Bytes for each slot, where the table has as many heads as slots.
    pub(super) const LEN: usize = 2 * size_of::<u32>();

    pub(super) fn new(slots: usize) -> Index {
        Index { heads: vec![NONE; slots.next_power_of_two()], next: vec![NONE; slots] }
    }

    fn head(&self, hash: u64) -> usize {
        hash as usize & (self.heads.len() - 1)
    }

    /// The slot of the chain that `is_it`.
    #[inline]
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let mut slot = self.heads[self.head(hash)];
        while slot != NONE {
            if is_it(slot) {
                return Some(slot);
            }
            slot = self.next[slot as usize];
        }
        None
    }

    /// Adds a slot that is not in the table.
    pub(super) fn insert(&mut self, hash: u64, slot: u32) {
        let head = self.head(hash);
        self.next[slot as usize] = std::mem::replace(&mut self.heads[head], slot);
    }

    /// Takes out a slot that is in the table under this hash.
    pub(super) fn remove(&mut self, hash: u64, slot: u32) {
        let after = self.next[slot as usize];
        let head = self.head(hash);
        let mut at = self.heads[head];
        if at == slot {
            self.heads[head] = after;
            return;
        }
        while self.next[at as usize] != slot {
            at = self.next[at as usize];
        }
        self.next[at as usize] = after;
    }
}
