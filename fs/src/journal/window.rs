//! The window: the durable commits that a replay would still apply, and which of them the tail may
//! pass.
//!
//! A commit is *open* for each of its blocks that lives nowhere else: not durable in place at that
//! version, not in a newer durable commit, not freed by one. The tail passes a commit when it and
//! every older one is open no more; it has passed only when a head that says so is durable.

use std::collections::VecDeque;

/// One durable commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub seq: u64,
    /// The version of its images.
    pub version: u64,
    /// Where it begins in the ring, counted on and on.
    pub start: u64,
    /// Where the next one begins.
    pub end: u64,
    /// What still needs it.
    pub open: u64,
    /// The blocks that it holds images of.
    pub blocks: Vec<u64>,
}

/// Durable commits in the order of their numbers, without gaps.
#[derive(Clone, Debug, Default)]
pub struct Window {
    entries: VecDeque<Entry>,
}

impl Window {
    /// A commit is durable.
    pub fn push(&mut self, entry: Entry) {
        if let Some(last) = self.entries.back() {
            assert_eq!(
                (last.seq + 1, last.end),
                (entry.seq, entry.start),
                "commits follow each other"
            );
        }
        self.entries.push_back(entry);
    }

    /// Something needs the commit `seq` once more.
    pub fn open(&mut self, seq: u64) {
        self.entry(seq).open += 1;
    }

    /// Something needs the commit `seq` no longer.
    pub fn close(&mut self, seq: u64) {
        let entry = self.entry(seq);
        assert!(entry.open > 0, "commit {seq} is needed less often than never");
        entry.open -= 1;
    }

    fn entry(&mut self, seq: u64) -> &mut Entry {
        let first = self.entries.front().expect("an open commit is in the window").seq;
        let at = seq.checked_sub(first).expect("an open commit is in the window");
        &mut self.entries[at as usize]
    }

    /// The newest commit that the tail may pass, with all before it.
    pub fn passable(&self) -> Option<&Entry> {
        self.entries.iter().take_while(|entry| entry.open == 0).last()
    }

    /// A head is durable whose tail lies behind the commit `seq`.
    pub fn passed(&mut self, seq: u64) {
        while self.entries.front().is_some_and(|entry| entry.seq <= seq) {
            let entry = self.entries.pop_front();
            assert!(entry.is_some_and(|entry| entry.open == 0), "the tail passes what is closed");
        }
    }

    /// The oldest version that a replay would apply.
    pub fn oldest_version(&self) -> Option<u64> {
        self.entries.front().map(|entry| entry.version)
    }

    /// The commits, oldest first.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.iter()
    }

    /// True where a replay would apply nothing.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(seq: u64, open: u64) -> Entry {
        Entry { seq, version: 10 * seq, start: seq * 4, end: seq * 4 + 4, open, blocks: Vec::new() }
    }

    #[test]
    fn the_tail_passes_in_order_and_only_what_nothing_needs() {
        let mut window = Window::default();
        (1..=3).for_each(|seq| window.push(entry(seq, u64::from(seq == 1))));
        assert_eq!(window.passable(), None, "the first one is open");
        window.close(1);
        assert_eq!(window.passable().map(|entry| entry.seq), Some(3));
        window.open(3);
        assert_eq!(window.passable().map(|entry| entry.seq), Some(2));
        assert_eq!(window.oldest_version(), Some(10));
        window.passed(2);
        assert_eq!(window.oldest_version(), Some(30));
    }

    #[test]
    #[should_panic(expected = "passes what is closed")]
    fn the_tail_does_not_pass_what_is_open() {
        let mut window = Window::default();
        window.push(entry(1, 1));
        window.passed(1);
    }
}
