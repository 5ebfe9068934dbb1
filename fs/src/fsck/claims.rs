//! Who uses which blocks, as a check counts it: how many claims every block has.
//!
//! The first claim of a block is a bit; further ones are counted in runs, as only shared extents
//! have them. A group takes memory only when something in it is claimed.

use std::collections::BTreeMap;

use crate::format::Geometry;
use crate::store::Run;

/// The claims on all blocks of a volume.
pub struct Claims {
    geometry: Geometry,
    groups: BTreeMap<u32, Group>,
}

struct Group {
    /// One bit a block: claimed at least once.
    once: Vec<u64>,
    /// Claims beyond the first: start to length and count. Disjoint.
    more: BTreeMap<u32, (u32, u32)>,
}

impl Claims {
    /// Nothing is claimed.
    pub fn new(geometry: Geometry) -> Claims {
        Claims { geometry, groups: BTreeMap::new() }
    }

    /// Claims every block of a run, which lies within one group. True where one was claimed before.
    pub fn add(&mut self, run: Run) -> bool {
        let (group, first) = self.place(run.start);
        let len = self.geometry.group_len(group);
        let words = len.div_ceil(64) as usize;
        let claims = self.groups.entry(group).or_insert_with(|| Group::new(words));
        claims.add(first, run.len as u32)
    }

    /// Claims of one block.
    pub fn count(&self, bno: u64) -> u32 {
        let (group, at) = self.place(bno);
        self.groups.get(&group).map_or(0, |claims| claims.count(at))
    }

    /// True where a block of a run, which lies within one group, is claimed.
    pub fn any(&self, run: Run) -> bool {
        let (group, first) = self.place(run.start);
        let claimed = |claims: &Group| claims.alike(first, first + run.len as u32);
        let claims = self.groups.get(&group);
        claims.is_some_and(|claims| claims.is_set(first) || u64::from(claimed(claims)) < run.len)
    }

    /// True where a block of a run, which lies within one group, is claimed more than once.
    pub fn any_shared(&self, run: Run) -> bool {
        let (group, first) = self.place(run.start);
        self.groups.get(&group).is_some_and(|claims| claims.any_more(first, run.len as u32))
    }

    /// Blocks that are claimed, in order.
    pub fn blocks(&self) -> impl Iterator<Item = u64> + '_ {
        self.groups.iter().flat_map(|(group, claims)| {
            let start = self.geometry.group_start(*group);
            let words = (0u64..).step_by(64).zip(&claims.once);
            words.flat_map(move |(at, word)| ones(*word).map(move |bit| start + at + bit))
        })
    }

    fn place(&self, bno: u64) -> (u32, u32) {
        let group = self.geometry.group_of(bno);
        (group, (bno - self.geometry.group_start(group)) as u32)
    }

    /// The words of one group's bitmap: bit set, block claimed. None where nothing is.
    pub fn bits(&self, group: u32) -> Option<&[u64]> {
        self.groups.get(&group).map(|claims| &claims.once[..])
    }

    /// Groups that have claims, in order.
    pub fn groups(&self) -> impl Iterator<Item = u32> {
        self.groups.keys().copied()
    }

    /// Runs of one group with more than one claim: first block within the group, length, claims.
    /// Neighbours with equal counts are one run.
    pub fn shared(&self, group: u32) -> Vec<(u32, u32, u32)> {
        let mut runs: Vec<(u32, u32, u32)> = Vec::new();
        let more = self.groups.get(&group).into_iter().flat_map(|claims| &claims.more);
        for (start, (len, count)) in more {
            match runs.last_mut() {
                Some(last) if last.0 + last.1 == *start && last.2 == count + 1 => last.1 += len,
                _ => runs.push((*start, *len, count + 1)),
            }
        }
        runs
    }
}

/// The numbers of the bits that are set in a word, ascending.
pub(super) fn ones(word: u64) -> impl Iterator<Item = u64> {
    let mut rest = word;
    std::iter::from_fn(move || {
        let bit = u64::from(rest.trailing_zeros());
        rest &= rest.wrapping_sub(1);
        (bit < 64).then_some(bit)
    })
}

impl Group {
    fn new(words: usize) -> Group {
        Group { once: vec![0; words], more: BTreeMap::new() }
    }

    fn add(&mut self, first: u32, len: u32) -> bool {
        let mut at = first;
        let end = first + len;
        let mut again = false;
        while at < end {
            let run = self.alike(at, end);
            let is_again = self.is_set(at);
            match is_again {
                true => self.add_more(at, run),
                false => self.set(at, run),
            }
            again |= is_again;
            at += run;
        }
        again
    }

