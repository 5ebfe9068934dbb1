//! What tasks do to the LUN, and what they tell the model about it.
//!
//! Invariants: the model learns of a request before the device does, and of its end after it; a
//! worker has no two changes of one cell in flight, as a file system would.

use std::ops::Range;
use std::rc::Rc;

use byway_engine::api::Disk;
use byway_engine::block::{Io, Payload};
use byway_engine::core::Core;
use byway_engine::exec::Class;
use byway_engine::memory::Lease;
use byway_engine::sim::Rng;
use byway_engine::{ErrorKind, IoError};

use super::Lab;
use crate::crash::cell::{self, Value};
use crate::crash::model::ChangeId;

/// The most cells of one request.
const CELLS_PER_REQUEST_MAX: u64 = 8;
/// The most requests of a worker in flight.
const REQUESTS_MAX: u64 = 4;
/// The longest pause of a worker, in nanoseconds.
const THINK_NS_MAX: u64 = 60_000_000;

/// One task that works on the LUN until a moment.
pub(crate) struct Worker {
    pub(crate) core: Rc<Core>,
    pub(crate) desk: Rc<Desk>,
    /// The cells that it works on.
    pub(crate) cells: Range<u64>,
    pub(crate) rng: Rng,
}

/// A way to the LUN, with its checker.
pub(crate) struct Desk {
    pub(crate) core: Rc<Core>,
    pub(crate) disk: Disk,
    /// Its number among the ways of the host.
    pub(crate) channel: usize,
    pub(crate) lab: Rc<Lab>,
    /// How long a request may take, in nanoseconds.
    pub(crate) patience_ns: u64,
}

/// What to do.
#[derive(Clone, Debug)]
enum Errand {
    Write { places: Range<u64>, fua: bool },
    Read { places: Range<u64> },
    Flush,
    Zeroes { places: Range<u64>, fua: bool, unmap: bool },
    Discard { places: Range<u64> },
    Compare { place: u64, fua: bool },
}

impl Worker {
    /// Works until `until_ns`.
    pub(crate) async fn work(&mut self, until_ns: u64) {
        while self.core.now() < until_ns && !self.desk.lab.has_failed() {
            let errands = self.errands();
            let run = |errand| {
                let desk = Rc::clone(&self.desk);
                let errand = async move { desk.run(errand).await };
                self.core.spawn(Class::Foreground, "errand", errand)
            };
            let running: Vec<_> = errands.into_iter().map(run).collect();
            for errand in running {
                // A task that was lost is seen as one that never ends.
                let _joined = errand.await;
            }
            if self.rng.chance(600_000) {
                let think = self.rng.below(THINK_NS_MAX);
                self.core.sleep(think).await;
            }
        }
    }

    /// Some errands whose cells do not meet.
    fn errands(&mut self) -> Vec<Errand> {
        let mut taken: Vec<Range<u64>> = Vec::new();
        let count = self.rng.within(1..REQUESTS_MAX + 1);
        let mut errands = Vec::new();
        for _ in 0..count {
            let places = self.places();
            if taken.iter().any(|other| other.start < places.end && places.start < other.end) {
                continue;
            }
            taken.push(places.clone());
            errands.push(self.errand(places));
        }
        errands
    }

    fn errand(&mut self, places: Range<u64>) -> Errand {
        let fua = self.rng.chance(250_000);
        match self.rng.below(100) {
            0..42 => Errand::Write { places, fua },
            42..70 => Errand::Read { places },
            70..80 => Errand::Flush,
            80..85 => Errand::Zeroes { places, fua, unmap: self.rng.chance(500_000) },
            85..90 => Errand::Discard { places },
            _ if self.desk.compares() => Errand::Compare { place: places.start, fua },
            _ => Errand::Write { places, fua },
        }
    }

    fn places(&mut self) -> Range<u64> {
        let start = self.rng.within(self.cells.clone());
        let len = self.rng.within(1..CELLS_PER_REQUEST_MAX + 1);
        start..self.cells.end.min(start + len)
    }
}

