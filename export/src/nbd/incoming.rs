//! What arrives on one connection: bytes into requests, their data into the device's memory.
//!
//! Invariants: a request is taken only when it has a slot, and a place for its data; what is not taken
//! waits in the socket, which slows the client and nobody else. Long data go straight into their place.

use std::fmt;

use byway_engine::memory::Segment;
use byway_engine::net::Inbox;
use byway_proto::nbd::command::Command;
use byway_proto::nbd::errno::NbdErrno;
use byway_proto::nbd::request::Request;
use byway_proto::nbd::server::{Operation, SessionError, Verdict};

use super::connection::{Connection, Inner};
use super::outgoing::piece_min;
use super::slot::{Fault, Slot, Work};

/// Data that are at least this long, and have not arrived yet, go around the staging memory.
const DIRECT_MIN: u32 = 16 << 10;

/// Data of a read from this length on are sent from the device's own memory, where it lends it. What is
/// shorter is copied anyway, and so read as a whole: single sectors are what clusters talk through.
const LEND_MIN: u64 = 4 << 10;

/// Why a connection is cut.
#[derive(Debug)]
pub(crate) enum Cut {
    Protocol(SessionError),
    /// The client went away in the middle of a request.
    Gone,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cut::Protocol(error) => error.fmt(f),
            Cut::Gone => f.write_str("the client went away in the middle of a request"),
        }
    }
}

/// What the receiving task does next.
pub(crate) enum Step {
    /// Receive, and where given straight into this.
    Receive(Option<Segment>),
    /// Wait until own requests have ended: for a slot, and for so many bytes of memory.
    Own(u32),
    /// Wait for memory that others have.
    Memory,
    /// The client leaves.
    End,
}

/// Where the bytes that come next belong.
#[derive(Clone, Copy, Debug)]
enum Goal {
    Request,
    /// Data of a write.
    Data {
        at: u16,
        left: u32,
    },
    /// Data of a request that is refused.
    Skip {
        at: u16,
        left: u64,
    },
}

/// Why there is no memory.
enum Shortage {
    /// The connection has its share.
    Own(u32),
    /// Others have it.
    Arena,
    /// There is never so much.
    Never,
}

/// The receiving half of a connection.
pub(crate) struct Incoming {
    goal: Goal,
}

impl Incoming {
    pub(crate) fn new() -> Incoming {
        Incoming { goal: Goal::Request }
    }

    /// True between two requests.
    pub(crate) fn is_between(&self) -> bool {
        matches!(self.goal, Goal::Request)
    }

    /// Uses what has arrived.
    pub(crate) fn consume(
        &mut self,
        connection: &Connection,
        inbox: &mut Inbox,
        now: u64,
    ) -> Result<Step, Cut> {
        let mut inner = connection.inner.borrow_mut();
        loop {
            let step = match self.goal {
                Goal::Request => self.request(connection, &mut inner, inbox, now)?,
                Goal::Data { at, left } => self.data(connection, &mut inner, inbox, at, left),
                Goal::Skip { at, left } => self.skip(connection, &mut inner, inbox, at, left, now),
            };
            if let Some(step) = step {
                return Ok(step);
            }
        }
    }

