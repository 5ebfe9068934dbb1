//! What a disk may hold, told from its promises alone: the checker of the crash scenario.
//!
//! Invariants: time is a counter of this model's own events; a change that ended before another
//! began is overwritten by it, changes that overlap are not ordered. A change whose end is unknown
//! (it failed with the power, or its host crashed) may have happened or not, and overwrites nothing
//! for sure. What a read saw counts as a change of its own: nothing older comes back after it
//! until the power goes.

use std::collections::BTreeSet;
use std::ops::Range;

use super::cell::Value;

/// A moment: larger is later.
pub(crate) type Tick = u64;

/// What a change puts into a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Put {
    This(Value),
    /// Discarded: zeroes, or anything that the cell ever held.
    Anything,
}

#[derive(Clone, Copy, Debug)]
struct Change {
    id: u64,
    put: Put,
    began: Tick,
    /// None while it is in flight.
    ended: Option<Tick>,
    /// It was acknowledged.
    is_certain: bool,
    is_durable: bool,
    /// No request: a read saw it. Nobody was promised that it lasts.
    is_seen: bool,
    /// It failed, and may have happened.
    is_doubtful: bool,
    /// It failed, and a flush came after it: if it happened, it is durable.
    is_flushed: bool,
    /// The disk lost its cache while it was in flight: that it was acknowledged says nothing, as it
    /// may have been executed before.
    spans_loss: bool,
}

impl Change {
    /// True where this change was over when `later` began.
    fn is_before(&self, later: &Change) -> bool {
        self.ended.is_some_and(|ended| ended < later.began)
    }
}

/// One cell: every change that may still be seen.
#[derive(Clone, Debug)]
struct Cell {
    changes: Vec<Change>,
    ever: BTreeSet<Value>,
}

/// What the disk may hold.
pub(crate) struct Model {
    cells: Vec<Cell>,
    tick: Tick,
    changes_ever: u64,
}

/// Names a change until it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChangeId {
    place: u64,
    id: u64,
}

impl Model {
    /// `cells` cells that are zero, durably.
    pub(crate) fn new(cells: u64) -> Model {
        let zero = Change {
            id: 0,
            put: Put::This(Value::Zero),
            began: 0,
            ended: Some(0),
            is_certain: true,
            is_durable: true,
            is_doubtful: false,
            is_seen: false,
            is_flushed: false,
            spans_loss: false,
        };
        let cell = Cell { changes: vec![zero], ever: [Value::Zero].into() };
        Model { cells: vec![cell; cells as usize], tick: 0, changes_ever: 0 }
    }

    pub(crate) fn cells(&self) -> u64 {
        self.cells.len() as u64
    }

    /// The next moment.
    pub(crate) fn now(&mut self) -> Tick {
        self.tick += 1;
        self.tick
    }

    /// A change is submitted that puts `value` into a cell.
    pub(crate) fn begin(&mut self, place: u64, value: Value) -> ChangeId {
        self.add(place, Put::This(value))
    }

    /// A discard of a cell is submitted.
    pub(crate) fn begin_discard(&mut self, place: u64) -> ChangeId {
        self.add(place, Put::Anything)
    }

    fn add(&mut self, place: u64, put: Put) -> ChangeId {
        let began = self.now();
        self.changes_ever += 1;
        let id = self.changes_ever;
        let cell = &mut self.cells[place as usize];
        if let Put::This(value) = put {
            cell.ever.insert(value);
        }
        cell.changes.push(Change {
            id,
            put,
            began,
            ended: None,
            is_certain: false,
            is_durable: false,
            is_doubtful: false,
            is_seen: false,
            is_flushed: false,
            spans_loss: false,
        });
        ChangeId { place, id }
    }

    fn end(&mut self, change: ChangeId, is_certain: bool, is_durable: bool) {
        let ended = self.now();
        let changes = &mut self.cells[change.place as usize].changes;
        // A change of before a power loss is forgotten, or settled as one that may be there.
        if let Some(known) = changes.iter_mut().find(|c| c.id == change.id && c.ended.is_none()) {
            let is_certain = is_certain && (is_durable || !known.spans_loss);
            (known.ended, known.is_certain, known.is_durable) =
                (Some(ended), is_certain, is_durable);
        }
    }

    /// A change is acknowledged, durably where it was submitted with `fua`.
    pub(crate) fn acknowledge(&mut self, change: ChangeId, is_durable: bool) {
        self.end(change, true, is_durable);
    }

    /// A change failed and may have happened.
    pub(crate) fn doubt(&mut self, change: ChangeId) {
        self.end(change, false, false);
        let changes = &mut self.cells[change.place as usize].changes;
        changes.iter_mut().filter(|c| c.id == change.id).for_each(|c| c.is_doubtful = true);
    }

