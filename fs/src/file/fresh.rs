//! Blocks that were written into space that was never written: after a crash they would read as
//! zeroes, until a flush of the device and then a change of the extents make them last.
//!
//! Invariant: each run has the number of the flush that is the first to cover it. A run that is
//! written again keeps its number: it holds the file's own bytes either way. Runs of one number that
//! touch are one.

use std::collections::BTreeMap;
use std::ops::Range;

/// The set.
#[derive(Default)]
pub(super) struct Fresh {
    /// By the first block: the block behind the last, and the number.
    runs: BTreeMap<u64, (u64, u64)>,
    /// Flushes that have begun.
    flushes: u64,
}

impl Fresh {
    /// A flush begins; it covers what has at most this number.
    pub(super) fn begin_flush(&mut self) -> u64 {
        self.flushes += 1;
        self.flushes
    }

    /// Blocks are written; the next flush covers them, but for those that have a number.
    pub(super) fn add(&mut self, blocks: Range<u64>) {
        let mut at = blocks.start;
        while at < blocks.end {
            let known = self.run_at_or_after(at);
            let gap_end = known.as_ref().map_or(blocks.end, |run| run.start.clamp(at, blocks.end));
            if at < gap_end {
                self.insert(at..gap_end);
            }
            at = known.map_or(blocks.end, |run| run.end.max(gap_end));
        }
    }

    fn insert(&mut self, blocks: Range<u64>) {
        let number = self.flushes + 1;
        let (mut first, mut end) = (blocks.start, blocks.end);
        let before = self.runs.range(..first).next_back().map(|(first, run)| (*first, *run));
        if let Some((earlier, run)) = before
            && run == (first, number)
        {
            first = earlier;
        }
        if let Some((later_end, _)) = self.runs.get(&end).copied().filter(|run| run.1 == number) {
            self.runs.remove(&end);
            end = later_end;
        }
        self.runs.insert(first, (end, number));
    }

    /// Blocks are not fresh any more: converted, or gone.
    pub(super) fn remove(&mut self, blocks: Range<u64>) {
        while let Some((first, (end, number))) = self.overlapping(&blocks) {
            self.runs.remove(&first);
            if first < blocks.start {
                self.runs.insert(first, (blocks.start, number));
            }
            if blocks.end < end {
                self.runs.insert(blocks.end, (end, number));
            }
        }
    }

    fn overlapping(&self, blocks: &Range<u64>) -> Option<(u64, (u64, u64))> {
        let (first, run) = self.runs.range(..blocks.end).next_back()?;
        (run.0 > blocks.start).then_some((*first, *run))
    }

    /// The first run that holds `block` or lies behind it.
    pub(super) fn run_at_or_after(&self, block: u64) -> Option<Range<u64>> {
        if let Some((first, (end, _))) = self.runs.range(..=block).next_back()
            && *end > block
        {
            return Some(*first..*end);
        }
        self.runs.range(block..).next().map(|(first, (end, _))| *first..*end)
    }

    /// The first run with a number of at most `number`, from `block` on.
    pub(super) fn first_up_to(&self, number: u64, block: u64) -> Option<Range<u64>> {
        let mut runs = self.runs.range(block..);
        runs.find(|(_, (_, n))| *n <= number).map(|(first, (end, _))| *first..*end)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// How many runs.
    pub(super) fn len(&self) -> usize {
        self.runs.len()
    }
}

/// Blocks that may be written once each, by whom they were granted to: they hold anything, and read
/// as zeroes until the write is done.
#[derive(Default)]
pub(super) struct Granted(Vec<Range<u64>>);

impl Granted {
    pub(super) fn add(&mut self, blocks: Range<u64>) {
        self.0.push(blocks);
    }

    /// The write of a part of what was granted is over.
    ///
    /// # Panics
    /// When it was not granted: a bug of a channel.
    pub(super) fn remove(&mut self, blocks: &Range<u64>) {
        let holds = |one: &Range<u64>| one.start <= blocks.start && blocks.end <= one.end;
        let at = self.0.iter().position(holds).expect("a write ends that was granted");
        let one = self.0.swap_remove(at);
        let parts = [one.start..blocks.start, blocks.end..one.end];
        self.0.extend(parts.into_iter().filter(|part| !part.is_empty()));
    }

    pub(super) fn touches(&self, blocks: &Range<u64>) -> bool {
        self.0.iter().any(|one| one.start < blocks.end && blocks.start < one.end)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn covered(fresh: &Fresh, flush: u64) -> Vec<Range<u64>> {
        let mut at = 0;
        let next = || {
            let run = fresh.first_up_to(flush, at)?;
            at = run.end;
            Some(run)
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn a_flush_takes_what_was_written_before_it_began() {
        let mut fresh = Fresh::default();
        fresh.add(0..4);
        fresh.add(10..12);
        fresh.add(4..6);
        let flush = fresh.begin_flush();
        fresh.add(2..9);
        fresh.add(20..21);
        assert_eq!(covered(&fresh, flush), [0..6, 10..12]);
        assert_eq!(covered(&fresh, flush + 1), [0..6, 6..9, 10..12, 20..21]);
    }

    #[test]
    fn what_is_gone_and_written_again_waits_for_the_next_flush() {
        let mut fresh = Fresh::default();
        fresh.add(0..4);
        let flush = fresh.begin_flush();
        fresh.remove(0..4);
        fresh.add(0..4);
        assert_eq!(covered(&fresh, flush), []);
    }

    #[test]
    fn writes_in_order_are_one_run() {
        let mut fresh = Fresh::default();
        (0..100).for_each(|n| fresh.add(n..n + 1));
        (200..300).rev().for_each(|n| fresh.add(n..n + 1));
        assert_eq!(fresh.len(), 2);
    }

    #[test]
    fn a_grant_is_used_up_in_parts() {
        let mut granted = Granted::default();
        granted.add(0..10);
        granted.add(4..6);
        granted.remove(&(4..6));
        assert!(granted.touches(&(0..1)) && granted.touches(&(5..6)));
        granted.remove(&(0..4));
        granted.remove(&(4..6));
        granted.remove(&(6..10));
        assert!(granted.is_empty());
    }

    proptest! {
        #[test]
        fn it_is_a_set_with_numbers(
            steps in prop::collection::vec((0..60u64, 1..20u64, 0..5u8), 1..60)
        ) {
            let mut fresh = Fresh::default();
            let mut model = [None; 100];
            for (first, len, kind) in steps {
                let blocks = first..first + len;
                match kind {
                    0 | 1 => {
                        fresh.add(blocks.clone());
                        let number = fresh.flushes + 1;
                        blocks.for_each(|b| model[b as usize] = model[b as usize].or(Some(number)));
                    }
                    2 => assert!(fresh.begin_flush() > 0),
                    _ => {
                        fresh.remove(blocks.clone());
                        blocks.for_each(|block| model[block as usize] = None);
                    }
                }
                for block in 0..100u64 {
                    let run = fresh.runs.range(..=block).next_back();
                    let number = run.filter(|(_, (end, _))| *end > block).map(|(_, (_, n))| *n);
                    prop_assert_eq!(number, model[block as usize]);
                }
            }
        }
    }
}