    #[inline]
    fn request(
        &mut self,
        connection: &Connection,
        inner: &mut Inner,
        inbox: &mut Inbox,
        now: u64,
    ) -> Result<Option<Step>, Cut> {
        let session = &connection.session;
        let parsed = session.parse(inbox.bytes()).map_err(Cut::Protocol)?;
        let Some((request, len)) = parsed else { return Ok(Some(Step::Receive(None))) };
        let is_ending = connection.node.is_stopping.get() || connection.export.is_removed.get();
        let verdict = match session.judge(&request) {
            Verdict::Execute(_) if is_ending => ending(session.payload_len(&request)),
            verdict => verdict,
        };
        if matches!(verdict, Verdict::Disconnect) {
            return Ok(Some(Step::End));
        }
        let Some(at) = inner.slots.take() else { return Ok(Some(Step::Own(0))) };
        let slot = &mut inner.slots[at];
        (slot.cookie, slot.begun_at) = (request.cookie, now);
        (slot.offset, slot.len) = (request.offset, request.len);
        match verdict {
            Verdict::Execute(operation) => {
                if let Err(shortage) = begin(connection, inner, at, operation) {
                    return Ok(self.short(inner, inbox, at, len, &request, shortage));
                }
                inbox.consume(len);
                match operation {
                    Operation::Write { len, .. } => self.goal = Goal::Data { at, left: len },
                    Operation::Nothing => connection.finish(inner, at, now),
                    Operation::Read { .. } if inner.slots[at].lent.is_some() => {
                        connection.finish(inner, at, now);
                    }
                    _ => connection.start(inner, at),
                }
            }
            Verdict::Refuse { errno, reason, payload_to_skip } => {
                inbox.consume(len);
                refuse(slot, errno, reason);
                self.goal = Goal::Skip { at, left: payload_to_skip };
            }
            Verdict::Close(error) => return Err(Cut::Protocol(error)),
            Verdict::Disconnect => unreachable!("it ended the loop"),
        }
        Ok(None)
    }

    /// There is no memory for a request, which is looked at again later; or never so much.
    #[cold]
    fn short(
        &mut self,
        inner: &mut Inner,
        inbox: &mut Inbox,
        at: u16,
        len: usize,
        request: &Request,
        shortage: Shortage,
    ) -> Option<Step> {
        match shortage {
            Shortage::Never => {
                refuse(&mut inner.slots[at], NbdErrno::Enomem, "no memory for so long a request");
                inbox.consume(len);
                let left = if request.command == Command::Write { request.len } else { 0 };
                self.goal = Goal::Skip { at, left };
                None
            }
            Shortage::Own(bytes) => {
                inner.slots.put_back(at);
                Some(Step::Own(bytes))
            }
            Shortage::Arena => {
                inner.slots.put_back(at);
                Some(Step::Memory)
            }
        }
    }

    #[inline]
    fn data(
        &mut self,
        connection: &Connection,
        inner: &mut Inner,
        inbox: &mut Inbox,
        at: u16,
        left: u32,
    ) -> Option<Step> {
        let bytes = inbox.bytes();
        if bytes.is_empty() {
            let is_long = left >= DIRECT_MIN;
            let direct = if is_long { inner.slots[at].buffer.part(left) } else { None };
            return Some(Step::Receive(direct));
        }
        let n = bytes.len().min(left as usize);
        inner.slots[at].buffer.fill(&bytes[..n]);
        inbox.consume(n);
        self.arrived(connection, inner, n as u32);
        None
    }

    /// Data came straight into their place.
    pub(crate) fn direct_arrived(&mut self, connection: &Connection, segment: Segment, used: u32) {
        let Goal::Data { at, .. } = self.goal else { panic!("data of a write were awaited") };
        let mut inner = connection.inner.borrow_mut();
        inner.slots[at].buffer.put_part(segment, used);
        if used > 0 {
            self.arrived(connection, &mut inner, used);
        }
    }

    #[inline]
    fn arrived(&mut self, connection: &Connection, inner: &mut Inner, n: u32) {
        let Goal::Data { at, left } = &mut self.goal else { panic!("data of a write came") };
        *left -= n;
        if *left == 0 {
            let at = *at;
            self.goal = Goal::Request;
            connection.start(inner, at);
        }
    }

    #[cold]
    fn skip(
        &mut self,
        connection: &Connection,
        inner: &mut Inner,
        inbox: &mut Inbox,
        at: u16,
        left: u64,
        now: u64,
    ) -> Option<Step> {
        let here = inbox.bytes().len() as u64;
        let n = here.min(left);
        inbox.consume(n as usize);
        if n < left {
            self.goal = Goal::Skip { at, left: left - n };
            return Some(Step::Receive(None));
        }
        self.goal = Goal::Request;
        connection.finish(inner, at, now);
        None
    }
}

