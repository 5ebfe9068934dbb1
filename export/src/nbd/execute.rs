//! Requests on their way to the device and back.
//!
//! Invariants: a request of a client goes to the device in pieces that the device takes; it is answered
//! once, when the last piece is back, with the first error if there was any.

use byway_engine::block::{Io, IoResult, Op, Outcome, Payload};
use byway_proto::nbd::errno::NbdErrno;

use super::connection::{Connection, Inner, Life};
use super::errno::errno_of;
use super::export::Right;
use super::outgoing::EXTENTS_MAX;
use super::right::Refused;
use super::slot::{Fault, Slot, Stage, Work};

/// Bytes that one request to the device discards or zeroes at most.
const STEP_MAX: u64 = 1 << 30;
/// All bytes of a trim are done, and the flush after it is under way.
const FLUSHING: u64 = u64::MAX;

impl Connection {
    /// A request whose data are all there.
    #[inline]
    pub(crate) fn start(&self, inner: &mut Inner, at: u16) {
        let slot = &mut inner.slots[at];
        if slot.work.changes() && self.export.right.get() != Right::Held {
            slot.stage = Stage::Held;
            inner.at_device += 1;
            return self.export.wait_for_right(self.index, at);
        }
        self.submit(inner, at);
    }

    /// The right to write is there, or it is not.
    pub(crate) fn right_answered(&self, at: u16, asked: &Result<(), Refused>) {
        let mut inner = self.inner.borrow_mut();
        inner.at_device -= 1;
        match asked {
            Ok(()) => self.submit(&mut inner, at),
            Err(refused) => {
                let text = refused.to_string();
                let fault = Fault { errno: NbdErrno::Eperm, text };
                inner.slots[at].fault = Some(Box::new(fault));
                let now = self.node.core.now();
                self.finish(&mut inner, at, now);
            }
        }
        drop(inner);
        self.touch();
        self.node.changed.changed();
    }

    #[inline]
    fn submit(&self, inner: &mut Inner, at: u16) {
        if self.node.plan.mutation.is_some() {
            self.answer_early(inner, at);
        }
        let slot = &mut inner.slots[at];
        slot.stage = Stage::Working;
        match slot.work {
            Work::Read => self.submit_chunks(slot, at, Op::Read, false),
            Work::Write { fua } => {
                self.export.change_begins();
                self.submit_chunks(slot, at, Op::Write, fua);
            }
            Work::Flush => {
                slot.covers = self.export.changes();
                self.submit_one(slot, Io::flush().with_tag(self.tag(at, 0)));
            }
            work => {
                if work.changes() {
                    self.export.change_begins();
                }
                self.submit_step(slot, at);
            }
        }
        inner.at_device += inner.slots[at].ios;
    }

    #[inline]
    fn submit_chunks(&self, slot: &mut Slot, at: u16, op: Op, fua: bool) {
        let chunks = slot.buffer.chunks();
        slot.ios = chunks as u32;
        for chunk in 0..chunks {
            let (start, _) = slot.buffer.chunk_range(chunk);
            let offset = slot.offset + u64::from(start);
            let payload = slot.buffer.lend(chunk);
            let io = if op == Op::Read {
                Io::read(offset, payload)
            } else {
                Io { fua, ..Io::write(offset, payload) }
            };
            self.export.submit(io.with_tag(self.tag(at, chunk)));
        }
    }

    fn submit_one(&self, slot: &mut Slot, io: Io) {
        slot.ios = 1;
        self.export.submit(io);
    }

