//! Remembers the last completions of a device, and a hash of all of them.
//!
//! Invariants: events are in the order in which `poll` gave them back; the hash covers every event
//! ever, in that order, so two runs with one hash did the same.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::{
    BlockDevice, Channel, Completions, DeviceEvent, DeviceInfo, Io, Op, TagTable, WaitSource,
};
use crate::core::Core;
use crate::error::SetupError;

/// One completed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceEvent {
    /// When it completed, in nanoseconds of its core's clock.
    pub time_ns: u64,
    /// Nanoseconds from submit to poll.
    pub latency_ns: u64,
    /// Which channel of the device, in the order of opening.
    pub channel: u32,
    /// What was done.
    pub op: Op,
    /// First byte on the device.
    pub offset: u64,
    /// Length in bytes.
    pub len: u64,
    /// What went wrong, if anything.
    pub error: Option<String>,
}

impl TraceEvent {
    /// Writes the event as one line of JSON.
    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        let TraceEvent { time_ns, latency_ns, channel, op, offset, len, .. } = self;
        write!(out, r#"{{"time_ns":{time_ns},"latency_ns":{latency_ns},"channel":{channel},"#)?;
        write!(out, r#""op":"{op}","offset":{offset},"len":{len},"result":"#)?;
        write_string(out, self.error.as_deref().unwrap_or("ok"))?;
        out.write_all(b"}\n")
    }

    fn mix_into(&self, hash: u64) -> u64 {
        let numbers = [
            self.time_ns,
            self.latency_ns,
            u64::from(self.channel),
            self.op as u64,
            self.offset,
            self.len,
        ];
        let hash = numbers.into_iter().fold(hash, mix);
        let text = self.error.as_deref().unwrap_or_default().bytes();
        text.fold(hash, |hash, byte| mix(hash, u64::from(byte)))
    }
}

/// One step of an order-sensitive hash, after FxHash with a final fold of the high bits.
fn mix(hash: u64, word: u64) -> u64 {
    let mixed = (hash.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^ (mixed >> 32)
}

/// Writes a JSON string (RFC 8259, section 7).
fn write_string(out: &mut dyn Write, text: &str) -> io::Result<()> {
    out.write_all(b"\"")?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(out, "\\{c}")?,
            '\0'..='\x1f' => write!(out, "\\u{:04x}", u32::from(c))?,
            _ => write!(out, "{c}")?,
        }
    }
    out.write_all(b"\"")
}

struct Log {
    events: VecDeque<TraceEvent>,
    limit: usize,
    count: u64,
    hash: u64,
    channels: u32,
}

impl Log {
    fn push(&mut self, event: TraceEvent) {
        self.hash = event.mix_into(self.hash);
        self.count += 1;
        if self.events.len() == self.limit {
            self.events.pop_front();
        }
        if self.limit > 0 {
            self.events.push_back(event);
        }
    }
}

/// Reads what a [`Trace`] device remembers, from any thread.
#[derive(Clone)]
pub struct TraceHandle(Arc<Mutex<Log>>);

impl TraceHandle {
    /// The last events, oldest first.
    pub fn events(&self) -> Vec<TraceEvent> {
        self.lock().events.iter().cloned().collect()
    }

    /// How many events there were ever.
    pub fn count(&self) -> u64 {
        self.lock().count
    }

    /// A hash of all events ever, in their order.
    pub fn hash(&self) -> u64 {
        self.lock().hash
    }

    /// Writes the last events as JSON lines, oldest first.
    pub fn write_json_lines(&self, out: &mut dyn Write) -> io::Result<()> {
        self.events().iter().try_for_each(|event| event.write_json(out))
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A device that remembers what was done to it.
pub struct Trace {
    inner: Arc<dyn BlockDevice>,
    handle: TraceHandle,
}

impl Trace {
    /// Remembers the last `limit` completions of `inner`; the memory for them is taken now.
    pub fn new(inner: Arc<dyn BlockDevice>, limit: usize) -> Trace {
        let events = VecDeque::with_capacity(limit);
        let log = Log { events, limit, count: 0, hash: 0, channels: 0 };
        Trace { inner, handle: TraceHandle(Arc::new(Mutex::new(log))) }
    }

    /// The way to read what is remembered.
    pub fn handle(&self) -> TraceHandle {
        self.handle.clone()
    }
}

impl BlockDevice for Trace {
    fn info(&self) -> DeviceInfo {
        self.inner.info()
    }

    fn open_channel(&self, core: &Rc<Core>) -> Result<Box<dyn Channel>, SetupError> {
        let inner = self.inner.open_channel(core)?;
        let (log, core) = (self.handle.clone(), Rc::clone(core));
        let number = log.lock().channels;
        log.lock().channels += 1;
        let pending = TagTable::new(self.info().depth_max);
        Ok(Box::new(TraceChannel { inner, core, log, number, pending }))
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
    offset: u64,
    len: u64,
    op: Op,
}

struct TraceChannel {
    inner: Box<dyn Channel>,
    core: Rc<Core>,
    log: TraceHandle,
    number: u32,
    pending: TagTable<Pending>,
}

impl Channel for TraceChannel {
    fn submit(&mut self, mut io: Io) -> Result<(), Io> {
        let Io { tag, offset, len, op, .. } = io;
        let pending = Pending { tag, began_ns: self.core.now(), offset, len, op };
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
        let time_ns = self.core.now();
        let mut log = self.log.lock();
        for completion in fresh {
            let request = self.pending.remove(completion.tag as u32).expect("a tag of ours");
            completion.tag = request.tag;
            let Pending { began_ns, offset, len, op, .. } = request;
            let error = completion.result.as_ref().err().map(ToString::to_string);
            let (latency_ns, channel) = (time_ns - began_ns, self.number);
            log.push(TraceEvent { time_ns, latency_ns, channel, op, offset, len, error });
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
