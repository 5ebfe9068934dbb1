//! What tasks do to the disk, and what they tell the model about it.
//!
//! Invariant: the model learns of a request before the disk does, and of its end after the disk
//! has told it; so what the model calls "before" was so for the disk.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::Rc;

use byway_engine::api::Disk;
use byway_engine::block::{ExtentKind, Io, Payload};
use byway_engine::core::Core;
use byway_engine::memory::Lease;
use byway_engine::sim::Rng;
use byway_engine::{ErrorKind, IoError};

use super::cell::{self, Value};
use super::model::{ChangeId, Model};

/// The most cells of one request.
const CELLS_PER_REQUEST_MAX: u64 = 8;
/// The longest pause between two requests of a task, in nanoseconds.
const THINK_NS_MAX: u64 = 50_000;

/// What the tasks of a run and its checker share.
pub(super) struct Lab {
    pub(super) seed: u64,
    pub(super) cell_len: u32,
    pub(super) model: RefCell<Model>,
    pub(super) failure: RefCell<Option<String>>,
    /// The power went since the host was started: errors are expected.
    pub(super) is_unpowered: Cell<bool>,
    pub(super) operations: Cell<u64>,
    versions: Cell<u64>,
}

impl Lab {
    pub(super) fn new(seed: u64, cell_len: u32, cells: u64) -> Lab {
        Lab {
            seed,
            cell_len,
            model: RefCell::new(Model::new(cells)),
            failure: RefCell::default(),
            is_unpowered: Cell::new(false),
            operations: Cell::new(0),
            versions: Cell::new(0),
        }
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failure.borrow().is_some()
    }

    pub(super) fn fail(&self, reason: String) {
        self.failure.borrow_mut().get_or_insert(reason);
    }
}

/// The task must end: something failed that should not have, or the power is gone.
pub(super) struct Over;

type Step = Result<(), Over>;

/// One task that works on the disk.
pub(super) struct Worker {
    pub(super) core: Rc<Core>,
    pub(super) disk: Disk,
    pub(super) lab: Rc<Lab>,
    pub(super) rng: Rng,
}

impl Worker {
    /// Reads every cell, so that the model knows what the last disaster left.
    pub(super) async fn recover(&mut self) -> Step {
        let cells = self.lab.model.borrow().cells();
        let mut at = 0;
        while at < cells {
            let end = cells.min(at + CELLS_PER_REQUEST_MAX);
            self.read(at..end).await?;
            at = end;
        }
        Ok(())
    }

    /// Works until the disk or the host is gone.
    pub(super) async fn work(mut self) {
        while self.one().await.is_ok() {
            self.lab.operations.set(self.lab.operations.get() + 1);
            if self.rng.chance(300_000) {
                let think = self.rng.below(THINK_NS_MAX);
                self.core.sleep(think).await;
            }
        }
    }

    async fn one(&mut self) -> Step {
        let places = self.places();
        let fua = self.rng.chance(250_000);
        match self.rng.below(100) {
            0..40 => self.write(places, fua).await,
            40..68 => self.read(places).await,
            68..82 => self.flush().await,
            82..87 => self.zeroes(places, fua).await,
            87..91 => self.discard(places).await,
            91..96 => self.compare_and_write(places.start, fua).await,
            _ => self.block_status(places).await,
        }
    }

    fn places(&mut self) -> Range<u64> {
        let cells = self.lab.model.borrow().cells();
        let start = self.rng.below(cells);
        let len = self.rng.within(1..CELLS_PER_REQUEST_MAX + 1);
        start..cells.min(start + len)
    }

    fn offset(&self, place: u64) -> u64 {
        place * u64::from(self.lab.cell_len)
    }

    fn len(&self, places: &Range<u64>) -> u64 {
        (places.end - places.start) * u64::from(self.lab.cell_len)
    }

    fn lease(&self, len: u64) -> Result<Lease, Over> {
        self.core.lease(len as u32).ok_or_else(|| {
            self.lab.fail("the arena is used up: memory of requests was not given back".into());
            Over
        })
    }

    fn version(&self) -> u64 {
        self.lab.versions.set(self.lab.versions.get() + 1);
        self.lab.versions.get()
    }

    /// An error: expected once the power is gone, a finding before.
    fn failed(&self, error: &IoError) -> Over {
        if !self.lab.is_unpowered.get() {
            self.lab.fail(format!("a request failed without a cause: {error}"));
        }
        Over
    }

    /// Ends changes as a result says.
    fn settle(&self, changes: &[ChangeId], result: Result<(), Box<IoError>>, fua: bool) -> Step {
        let mut model = self.lab.model.borrow_mut();
        match result {
            Ok(()) => changes.iter().for_each(|change| model.acknowledge(*change, fua)),
            Err(error) => {
                changes.iter().for_each(|change| model.doubt(*change));
                return Err(self.failed(&error));
            }
        }
        Ok(())
    }

    fn begin(&self, places: &Range<u64>, value: Value) -> Vec<ChangeId> {
        let mut model = self.lab.model.borrow_mut();
        places.clone().map(|place| model.begin(place, value)).collect()
    }