    /// The next piece of what is done step by step.
    fn submit_step(&self, slot: &mut Slot, at: u16) {
        let (offset, left) = (slot.offset + slot.asked, slot.len - slot.asked);
        let len = left.min(STEP_MAX);
        let (io, len) = match slot.work {
            Work::Trim { .. } => (Io::discard(offset, len), len),
            Work::Zero { fua, unmap } => (Io { fua, ..Io::write_zeroes(offset, len, unmap) }, len),
            Work::Cache => {
                let mut payload = slot.buffer.lend(0);
                let len = left.min(payload.len());
                payload.segments_mut()[0].set_len(len as u32);
                (Io::read(offset, payload), len)
            }
            Work::Status { .. } => (Io::block_status(offset, left), left),
            Work::Read | Work::Write { .. } | Work::Flush => unreachable!("done at once"),
        };
        slot.asked += len;
        self.submit_one(slot, io.with_tag(self.tag(at, 0)));
    }

    fn tag(&self, slot: u16, chunk: usize) -> u64 {
        u64::from(self.index) << 32 | u64::from(slot) << 16 | chunk as u64
    }

    /// A request came back from the device.
    #[inline]
    pub(crate) fn io_done(
        &self,
        at: u16,
        chunk: usize,
        result: IoResult,
        payload: Payload,
        now: u64,
    ) {
        let mut inner = self.inner.borrow_mut();
        inner.at_device -= 1;
        let slot = &mut inner.slots[at];
        slot.ios -= 1;
        if !matches!(payload, Payload::None) {
            slot.buffer.put_back(chunk, payload);
        }
        match result {
            Ok(Outcome::Done) => {}
            Ok(Outcome::Extents(extents)) => {
                slot.extents = *extents;
                slot.extents.truncate(EXTENTS_MAX);
            }
            Ok(Outcome::Reservations(_)) => unreachable!("nobody asked for reservations"),
            Err(error) if slot.fault.is_none() => {
                let (errno, text) = (errno_of(&error), error.to_string());
                tracing::debug!(export = self.export.config.name, text, "a request failed");
                slot.fault = Some(Box::new(Fault { errno, text }));
            }
            Err(_) => {}
        }
        if slot.ios > 0 {
            return;
        }
        if self.goes_on(slot, at) {
            inner.at_device += 1;
            return;
        }
        if slot.work.changes() {
            self.export.change_ends();
        }
        if slot.work == Work::Flush && slot.fault.is_none() {
            self.export.flushed(slot.covers);
        }
        self.finish(&mut inner, at, now);
        drop(inner);
        self.touch();
    }

    /// Submits the next step of a request, if there is one.
    #[inline]
    fn goes_on(&self, slot: &mut Slot, at: u16) -> bool {
        if matches!(slot.work, Work::Read | Work::Write { .. } | Work::Flush) {
            return false;
        }
        if slot.fault.is_some() || slot.asked == FLUSHING {
            return false;
        }
        if matches!(slot.work, Work::Status { .. }) {
            return false;
        }
        if slot.asked < slot.len {
            self.submit_step(slot, at);
            return true;
        }
        if slot.work == (Work::Trim { fua: true }) {
            slot.asked = FLUSHING;
            self.submit_one(slot, Io::flush().with_tag(self.tag(at, 0)));
            return true;
        }
        false
    }

    /// A request is done: its reply waits to leave.
    #[inline]
    pub(crate) fn finish(&self, inner: &mut Inner, at: u16, now: u64) {
        if self.node.plan.mutation.is_some() && self.ends_unheard(inner, at) {
            return;
        }
        if inner.slots[at].work != Work::Read {
            inner.free_memory(&self.node, at);
        }
        let slot = &mut inner.slots[at];
        slot.stage = Stage::Answering;
        let is_error = slot.fault.is_some();
        let mut counts = self.export.counts.borrow_mut();
        counts.requests += 1;
        counts.errors += u64::from(is_error);
        match slot.work {
            Work::Read if !is_error => counts.read_bytes += slot.len,
            Work::Write { .. } if !is_error => counts.written_bytes += slot.len,
            Work::Flush if !is_error => counts.flushes += 1,
            _ => {}
        }
        counts.took(now.saturating_sub(slot.begun_at));
        inner.counts.requests += 1;
        inner.counts.errors += u64::from(is_error);
        inner.ready.push_back(at);
        if self.life.get() != Life::Open {
            self.node.changed.changed();
        }
    }
}
