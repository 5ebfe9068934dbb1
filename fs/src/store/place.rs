//! Writing images in place, in rounds: choose, write, flush, and let the tail of the journal pass.
//!
//! Invariants: an image is written in place only after its commit is durable (I1); one round is
//! under way at a time, so that no two writes of one block are; a block is durable in place when
//! its round ended, which is after a flush of the device.

use std::rc::Rc;

use super::cache::Cached;
use super::{Block, LockId, Store, Table};
use crate::journal::Entry;

/// One image to be written in place.
#[derive(Clone, Debug)]
pub struct Place {
    /// Where it belongs.
    pub bno: u64,
    /// Its bytes; the checksum in them is anything.
    pub block: Rc<Block>,
    /// The checksum to be put into them.
    pub crc: u32,
    /// The commit that holds it.
    home: u64,
}

/// A round under way.
pub(super) struct Round {
    places: Rc<Vec<Place>>,
    numbers: Table<()>,
    /// Commits that freed blocks which this round writes.
    pub(super) waiting: Vec<u64>,
}

impl Round {
    pub(super) fn holds(&self, bno: u64) -> bool {
        self.numbers.get(bno).is_some()
    }
}

impl Store {
    /// Begins a round of at most `most` images that only the oldest commits hold, in the order of
    /// their blocks. `None` where there are none that may be written.
    ///
    /// # Panics
    /// While another round is under way.
    pub fn begin_round(&mut self, most: usize) -> Option<Rc<Vec<Place>>> {
        let mut places = Vec::new();
        for entry in self.window.entries() {
            let found = entry.blocks.iter().filter_map(|bno| self.place(*bno, entry));
            places.extend(found.take(most - places.len()));
        }
        self.start_round(places)
    }

    /// Begins a round of everything under a glock that may be written.
    ///
    /// # Panics
    /// While another round is under way.
    pub fn begin_round_under(&mut self, lock: LockId) -> Option<Rc<Vec<Place>>> {
        let under = self.cache.under(lock);
        let places = under.into_iter().filter_map(|bno| {
            let cached = self.cache.get(bno)?;
            let is_due = cached.home != 0 && !cached.is_running() && !cached.is_committing;
            is_due.then(|| Place {
                bno,
                block: Rc::clone(&cached.block),
                crc: cached.crc,
                home: cached.home,
            })
        });
        let places = places.collect();
        self.start_round(places)
    }

    fn place(&self, bno: u64, entry: &Entry) -> Option<Place> {
        let cached = self.cache.get(bno)?;
        let is_due = cached.home == entry.seq && !cached.is_running() && !cached.is_committing;
        is_due.then(|| Place {
            bno,
            block: Rc::clone(&cached.block),
            crc: cached.crc,
            home: cached.home,
        })
    }

    fn start_round(&mut self, mut places: Vec<Place>) -> Option<Rc<Vec<Place>>> {
        assert!(self.round.is_none(), "one round is under way at a time");
        if places.is_empty() {
            return None;
        }
        places.sort_unstable_by_key(|place| place.bno);
        let mut numbers = Table::default();
        places.iter().for_each(|place| {
            numbers.insert(place.bno, ());
        });
        let places = Rc::new(places);
        self.round = Some(Round { places: Rc::clone(&places), numbers, waiting: Vec::new() });
        Some(places)
    }

    /// Everything of the round is written and flushed.
    ///
    /// # Panics
    /// Where there is none.
    pub fn end_round(&mut self) {
        let round = self.round.take().expect("a round is under way");
        round.places.iter().for_each(|place| self.placed(place));
        round.waiting.into_iter().for_each(|seq| self.window.close(seq));
        // What was made anew came in without a read, and may be put out from here on.
        self.cache.shrink_to(self.cache_blocks_max);
    }

    /// The round failed: nothing is known to be in place.
    pub fn abandon_round(&mut self) {
        let round = self.round.take().expect("a round is under way");
        round.waiting.into_iter().for_each(|seq| self.window.close(seq));
    }

    /// An image is durable in place: its commit is not needed for it, unless a newer one took over
    /// meanwhile.
    fn placed(&mut self, place: &Place) {
        let home = match self.cache.get_mut(place.bno) {
            Some(cached) => Some(&mut cached.home),
            None => self.freed_home(place.bno),
        };
        if let Some(home) = home.filter(|home| **home == place.home && place.home != 0) {
            *home = 0;
            self.window.close(place.home);
        }
    }

    fn freed_home(&mut self, bno: u64) -> Option<&mut u64> {
        let in_flight = self.in_flight.as_mut().and_then(|commit| commit.freed.get_mut(&bno));
        self.freed.get_mut(&bno).or(in_flight).map(|freed| &mut freed.home)
    }

    /// The newest commit that the tail may pass: its number, and the ring position behind it.
    pub fn passable(&self) -> Option<(u64, u64)> {
        self.window.passable().map(|entry| (entry.seq, entry.end))
    }

    /// A head is durable whose tail lies behind the commit `seq`.
    pub fn tail_passed(&mut self, seq: u64) {
        self.window.passed(seq);
    }

    /// True where what is in memory of the blocks under a glock is durable in place.
    pub fn is_placed_under(&self, lock: LockId) -> bool {
        let is_clean = |bno: &u64| self.cache.get(*bno).is_some_and(Cached::is_clean);
        self.cache.under(lock).iter().all(is_clean)
    }

    /// True where everything durable is durable in place.
    pub fn is_placed(&self) -> bool {
        self.window.is_empty()
    }
}
