//! What workers, troubles and checkers share where a device is served over a network.
//!
//! Workers ([`worker`]) tell the model of `crash` what they ask for and hear; a witness ([`witness`])
//! at the disk sees what is executed; [`look`] judges what is there at the end.

use std::cell::{Cell, RefCell};
use std::ops::Range;

use byway_engine::sim::SimDisk;

use self::witness::Witness;
use crate::crash::model::{Model, Tick};

pub(crate) mod look;
pub(crate) mod witness;
pub(crate) mod worker;

/// Cells of the device: few, so that requests meet.
pub(crate) const CELLS: u64 = 48;

/// The disk behind the device lost its cache.
#[derive(Clone, Copy, Debug)]
struct Loss {
    tick: Tick,
    at_ns: u64,
    /// When the first write that it may have taken was acknowledged.
    first_lost: Tick,
}

/// The laboratory.
pub(crate) struct Lab {
    pub(crate) seed: u64,
    pub(crate) cell_len: u32,
    pub(crate) disk: SimDisk,
    pub(crate) witness: Witness,
    pub(crate) model: RefCell<Model>,
    pub(crate) failure: RefCell<Option<String>>,
    pub(crate) operations: Cell<u64>,
    /// Requests that failed, as they may.
    pub(crate) failed: Cell<u64>,
    /// The target is to stop in order and to start again.
    pub(crate) asks_to_stop: Cell<bool>,
    /// The clients that are here ask for nothing, and the server has nothing of what they asked.
    pub(crate) is_idle: Cell<bool>,
    pub(crate) server_is_idle: Cell<bool>,
    /// The clients are gone: the server is to end.
    pub(crate) is_over: Cell<bool>,
    /// The server has ended, and was looked at.
    pub(crate) server_ended: Cell<bool>,
    /// Cells of those whose flushes must not go well over a loss.
    pub(crate) vouched: Range<u64>,
    /// The channel of one who wrote none of these cells, so that its flushes vouch for nothing.
    pub(crate) guest: Option<usize>,
    versions: Cell<u64>,
    losses: RefCell<Vec<Loss>>,
    /// When the model was where, in nanoseconds and ticks.
    moments: RefCell<Vec<(u64, Tick)>>,
    /// When each channel heard of a loss.
    told: RefCell<Vec<(usize, Tick)>>,
}

impl Lab {
    pub(crate) fn new(seed: u64, disk: SimDisk, cell_len: u32, cells: u64) -> Lab {
        Lab {
            seed,
            cell_len,
            witness: Witness::new(disk.clone(), seed, cell_len),
            disk,
            model: RefCell::new(Model::new(cells)),
            failure: RefCell::default(),
            operations: Cell::new(0),
            failed: Cell::new(0),
            asks_to_stop: Cell::new(false),
            is_idle: Cell::new(false),
            server_is_idle: Cell::new(false),
            is_over: Cell::new(false),
            server_ended: Cell::new(false),
            vouched: 0..cells,
            guest: None,
            versions: Cell::new(0),
            losses: RefCell::default(),
            moments: RefCell::default(),
            told: RefCell::default(),
        }
    }

    pub(crate) fn fail(&self, reason: String) {
        self.failure.borrow_mut().get_or_insert(reason);
    }

    /// What is wrong, if anything.
    pub(crate) fn finding(&self) -> Option<String> {
        self.failure.borrow().clone().or_else(|| self.witness.finding())
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.finding().is_some()
    }

    /// A number for a write that no other has.
    pub(crate) fn version(&self) -> u64 {
        self.versions.set(self.versions.get() + 1);
        self.versions.get()
    }

    /// The host that has a channel.
    pub(crate) fn host(&self, channel: usize) -> usize {
        usize::from(self.guest == Some(channel))
    }

    /// Losses of the cache so far.
    pub(crate) fn losses(&self) -> usize {
        self.losses.borrow().len()
    }

    /// The disk loses its power at `at_ns` and gets it back.
    pub(crate) fn lose_cache(&self, at_ns: u64) {
        self.disk.power_loss();
        self.witness.forget_unstable(None);
        let mut model = self.model.borrow_mut();
        let flushed = self.witness.last_flush_ns().map_or(0, |ns| self.tick_at(ns));
        let first_lost = model.cache_lost(&self.vouched, flushed).unwrap_or(Tick::MAX);
        let loss = Loss { tick: model.now(), at_ns, first_lost };
        self.losses.borrow_mut().push(loss);
    }

    /// The model is at `tick` now, at `now_ns`.
    pub(crate) fn moment(&self, tick: Tick, now_ns: u64) {
        self.moments.borrow_mut().push((now_ns, tick));
    }

    /// The last known moment of the model before `ns`.
    fn tick_at(&self, ns: u64) -> Tick {
        let moments = self.moments.borrow();
        let later = moments.partition_point(|(at, _)| *at < ns);
        later.checked_sub(1).map_or(0, |last| moments[last].1)
    }

    /// A flush of a channel failed: what was written before is in doubt, as far as that is told.
    pub(crate) fn flush_failed(&self, channel: usize) {
        let now = self.model.borrow_mut().now();
        self.witness.forget_unstable(Some(self.host(channel)));
        self.told.borrow_mut().push((channel, now));
    }

    /// A flush that began then went well: nothing may have been lost that the channel was not told
    /// of before, unless the flush was done before the loss.
    pub(crate) fn flush_went_well(&self, channel: usize, began: Tick, began_ns: u64) {
        let told = self.told.borrow();
        let is_told = |loss: &Loss| {
            told.iter().any(|(to, at)| *to == channel && (loss.tick..began).contains(at))
        };
        let is_untold = |loss: &&Loss| {
            self.guest != Some(channel)
                && loss.first_lost < began
                && !is_told(loss)
                && !self.witness.flushed_between(began_ns, loss.at_ns)
        };
        if let Some(loss) = self.losses.borrow().iter().find(is_untold) {
            let at = loss.at_ns;
            self.fail(format!("a flush went well over a loss at {at} ns that was not told"));
        }
        self.model.borrow_mut().flushed(began);
    }
}