    async fn write(&mut self, places: Range<u64>, fua: bool) -> Step {
        let mut lease = self.lease(self.len(&places))?;
        let version = self.version();
        let cells = lease.chunks_mut(self.lab.cell_len as usize);
        for (place, bytes) in places.clone().zip(cells) {
            cell::encode(bytes, self.lab.seed, place, version);
        }
        let changes = self.begin(&places, Value::Version(version));
        let io = Io { fua, ..Io::write(self.offset(places.start), lease) };
        let result = self.disk.submit(io).await.result;
        self.settle(&changes, result.map(drop), fua)
    }

    async fn read(&mut self, places: Range<u64>) -> Step {
        let lease = self.lease(self.len(&places))?;
        let began = self.lab.model.borrow_mut().now();
        let (result, lease) = self.disk.read(self.offset(places.start), lease).await;
        result.map_err(|error| self.failed(&error))?;
        for (place, bytes) in places.zip(lease.chunks(self.lab.cell_len as usize)) {
            let value = cell::decode(bytes, self.lab.seed, place);
            let read = |value| self.lab.model.borrow_mut().read(place, began, value);
            if let Err(reason) = value.and_then(read) {
                self.lab.fail(reason);
                return Err(Over);
            }
        }
        Ok(())
    }

    async fn flush(&mut self) -> Step {
        let began = self.lab.model.borrow_mut().now();
        self.disk.flush().await.map_err(|error| self.failed(&error))?;
        self.lab.model.borrow_mut().flushed(began);
        Ok(())
    }

    async fn zeroes(&mut self, places: Range<u64>, fua: bool) -> Step {
        let unmap = self.rng.chance(500_000);
        let changes = self.begin(&places, Value::Zero);
        let io = Io::write_zeroes(self.offset(places.start), self.len(&places), unmap);
        let result = self.disk.submit(Io { fua, ..io }).await.result;
        self.settle(&changes, result.map(drop), fua)
    }

    async fn discard(&mut self, places: Range<u64>) -> Step {
        let begin = |place| self.lab.model.borrow_mut().begin_discard(place);
        let changes: Vec<_> = places.clone().map(begin).collect();
        let result = self.disk.discard(self.offset(places.start), self.len(&places)).await;
        self.settle(&changes, result, false)
    }

    /// Replaces what a cell holds, if it still holds it.
    async fn compare_and_write(&mut self, place: u64, fua: bool) -> Step {
        let cell_len = self.lab.cell_len as usize;
        let seen = self.lease(cell_len as u64)?;
        let (result, seen) = self.disk.read(self.offset(place), seen).await;
        result.map_err(|error| self.failed(&error))?;
        let mut words = self.lease(2 * cell_len as u64)?;
        let (expected, new) = words.split_at_mut(cell_len);
        expected.copy_from_slice(&seen);
        let version = self.version();
        cell::encode(new, self.lab.seed, place, version);
        let value = cell::decode(&seen, self.lab.seed, place);
        let began = self.lab.model.borrow_mut().now();
        let change = self.lab.model.borrow_mut().begin(place, Value::Version(version));
        let io = Io::compare_and_write(self.offset(place), Payload::from(words));
        let result = self.disk.submit(Io { fua, ..io }).await.result.map(drop);
        let value = value.map_err(|reason| {
            self.lab.fail(reason);
            Over
        })?;
        self.compared(place, began, value, change, result, fua)
    }

    /// Judges the end of a compare-and-write by what the cell may have held meanwhile.
    fn compared(
        &self,
        place: u64,
        began: u64,
        expected: Value,
        change: ChangeId,
        result: Result<(), Box<IoError>>,
        fua: bool,
    ) -> Step {
        let mut model = self.lab.model.borrow_mut();
        let is_miscompare =
            matches!(&result, Err(error) if matches!(error.kind, ErrorKind::Miscompare { .. }));
        if is_miscompare {
            model.forget(change);
        }
        let wrong = match &result {
            Ok(()) => !model.may_read(place, began, expected),
            Err(_) => is_miscompare && model.must_read(place, began, expected),
        };
        drop(model);
        if wrong {
            self.lab.fail(format!("compare-and-write of cell {place} misjudged {expected:?}"));
            return Err(Over);
        }
        if is_miscompare { Ok(()) } else { self.settle(&[change], result, fua) }
    }

    /// What is no data must be allowed to read as zeroes.
    async fn block_status(&mut self, places: Range<u64>) -> Step {
        let began = self.lab.model.borrow_mut().now();
        let (offset, len) = (self.offset(places.start), self.len(&places));
        let extents = self.disk.block_status(offset, len).await;
        let extents = extents.map_err(|error| self.failed(&error))?;
        let is_empty = |place: u64| {
            let cell_end = self.offset(place + 1);
            extents.iter().any(|extent| {
                let is_inside =
                    extent.offset <= self.offset(place) && cell_end <= extent.offset + extent.len;
                is_inside && extent.kind != ExtentKind::Data
            })
        };
        for place in places {
            if is_empty(place) && !self.lab.model.borrow().may_read(place, began, Value::Zero) {
                self.lab.fail(format!("cell {place} is called empty and holds data"));
                return Err(Over);
            }
        }
        Ok(())
    }
}