    /// A change has certainly not happened.
    pub(crate) fn forget(&mut self, change: ChangeId) {
        self.cells[change.place as usize].changes.retain(|c| c.id != change.id);
    }

    /// A flush that was submitted at `began` is acknowledged.
    pub(crate) fn flushed(&mut self, began: Tick) {
        for change in self.cells.iter_mut().flat_map(|cell| &mut cell.changes) {
            let is_covered = change.ended.is_some_and(|ended| ended < began);
            change.is_durable |= change.is_certain && is_covered;
            change.is_flushed |= change.is_doubtful && is_covered;
        }
    }

    /// A read that was submitted at `began` brought `value`; tells what is wrong with that.
    pub(crate) fn read(&mut self, place: u64, began: Tick, value: Value) -> Result<(), String> {
        if !self.may_read(place, began, value) {
            let allowed = self.describe(place, began);
            return Err(format!("cell {place} reads as {value:?}, allowed: {allowed}"));
        }
        // Only a value that no change in flight can have put there is settled by reading it.
        let cell = &self.cells[place as usize];
        if cell.changes.iter().any(|change| change.ended.is_none_or(|ended| ended > began)) {
            return Ok(());
        }
        // The value is as durable as every change that can have put it there.
        let put = |c: &&Change| c.put == Put::This(value) || c.put == Put::Anything;
        let is_durable = readable(cell, began).filter(put).all(|c| c.is_durable || c.is_flushed);
        let change = self.add(place, Put::This(value));
        self.acknowledge(change, is_durable);
        if let Some(seen) = self.cells[place as usize].changes.last_mut() {
            seen.is_seen = true;
        }
        Ok(())
    }

    /// True where a read that was submitted at `began` and ends now may bring `value`.
    pub(crate) fn may_read(&self, place: u64, began: Tick, value: Value) -> bool {
        let cell = &self.cells[place as usize];
        readable(cell, began).any(|change| match change.put {
            Put::This(put) => put == value,
            Put::Anything => cell.ever.contains(&value),
        })
    }

    /// True where such a read can bring nothing but `value`.
    pub(crate) fn must_read(&self, place: u64, began: Tick, value: Value) -> bool {
        readable(&self.cells[place as usize], began).all(|change| change.put == Put::This(value))
    }

    fn describe(&self, place: u64, began: Tick) -> String {
        let cell = &self.cells[place as usize];
        let values: Vec<_> =
            readable(cell, began).map(|change| format!("{:?}", change.put)).collect();
        values.join(" or ")
    }

    /// The hosts crashed: what was in flight has happened or never will.
    pub(crate) fn host_crashed(&mut self) {
        let now = self.now();
        for change in self.cells.iter_mut().flat_map(|cell| &mut cell.changes) {
            change.ended.get_or_insert(now);
        }
    }

    /// The power of the disk and the hosts went: of each cell, any change may be left that no
    /// durable one has overwritten.
    pub(crate) fn power_lost(&mut self) {
        self.host_crashed();
        self.cache_lost(&(0..self.cells()), 0);
    }

    /// The power of the disk went, and its users live on: what is in flight goes on. Tells when the
    /// first change of the cells `of` that may be lost was acknowledged, of those after `flushed`.
    pub(crate) fn cache_lost(&mut self, of: &Range<u64>, flushed: Tick) -> Option<Tick> {
        let now = self.now();
        let cells = &self.cells[of.start as usize..of.end as usize];
        let changes = cells.iter().flat_map(|cell| &cell.changes);
        let at_stake =
            changes.filter(|change| change.is_certain && !change.is_durable && !change.is_seen);
        let first = at_stake.filter_map(|change| change.ended).filter(|at| *at > flushed).min();
        self.cells.iter_mut().for_each(|cell| cell.lose_cache(now));
        first
    }
}

impl Cell {
    fn lose_cache(&mut self, now: Tick) {
        let all = std::mem::take(&mut self.changes);
        let is_gone = |old: &Change| all.iter().any(|d| d.is_durable && old.is_before(d));
        let left = all.iter().filter(|change| !is_gone(change)).copied();
        // Whichever is left is durable now; which one is not known before it is read. They are
        // alternatives: none of them overwrites another.
        let settle = |change: Change| match change.ended {
            Some(_) => Change {
                is_certain: false,
                is_durable: true,
                began: now,
                ended: Some(now),
                ..change
            },
            None => Change { spans_loss: true, ..change },
        };
        self.changes = left.map(settle).collect();
    }
}

/// The changes that a read may see which was submitted at `began` and ends now: those that no
/// acknowledged change has overwritten before the read began.
fn readable(cell: &Cell, began: Tick) -> impl Iterator<Item = &Change> {
    let overwrites = move |d: &Change| d.is_certain && d.ended.is_some_and(|ended| ended < began);
    cell.changes
        .iter()
        .filter(move |change| !cell.changes.iter().any(|d| overwrites(d) && change.is_before(d)))
}