/// What becomes of a legal request while the server goes away.
#[cold]
fn ending(payload_to_skip: u64) -> Verdict {
    let reason = "the server is shutting down";
    Verdict::Refuse { errno: NbdErrno::Eshutdown, reason, payload_to_skip }
}

#[cold]
fn refuse(slot: &mut Slot, errno: NbdErrno, reason: &str) {
    slot.work = Work::Flush;
    slot.fault = Some(Box::new(Fault { errno, text: reason.to_owned() }));
}

/// Notes what a slot is to do, and takes the memory for it.
#[inline]
fn begin(
    connection: &Connection,
    inner: &mut Inner,
    at: u16,
    operation: Operation,
) -> Result<(), Shortage> {
    let (work, memory) = match operation {
        Operation::Read { len, .. } => {
            (Work::Read, if lent(connection, inner, at) { 0 } else { len })
        }
        Operation::Write { len, is_fua, .. } => (Work::Write { fua: is_fua }, len),
        other => rare(other, connection.export.chunk_len),
    };
    inner.slots[at].work = work;
    if memory == 0 { Ok(()) } else { take_memory(connection, inner, at, memory) }
}

/// Borrows the device's own memory for a long read, where the device lends it.
#[inline]
fn lent(connection: &Connection, inner: &mut Inner, at: u16) -> bool {
    let slot = &mut inner.slots[at];
    if slot.len < LEND_MIN || !connection.wire.takes_lent() {
        return false;
    }
    slot.lent = connection.export.lend(slot.offset, slot.len as u32);
    slot.lent.is_some()
}

/// What is to be done, and bytes of memory for it.
fn rare(operation: Operation, chunk_len: u32) -> (Work, u32) {
    match operation {
        Operation::Trim { is_fua, .. } => (Work::Trim { fua: is_fua }, 0),
        Operation::WriteZeroes { is_fua, is_allocating, .. } => {
            (Work::Zero { fua: is_fua, unmap: !is_allocating }, 0)
        }
        Operation::Cache { len, .. } => (Work::Cache, len.min(chunk_len.into()) as u32),
        Operation::BlockStatus { is_one, .. } => (Work::Status { is_one }, 0),
        Operation::Flush | Operation::Nothing => (Work::Flush, 0),
        Operation::Read { .. } | Operation::Write { .. } => unreachable!("these are not rare"),
    }
}

/// All of the memory of a request, or none.
#[inline]
fn take_memory(
    connection: &Connection,
    inner: &mut Inner,
    at: u16,
    len: u32,
) -> Result<(), Shortage> {
    let node = &connection.node;
    if inner.charged > 0 && inner.charged + u64::from(len) > node.share() {
        return Err(Shortage::Own(len));
    }
    let slot = &mut inner.slots[at];
    let chunk = connection.export.chunk_len;
    if !slot.buffer.take(&node.core, len, chunk) && !take_small(connection, slot, len, chunk) {
        let is_all_there = node.held_bytes.get() == 0;
        return Err(if is_all_there { Shortage::Never } else { Shortage::Arena });
    }
    slot.charged = len;
    inner.charged += u64::from(len);
    node.held_bytes.set(node.held_bytes.get() + u64::from(len));
    Ok(())
}

/// The arena may have the memory in smaller pieces: what it has cut stays cut.
#[cold]
fn take_small(connection: &Connection, slot: &mut Slot, len: u32, chunk: u32) -> bool {
    let smaller = std::iter::successors(Some(chunk / 2), |chunk| Some(chunk / 2));
    let mut smaller = smaller.take_while(|chunk| *chunk >= piece_min(len));
    smaller.any(|chunk| slot.buffer.take(&connection.node.core, len, chunk))
}
