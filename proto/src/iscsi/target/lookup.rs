//! From Initiator Task Tag to task: a small table with open addressing.
//!
//! The initiator chooses the tags, so it can make them collide; what it gains is a probe over its
//! own tasks, which are bounded. Removal shifts back what had been pushed along, so no tombstones
//! pile up. Invariants: at most half of the table is used; between a tag's home and its place no
//! entry is free.

use alloc::vec;
use alloc::vec::Vec;

use super::slab::TaskId;
use crate::iscsi::pdu::Itt;

/// Entries of the smallest table.
const ENTRIES_MIN: usize = 16;

type Entry = Option<(Itt, TaskId)>;

/// A map from the tags of living tasks to their ids.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Lookup {
    entries: Vec<Entry>,
    used: usize,
}

impl Lookup {
    pub(super) fn new() -> Lookup {
        Lookup { entries: vec![None; ENTRIES_MIN], used: 0 }
    }

    fn mask(&self) -> usize {
        self.entries.len() - 1
    }

    /// Fibonacci hashing: consecutive tags spread, and so do tags that differ in high bits only.
    #[inline]
    fn home(&self, itt: Itt) -> usize {
        let spread = itt.0.wrapping_mul(0x9e37_79b1);
        (spread ^ spread >> 15) as usize & self.mask()
    }

    #[inline]
    fn place(&self, itt: Itt) -> Result<usize, usize> {
        let mut at = self.home(itt);
        loop {
            match self.entries[at] {
                Some((found, _)) if found == itt => return Ok(at),
                Some(_) => at = (at + 1) & self.mask(),
                None => return Err(at),
            }
        }
    }

    #[inline]
    pub(super) fn get(&self, itt: Itt) -> Option<TaskId> {
        let at = self.place(itt).ok()?;
        self.entries[at].map(|(_, id)| id)
    }

    /// # Panics
    /// Where the tag is already there: the caller has looked.
    #[inline]
    pub(super) fn insert(&mut self, itt: Itt, id: TaskId) {
        if (self.used + 1) * 2 > self.entries.len() {
            self.grow();
        }
        let at = self.place(itt).expect_err("a tag names one living task");
        self.entries[at] = Some((itt, id));
        self.used += 1;
    }

    fn grow(&mut self) {
        let old = core::mem::take(&mut self.entries);
        self.entries = vec![None; old.len() * 2];
        for (itt, id) in old.into_iter().flatten() {
            let at = self.place(itt).expect_err("tags were unique before");
            self.entries[at] = Some((itt, id));
        }
    }

    /// Forgets the tag, where it is there.
    #[inline]
    pub(super) fn remove(&mut self, itt: Itt) {
        let Ok(mut hole) = self.place(itt) else { return };
        self.used -= 1;
        let mut at = (hole + 1) & self.mask();
        while let Some((next, _)) = self.entries[at] {
            if self.may_move(next, at, hole) {
                self.entries.swap(hole, at);
                hole = at;
            }
            at = (at + 1) & self.mask();
        }
        self.entries[hole] = None;
    }

    /// True where the entry at `at` may lie in `hole`: its home is not behind the hole.
    fn may_move(&self, itt: Itt, at: usize, hole: usize) -> bool {
        let back = |from: usize| at.wrapping_sub(from) & self.mask();
        back(self.home(itt)) >= back(hole)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::iscsi::target::slab::Slab;

    #[test]
    fn tags_that_collide_are_all_found() {
        let mut slab = Slab::new(200);
        let mut lookup = Lookup::new();
        let tags: Vec<_> = (0..200u32).map(|n| Itt(n << 24 | n)).collect();
        let ids: Vec<_> = tags.iter().map(|_| slab.insert(()).unwrap()).collect();
        tags.iter().zip(&ids).for_each(|(tag, id)| lookup.insert(*tag, *id));
        assert!(tags.iter().zip(&ids).all(|(tag, id)| lookup.get(*tag) == Some(*id)));
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_map(steps in prop::collection::vec((any::<bool>(), 0u32..40), 0..300)) {
            let mut slab = Slab::new(100);
            let (mut lookup, mut model) = (Lookup::new(), BTreeMap::new());
            for (put, tag) in steps {
                let itt = Itt(tag << 20);
                if put && !model.contains_key(&itt) {
                    let id = slab.insert(()).unwrap();
                    model.insert(itt, id);
                    lookup.insert(itt, id);
                } else if !put {
                    model.remove(&itt).into_iter().for_each(|id| slab.remove(id));
                    lookup.remove(itt);
                }
                for tag in 0..40 {
                    let itt = Itt(tag << 20);
                    prop_assert_eq!(lookup.get(itt), model.get(&itt).copied());
                }
            }
        }
    }
}
