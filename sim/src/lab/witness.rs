//! A device between target and disk that sees what is executed, and when.
//!
//! Invariants: cells say which request wrote them, so a copy of a write is recognised; a copy begins
//! only while its request is open, and only when no other copy of it is being executed.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use byway_engine::SetupError;
use byway_engine::block::{
    BlockDevice, Channel, Completions, DeviceEvent, DeviceInfo, Io, Op, TagTable, WaitSource,
};
use byway_engine::core::Core;
use byway_engine::sim::SimDisk;

use crate::crash::cell::{self, Value};

/// What is executed, and what must not be.
#[derive(Default)]
struct Log {
    /// Writes that were handed back to whoever asked for them.
    over: BTreeSet<u64>,
    /// Places of writes that the disk executes, and how many requests of a copy are there.
    executing: BTreeMap<(u64, u64), u32>,
    /// When flushes were done, in nanoseconds.
    flushed_ns: Vec<u64>,
    /// When the last of those flushes began that are done, in nanoseconds.
    last_flush_ns: Option<u64>,
    /// Writes that no flush has covered since the disk was done with them.
    unstable: BTreeMap<u64, Unstable>,
    finding: Option<String>,
}

/// A write that the disk has in its cache.
struct Unstable {
    /// When the disk was done with it, in nanoseconds.
    done_ns: u64,
    /// The host that was told that it went well.
    told: Option<usize>,
}

/// Sees what the target does to its disk.
#[derive(Clone)]
pub(crate) struct Witness {
    disk: SimDisk,
    seed: u64,
    cell_len: u32,
    log: Arc<Mutex<Log>>,
}

impl Witness {
    pub(crate) fn new(disk: SimDisk, seed: u64, cell_len: u32) -> Witness {
        Witness { disk, seed, cell_len, log: Arc::default() }
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The write was handed back: no copy of it may begin from now on, nor be in execution.
    pub(crate) fn over(&self, version: u64) {
        let mut log = self.log();
        log.over.insert(version);
        if log.executing.keys().any(|(executing, _)| *executing == version) {
            let words = format!("version {version} is handed back while it is executed");
            log.finding.get_or_insert(words);
        }
    }

    /// A host was told that a write without FUA went well.
    pub(crate) fn acknowledged(&self, version: u64, host: usize) {
        if let Some(write) = self.log().unstable.get_mut(&version) {
            write.told = Some(host);
        }
    }

    /// Writes that a host was told of, and that its next flush is to make stable.
    pub(crate) fn unstable_of(&self, host: usize) -> Vec<u64> {
        let log = self.log();
        let own = log.unstable.iter().filter(|(_, write)| write.told == Some(host));
        own.map(|(version, _)| *version).collect()
    }

    /// A flush went well that these writes came before: a flush of the disk has covered them.
    pub(crate) fn must_be_stable(&self, versions: &[u64]) {
        let mut log = self.log();
        if let Some(version) = versions.iter().find(|version| log.unstable.contains_key(version)) {
            let words = format!("a flush went well over version {version}, which is not stable");
            log.finding.get_or_insert(words);
        }
    }

    /// The writes are gone with the cache, or a host knows that they may be.
    pub(crate) fn forget_unstable(&self, of: Option<usize>) {
        self.log().unstable.retain(|_, write| of.is_some() && write.told != of);
    }

    /// The target is gone, and with it what it had in execution.
    pub(crate) fn target_gone(&self) {
        self.log().executing.clear();
    }

    /// What was seen that must not be.
    pub(crate) fn finding(&self) -> Option<String> {
        self.log().finding.clone()
    }

    /// True where the disk was done with a flush between two moments in nanoseconds.
    pub(crate) fn flushed_between(&self, first: u64, last: u64) -> bool {
        self.log().flushed_ns.iter().any(|at| (first..=last).contains(at))
    }

    /// When the last flush that is done began, in nanoseconds: what was acknowledged before is safe.
    pub(crate) fn last_flush_ns(&self) -> Option<u64> {
        self.log().last_flush_ns
    }

    /// The write that a request is a copy of, or a part of one; its version and first cell.
    fn write_of(&self, io: &Io) -> Option<(u64, u64)> {
        let from = match io.op {
            Op::Write => 0,
            Op::CompareAndWrite => io.len,
            _ => return None,
        };
        let cell_len = u64::from(self.cell_len);
        let (mut bytes, mut found) = (vec![0; self.cell_len as usize], None);
        for at in (0..io.len).step_by(self.cell_len as usize) {
            io.payload.copy_to(from + at, &mut bytes);
            let place = (io.offset + at) / cell_len;
            match cell::decode(&bytes, self.seed, place) {
                Ok(Value::Version(version)) => found = found.or(Some((version, place))),
                Ok(Value::Zero) => {}
                Err(words) => drop(self.log().finding.get_or_insert(words)),
            }
        }
        found
    }

    fn begins(&self, write: (u64, u64)) {
        let (version, mut log) = (write.0, self.log());
        if log.over.contains(&version) {
            let words = format!("a copy of version {version} begins after it was handed back");
            log.finding.get_or_insert(words);
        }
        if log.executing.insert(write, 1).is_some() {
            let words = format!("two copies of version {version} are executed at once");
            log.finding.get_or_insert(words);
        }
    }
}

impl BlockDevice for Witness {
    fn info(&self) -> DeviceInfo {
        self.disk.info()
    }

