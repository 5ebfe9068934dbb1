//! The end of the running transaction: a commit that is under way, and its becoming durable.
//!
//! ```text
//! running ──begin_commit──> committing ──commit_is_durable──> in the window, dirty in place
//! ```
//!
//! Invariants: one commit is under way at a time, and the next transaction runs meanwhile; its
//! images never change, since edits work on copies; a block's home moves to a commit only when that
//! is durable.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::cache::NOT_RUNNING;
use super::{Store, Want};
use crate::format;
use crate::journal::{Batch, Entry, Image, commit_len};

/// A block of metadata that a transaction frees.
#[derive(Clone, Copy)]
pub(super) struct Freed {
    pub(super) want: Want,
    /// The commit that still holds its newest image, or 0.
    pub(super) home: u64,
}

/// A commit on its way to the journal.
pub(super) struct InFlight {
    batch: Rc<Batch>,
    pub(super) freed: BTreeMap<u64, Freed>,
    start: u64,
}

impl InFlight {
    pub(super) fn version(&self) -> u64 {
        self.batch.version
    }
}

impl Store {
    /// Blocks that a commit of the running transaction would take in the ring.
    pub fn running_len(&self) -> u64 {
        commit_len(self.running.len(), self.freed.len())
    }

    /// The number of the commit that holds everything which operations have changed by now.
    pub fn last_seq(&self) -> u64 {
        if self.is_idle() { self.next_seq - 1 } else { self.next_seq }
    }

    /// True while a commit is under way.
    pub fn is_committing(&self) -> bool {
        self.in_flight.is_some()
    }

    /// True where the running transaction changes nothing.
    pub fn is_idle(&self) -> bool {
        self.running.is_empty() && self.freed.is_empty()
    }

    /// Ends the running transaction: what it holds is to be written to the journal from the ring
    /// position `start` on. `None` where it changes nothing.
    ///
    /// # Panics
    /// While another commit is under way.
    pub fn begin_commit(&mut self, start: u64) -> Option<Rc<Batch>> {
        assert!(self.in_flight.is_none(), "one commit is under way at a time");
        if self.is_idle() {
            return None;
        }
        let mut images: Vec<Image> = Vec::with_capacity(self.running.len());
        for slot in self.running.drain(..) {
            let cached = self.cache.at_mut(slot);
            cached.running_at = NOT_RUNNING;
            cached.is_committing = true;
            cached.crc = format::checksum(cached.block.bytes());
            let (bno, want, block) = (cached.bno, cached.want, Rc::clone(&cached.block));
            images.push(Image { bno, want, block, crc: cached.crc });
        }
        images.sort_unstable_by_key(|image| image.bno);
        let freed = std::mem::take(&mut self.freed);
        let frees = freed.iter().map(|(bno, freed)| (*bno, freed.want)).collect();
        let batch = Rc::new(Batch { seq: self.next_seq, version: self.version, images, frees });
        self.busy.commit_begins();
        self.next_seq += 1;
        self.version += 1;
        self.in_flight = Some(InFlight { batch: Rc::clone(&batch), freed, start });
        Some(batch)
    }

    /// The commit under way is durable in the journal.
    ///
    /// # Panics
    /// Where there is none.
    pub fn commit_is_durable(&mut self) {
        let InFlight { batch, freed, start } =
            self.in_flight.take().expect("a commit is under way");
        let seq = batch.seq;
        let blocks = batch.images.iter().map(|image| image.bno).collect();
        let end = start + batch.len();
        self.window.push(Entry { seq, version: batch.version, start, end, open: 0, blocks });
        for image in &batch.images {
            let before = self.come_home(image.bno, seq);
            self.window.open(seq);
            self.close(before);
        }
        for (bno, freed) in freed {
            self.close(freed.home);
            self.wait_for_write(bno, seq);
        }
        self.busy.commit_is_durable();
    }

    /// The newest durable image of a block is in the commit `seq`; gives the one before.
    fn come_home(&mut self, bno: u64, seq: u64) -> u64 {
        if let Some(cached) = self.cache.get_mut(bno) {
            cached.is_committing = false;
            return std::mem::replace(&mut cached.home, seq);
        }
        let freed = self.freed.get_mut(&bno).expect("a block of a commit is resident or freed");
        std::mem::replace(&mut freed.home, seq)
    }

    /// A commit is not needed for a block any more.
    pub(super) fn close(&mut self, home: u64) {
        if home != 0 {
            self.window.close(home);
        }
    }

    /// A block was freed by the commit `seq`: while an old image of it is still being written in
    /// place, that commit stays, and with it the block out of use for data.
    fn wait_for_write(&mut self, bno: u64, seq: u64) {
        if let Some(round) = self.round.as_mut().filter(|round| round.holds(bno)) {
            round.waiting.push(seq);
            self.window.open(seq);
        }
    }
}