impl Desk {
    async fn run(&self, errand: Errand) {
        let (began_ns, words) = (self.core.now(), format!("{errand:?}"));
        match errand {
            Errand::Write { places, fua } => self.write(places, fua).await,
            Errand::Read { places } => drop(self.read(places).await),
            Errand::Flush => drop(self.flush().await),
            Errand::Zeroes { places, fua, unmap } => self.zeroes(places, fua, unmap).await,
            Errand::Discard { places } => self.discard(places).await,
            Errand::Compare { place, fua } => self.compare_and_write(place, fua).await,
        }
        self.lab.operations.set(self.lab.operations.get() + 1);
        let took = self.core.now() - began_ns;
        if took > self.patience_ns {
            self.lab.fail(format!("{words} took {took} ns"));
        }
    }

    fn compares(&self) -> bool {
        self.disk.info().can.compare_and_write
    }

    fn offset(&self, place: u64) -> u64 {
        place * u64::from(self.lab.cell_len)
    }

    fn len(&self, places: &Range<u64>) -> u64 {
        (places.end - places.start) * u64::from(self.lab.cell_len)
    }

    fn lease(&self, len: u64) -> Option<Lease> {
        let lease = self.core.lease(len as u32);
        if lease.is_none() {
            self.lab.fail("the arena is used up: memory of requests was not given back".into());
        }
        lease
    }

    /// A failure is counted; one without a cause in what goes wrong here is a finding.
    fn failed(&self, error: &IoError) {
        self.lab.failed.set(self.lab.failed.get() + 1);
        let is_expected = matches!(
            error.kind,
            ErrorKind::Aborted { .. } | ErrorKind::Transient | ErrorKind::PathLost
        );
        if !is_expected {
            self.lab.fail(format!("a request failed without a cause: {error}"));
        }
    }

    /// Ends changes as a result says: only `Aborted` may have written.
    fn settle(&self, changes: &[ChangeId], result: Result<(), Box<IoError>>, fua: bool) {
        let mut model = self.lab.model.borrow_mut();
        match result {
            Ok(()) => changes.iter().for_each(|change| model.acknowledge(*change, fua)),
            Err(error) => {
                let is_doubtful = error.kind == ErrorKind::Aborted { maybe_written: true };
                let end = |change: &ChangeId| match is_doubtful {
                    true => model.doubt(*change),
                    false => model.forget(*change),
                };
                changes.iter().for_each(end);
                self.failed(&error);
            }
        }
        self.lab.moment(model.now(), self.core.now());
    }

    fn begin(&self, places: &Range<u64>, value: Value) -> Vec<ChangeId> {
        let mut model = self.lab.model.borrow_mut();
        places.clone().map(|place| model.begin(place, value)).collect()
    }

    async fn write(&self, places: Range<u64>, fua: bool) {
        let Some(mut lease) = self.lease(self.len(&places)) else { return };
        let version = self.lab.version();
        let cells = lease.chunks_mut(self.lab.cell_len as usize);
        for (place, bytes) in places.clone().zip(cells) {
            cell::encode(bytes, self.lab.seed, place, version);
        }
        let changes = self.begin(&places, Value::Version(version));
        let io = Io { fua, ..Io::write(self.offset(places.start), lease) };
        let result = self.disk.submit(io).await.result;
        self.lab.witness.over(version);
        if result.is_ok() && !fua {
            self.lab.witness.acknowledged(version, self.lab.host(self.channel));
        }
        self.settle(&changes, result.map(drop), fua);
    }