    fn count(&self, at: u32) -> u32 {
        u32::from(self.is_set(at)) + self.more_at(at)
    }

    fn is_set(&self, at: u32) -> bool {
        self.once[at as usize / 64] >> (at % 64) & 1 == 1
    }

    /// Blocks from `at` on, before `end`, whose bits are as that of `at`.
    fn alike(&self, at: u32, end: u32) -> u32 {
        let flip = if self.is_set(at) { 0 } else { u64::MAX };
        let mut next = at;
        while next < end {
            let word = (self.once[next as usize / 64] ^ flip) >> (next % 64);
            let ones = word.trailing_ones().min(64 - next % 64);
            next += ones;
            if !next.is_multiple_of(64) || ones == 0 {
                break;
            }
        }
        next.min(end) - at
    }

    fn set(&mut self, first: u32, len: u32) {
        let mut at = first;
        while at < first + len {
            let bits = (64 - at % 64).min(first + len - at);
            let mask = if bits == 64 { u64::MAX } else { ((1u64 << bits) - 1) << (at % 64) };
            self.once[at as usize / 64] |= mask;
            at += bits;
        }
    }

    fn more_at(&self, at: u32) -> u32 {
        let before = self.more.range(..=at).next_back();
        before.map_or(0, |(start, (len, count))| if at < start + len { *count } else { 0 })
    }

    fn any_more(&self, first: u32, len: u32) -> bool {
        self.more_at(first) > 0 || self.more.range(first..first + len).next().is_some()
    }

    /// One claim more for each block of a range that is claimed already.
    fn add_more(&mut self, first: u32, len: u32) {
        self.cut(first);
        self.cut(first + len);
        let mut at = first;
        while at < first + len {
            let next = self.more.range(at..first + len).next().map(|(start, run)| (*start, *run));
            let gap_end = next.map_or(first + len, |(start, _)| start);
            if gap_end > at {
                self.more.insert(at, (gap_end - at, 1));
            }
            if let Some((start, (len, count))) = next {
                self.more.insert(start, (len, count + 1));
                at = start + len;
            } else {
                at = first + len;
            }
        }
    }

    /// Makes a run begin at `at` where one goes across.
    fn cut(&mut self, at: u32) {
        let Some((start, (len, count))) = self.more.range(..at).next_back() else {
            return;
        };
        let (start, len, count) = (*start, *len, *count);
        if start + len > at {
            self.more.insert(start, (at - start, count));
            self.more.insert(at, (start + len - at, count));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GEOMETRY: Geometry =
        Geometry { blocks: 8192, group_blocks: 2048, journal_blocks: 256, journals: 1 };

    #[test]
    fn a_block_has_as_many_claims_as_were_made() {
        let mut claims = Claims::new(GEOMETRY);
        assert!(!claims.add(Run { start: 2048, len: 2048 }));
        assert!(claims.add(Run { start: 2100, len: 10 }));
        assert!(claims.add(Run { start: 2105, len: 10 }));
        assert_eq!(claims.shared(1), [(52, 5, 2), (57, 5, 3), (62, 5, 2)]);
        assert_eq!(claims.groups().collect::<Vec<_>>(), [1]);
        assert_eq!(claims.count(2047), 0);
        assert_eq!(claims.count(4095), 1);
    }

    proptest! {
        #[test]
        fn claims_are_counted_like_one_by_one(
            runs in proptest::collection::vec((0u64..300, 1u64..200), 1..40)
        ) {
            let mut claims = Claims::new(GEOMETRY);
            let mut model = vec![0u32; 512];
            for (start, len) in runs {
                let range = start as usize..(start + len) as usize;
                let again = model[range.clone()].iter().any(|count| *count > 0);
                prop_assert_eq!(claims.any(Run { start, len }), again);
                prop_assert_eq!(claims.add(Run { start, len }), again);
                let shared = model[range.clone()].iter().any(|count| *count > 1);
                let run = Run { start, len };
                prop_assert_eq!(claims.any_shared(run), shared || again);
                model[range].iter_mut().for_each(|count| *count += 1);
            }
            let claimed = (0..512).filter(|bno| model[*bno as usize] > 0);
            prop_assert!(claims.blocks().eq(claimed));
            for (bno, count) in model.iter().enumerate() {
                prop_assert_eq!(claims.count(bno as u64), *count, "block {}", bno);
            }
            for (start, len, count) in claims.shared(0) {
                let range = start as usize..(start + len) as usize;
                prop_assert!(count > 1 && model[range].iter().all(|c| *c == count));
            }
        }
    }
}