    fn open_channel(&self, core: &Rc<Core>) -> Result<Box<dyn Channel>, SetupError> {
        let inner = self.disk.open_channel(core)?;
        let pending = TagTable::new(self.info().depth_max);
        Ok(Box::new(Sight { inner, core: Rc::clone(core), witness: self.clone(), pending }))
    }
}

struct Pending {
    tag: u64,
    op: Op,
    began_ns: u64,
    fua: bool,
    write: Option<(u64, u64)>,
}

/// One channel.
struct Sight {
    inner: Box<dyn Channel>,
    core: Rc<Core>,
    witness: Witness,
    pending: TagTable<Pending>,
}

impl Channel for Sight {
    fn submit(&mut self, mut io: Io) -> Result<(), Io> {
        let (tag, op, fua, write) = (io.tag, io.op, io.fua, self.witness.write_of(&io));
        let began_ns = self.core.now();
        let Ok(own) = self.pending.insert(Pending { tag, op, began_ns, fua, write }) else {
            return Err(io);
        };
        io.tag = u64::from(own);
        let submitted = self.inner.submit(io).map_err(|io| {
            self.pending.remove(own);
            io.with_tag(tag)
        });
        if let (Ok(()), Some(write)) = (&submitted, write) {
            self.witness.begins(write);
        }
        submitted
    }

    fn flush_submissions(&mut self) {
        self.inner.flush_submissions();
    }

    fn poll(&mut self, done: &mut Completions) {
        let first = done.len();
        self.inner.poll(done);
        for completion in &mut done[first..] {
            let pending = self.pending.remove(completion.tag as u32);
            let pending = pending.expect("a request completes once");
            completion.tag = pending.tag;
            let mut log = self.witness.log();
            if let Some(write) = pending.write {
                log.executing.remove(&write);
                if completion.result.is_ok() && !pending.fua {
                    let unstable = Unstable { done_ns: self.core.now(), told: None };
                    log.unstable.insert(write.0, unstable);
                }
            }
            if pending.op == Op::Flush && completion.result.is_ok() {
                log.unstable.retain(|_, write| write.done_ns > pending.began_ns);
                log.flushed_ns.push(self.core.now());
                log.last_flush_ns = log.last_flush_ns.max(Some(pending.began_ns));
            }
        }
    }

    fn in_flight(&self) -> u32 {
        self.inner.in_flight()
    }

    fn wait_source(&self) -> WaitSource {
        self.inner.wait_source()
    }

    fn take_event(&mut self) -> Option<DeviceEvent> {
        self.inner.take_event()
    }
}