    /// Reads and judges; false where the device failed.
    pub(crate) async fn read(&self, places: Range<u64>) -> bool {
        let Some(lease) = self.lease(self.len(&places)) else { return false };
        let (began, losses) = (self.lab.model.borrow_mut().now(), self.lab.losses());
        let (result, lease) = self.disk.read(self.offset(places.start), lease).await;
        if let Err(error) = result {
            self.failed(&error);
            return false;
        }
        for (place, bytes) in places.zip(lease.chunks(self.lab.cell_len as usize)) {
            let value = cell::decode(bytes, self.lab.seed, place);
            // What was read before a loss says nothing of what is there after it.
            let read = |value| match self.lab.losses() == losses {
                true => self.lab.model.borrow_mut().read(place, began, value),
                false => Ok(()),
            };
            if let Err(reason) = value.and_then(read) {
                self.lab.fail(reason);
            }
        }
        true
    }

    /// Flushes and judges; false where the device failed.
    pub(crate) async fn flush(&self) -> bool {
        let (began, began_ns) = (self.lab.model.borrow_mut().now(), self.core.now());
        let earlier = self.lab.witness.unstable_of(self.lab.host(self.channel));
        match self.disk.flush().await {
            Ok(()) => {
                self.lab.witness.must_be_stable(&earlier);
                self.lab.flush_went_well(self.channel, began, began_ns);
                true
            }
            Err(error) => {
                self.lab.flush_failed(self.channel);
                self.failed(&error);
                false
            }
        }
    }

    async fn zeroes(&self, places: Range<u64>, fua: bool, unmap: bool) {
        let changes = self.begin(&places, Value::Zero);
        let io = Io::write_zeroes(self.offset(places.start), self.len(&places), unmap);
        let result = self.disk.submit(Io { fua, ..io }).await.result;
        self.settle(&changes, result.map(drop), fua);
    }

    async fn discard(&self, places: Range<u64>) {
        let begin = |place| self.lab.model.borrow_mut().begin_discard(place);
        let changes: Vec<_> = places.clone().map(begin).collect();
        let result = self.disk.discard(self.offset(places.start), self.len(&places)).await;
        self.settle(&changes, result, false);
    }

    /// Replaces what a cell holds, if it still holds it.
    async fn compare_and_write(&self, place: u64, fua: bool) {
        let cell_len = self.lab.cell_len as usize;
        let (Some(seen), Some(mut words)) =
            (self.lease(cell_len as u64), self.lease(2 * cell_len as u64))
        else {
            return;
        };
        let (result, seen) = self.disk.read(self.offset(place), seen).await;
        if let Err(error) = result {
            return self.failed(&error);
        }
        let (expected, new) = words.split_at_mut(cell_len);
        expected.copy_from_slice(&seen);
        let version = self.lab.version();
        cell::encode(new, self.lab.seed, place, version);
        let expected = match cell::decode(&seen, self.lab.seed, place) {
            Ok(value) => value,
            Err(reason) => return self.lab.fail(reason),
        };
        let (began, losses) = (self.lab.model.borrow_mut().now(), self.lab.losses());
        let change = self.lab.model.borrow_mut().begin(place, Value::Version(version));
        let io = Io::compare_and_write(self.offset(place), Payload::from(words));
        let result = self.disk.submit(Io { fua, ..io }).await.result.map(drop);
        self.lab.witness.over(version);
        if losses == self.lab.losses() {
            self.judge_compare(place, began, expected, change, &result);
        }
        match result {
            Err(error) if matches!(error.kind, ErrorKind::Miscompare { .. }) => {
                self.lab.model.borrow_mut().forget(change);
            }
            result => self.settle(&[change], result, fua),
        }
    }

    /// Judges the end of a compare-and-write by what the cell may have held meanwhile.
    fn judge_compare(
        &self,
        place: u64,
        began: u64,
        expected: Value,
        change: ChangeId,
        result: &Result<(), Box<IoError>>,
    ) {
        let mut model = self.lab.model.borrow_mut();
        let wrong = match result {
            Ok(()) => !model.may_read(place, began, expected),
            Err(error) if matches!(error.kind, ErrorKind::Miscompare { .. }) => {
                model.forget(change);
                model.must_read(place, began, expected)
            }
            Err(_) => false,
        };
        drop(model);
        if wrong {
            self.lab.fail(format!("compare-and-write of cell {place} misjudged {expected:?}"));
        }
    }
}
