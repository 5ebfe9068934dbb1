//! Runs of data that were freed and may not be used again yet.
//!
//! ```text
//! freed ──> running ──(commit begins)──> in flight ──(durable)──> usable
//!                                                        └──> to be discarded ──(discarded)──> usable
//! ```
//!
//! Invariant: nothing is written to a freed run before its free is durable, since a crash would
//! bring the file back whose data it was.

use std::collections::BTreeMap;

use super::Run;

#[derive(Default)]
pub(super) struct Busy {
    /// Every run that may not be used: start to length.
    runs: BTreeMap<u64, u64>,
    /// Blocks of all of them.
    blocks: u64,
    running: Vec<Run>,
    in_flight: Vec<Run>,
    to_discard: Vec<Run>,
    /// Runs are discarded before they are used again.
    pub(super) discards: bool,
}

impl Busy {
    pub(super) fn free(&mut self, run: Run) {
        self.runs.insert(run.start, run.len);
        self.blocks += run.len;
        self.running.push(run);
    }

    /// The first run that touches `run`.
    pub(super) fn first_within(&self, run: Run) -> Option<Run> {
        let end = run.start + run.len;
        let before =
            self.runs.range(..end).rev().map(|(start, len)| Run { start: *start, len: *len });
        before.take_while(|other| other.start + other.len > run.start).min()
    }

    pub(super) fn commit_begins(&mut self) {
        assert!(self.in_flight.is_empty(), "one commit is under way at a time");
        std::mem::swap(&mut self.running, &mut self.in_flight);
    }

    pub(super) fn commit_is_durable(&mut self) {
        if self.discards {
            self.to_discard.append(&mut self.in_flight);
            return;
        }
        let (runs, blocks) = (&mut self.runs, &mut self.blocks);
        self.in_flight.drain(..).for_each(|run| {
            *blocks -= runs.remove(&run.start).unwrap_or(0);
        });
    }

    /// What the device is to be told of; it stays out of use until [`Busy::release`].
    pub(super) fn take_discards(&mut self) -> Vec<Run> {
        std::mem::take(&mut self.to_discard)
    }

    pub(super) fn release(&mut self, runs: &[Run]) {
        runs.iter().for_each(|run| {
            let was = self.runs.remove(&run.start);
            assert_eq!(was, Some(run.len), "what was discarded was out of use");
            self.blocks -= run.len;
        });
    }

    /// Blocks that may not be used.
    pub(super) fn blocks(&self) -> u64 {
        self.blocks
    }

    /// Blocks of `run` that may not be used.
    pub(super) fn blocks_within(&self, run: Run) -> u64 {
        let end = run.start + run.len;
        let before = self.runs.range(..end).rev().map(|(start, len)| (*start, start + len));
        let inside = before.take_while(|(_, to)| *to > run.start);
        inside.map(|(from, to)| to.min(end) - from.max(run.start)).sum()
    }
}
