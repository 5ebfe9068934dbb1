//! Counts what a device does and how long it takes, by operation.
//!
//! Invariants: a channel writes into a book of its own, locked once per poll that brought
//! something; a reader exchanges the book for an empty one, so it holds the lock for a few
//! instructions and never makes a core wait for a merge.

use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hdrhistogram::Histogram;

use super::super::{
    BlockDevice, Channel, Completions, DeviceEvent, DeviceInfo, Io, IoResult, Op, TagTable,
    WaitSource,
};
use crate::core::Core;
use crate::error::SetupError;

/// Latencies above this count as this, in nanoseconds: one minute.
const LATENCY_NS_MAX: u64 = 60_000_000_000;
/// Three decimal digits of each latency are kept.
const LATENCY_DIGITS: u8 = 3;
/// How many operations there are.
const OPS: usize = Op::ReservationIn as usize + 1;

/// What happened with one operation.
#[derive(Clone, Debug)]
pub struct OpStats {
    /// Requests that succeeded.
    pub ios: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// Requests that failed.
    pub errors: u64,
    /// Nanoseconds from submit to poll, of both.
    pub latency_ns: Histogram<u64>,
}

impl OpStats {
    fn new() -> Self {
        let latency_ns = Histogram::new_with_bounds(1, LATENCY_NS_MAX, LATENCY_DIGITS)
            .expect("constant bounds are legal");
        OpStats { ios: 0, bytes: 0, errors: 0, latency_ns }
    }

    fn record(&mut self, len: u64, latency_ns: u64, result: &IoResult) {
        self.latency_ns.saturating_record(latency_ns);
        if result.is_ok() {
            self.ios += 1;
            self.bytes += len;
        } else {
            self.errors += 1;
        }
    }

    fn add(&mut self, other: &OpStats) {
        self.ios += other.ios;
        self.bytes += other.bytes;
        self.errors += other.errors;
        self.latency_ns.add(&other.latency_ns).expect("histograms of one shape");
    }
}

/// What happened since the device was wrapped, by operation.
#[derive(Clone, Debug, Default)]
pub struct StatsSnapshot {
    ops: [Option<Box<OpStats>>; OPS],
}

impl StatsSnapshot {
    /// What happened with `op`; `None` where it was never used.
    pub fn get(&self, op: Op) -> Option<&OpStats> {
        self.ops[op as usize].as_deref().filter(|stats| stats.ios + stats.errors > 0)
    }

    fn entry(&mut self, op: usize) -> &mut OpStats {
        self.ops[op].get_or_insert_with(|| Box::new(OpStats::new()))
    }

    fn add(&mut self, other: &StatsSnapshot) {
        for (op, stats) in other.ops.iter().enumerate() {
            if let Some(stats) = stats {
                self.entry(op).add(stats);
            }
        }
    }

    /// Empty entries for the operations that are in use, so that a core need not allocate them.
    fn emptied(&self) -> StatsSnapshot {
        let empty = |stats: &Option<Box<OpStats>>| stats.as_ref().map(|_| Box::new(OpStats::new()));
        StatsSnapshot { ops: std::array::from_fn(|op| empty(&self.ops[op])) }
    }
}

/// The book of one channel.
type Book = Mutex<Box<StatsSnapshot>>;

#[derive(Default)]
struct Ledger {
    /// What was taken out of the books so far.
    total: StatsSnapshot,
    books: Vec<Arc<Book>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads the counts of a [`Stats`] device, from any thread.
#[derive(Clone)]
pub struct StatsHandle(Arc<Mutex<Ledger>>);

impl StatsHandle {
    /// The counts of all channels since the device was wrapped.
    pub fn snapshot(&self) -> StatsSnapshot {
        let mut ledger = lock(&self.0);
        let Ledger { total, books } = &mut *ledger;
        for book in &*books {
            let mut taken = Box::new(total.emptied());
            std::mem::swap(&mut *lock(book), &mut taken);
            total.add(&taken);
        }
        // The book of a closed channel is empty now and will stay so.
        books.retain(|book| Arc::strong_count(book) > 1);
        total.clone()
    }
}

/// A device that counts.
pub struct Stats {
    inner: Arc<dyn BlockDevice>,
    handle: StatsHandle,
}

impl Stats {
    /// Counts what is done to `inner`.
    pub fn new(inner: Arc<dyn BlockDevice>) -> Stats {
        Stats { inner, handle: StatsHandle(Arc::default()) }
    }

    /// The way to read the counts.
    pub fn handle(&self) -> StatsHandle {
        self.handle.clone()
    }
}

impl BlockDevice for Stats {
    fn info(&self) -> DeviceInfo {
        self.inner.info()
    }

    fn open_channel(&self, core: &Rc<Core>) -> Result<Box<dyn Channel>, SetupError> {
        let inner = self.inner.open_channel(core)?;
        let mut first = Box::<StatsSnapshot>::default();
        for op in [Op::Read, Op::Write, Op::Flush] {
            first.entry(op as usize);
        }
        let book = Arc::new(Mutex::new(first));
        lock(&self.handle.0).books.push(Arc::clone(&book));
        let pending = TagTable::new(self.info().depth_max);
        Ok(Box::new(StatsChannel { inner, core: Rc::clone(core), book, pending }))
    }

    fn memory_len(&self) -> usize {
        self.inner.memory_len()
    }

    fn zeroes_fast(&self) -> bool {
        self.inner.zeroes_fast()
    }

    fn rescan(&self) -> Result<(), SetupError> {
        self.inner.rescan()
    }
}

struct Pending {
    tag: u64,
    began_ns: u64,
    len: u64,
    op: Op,
}

struct StatsChannel {
    inner: Box<dyn Channel>,
    core: Rc<Core>,
    book: Arc<Book>,
    pending: TagTable<Pending>,
}

impl Channel for StatsChannel {
    fn submit(&mut self, mut io: Io) -> Result<(), Io> {
        let pending = Pending { tag: io.tag, began_ns: self.core.now(), len: io.len, op: io.op };
        let tag = io.tag;
        let Ok(own) = self.pending.insert(pending) else { return Err(io) };
        io.tag = u64::from(own);
        self.inner.submit(io).map_err(|io| {
            self.pending.remove(own);
            io.with_tag(tag)
        })
    }

    fn flush_submissions(&mut self) {
        self.inner.flush_submissions();
    }

    fn poll(&mut self, done: &mut Completions) {
        let start = done.len();
        self.inner.poll(done);
        let fresh = &mut done[start..];
        if fresh.is_empty() {
            return;
        }
        let now_ns = self.core.now();
        let mut book = lock(&self.book);
        for completion in fresh {
            let request = self.pending.remove(completion.tag as u32).expect("a tag of ours");
            completion.tag = request.tag;
            let latency_ns = now_ns - request.began_ns;
            let stats = book.entry(request.op as usize);
            stats.record(request.len, latency_ns, &completion.result);
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
