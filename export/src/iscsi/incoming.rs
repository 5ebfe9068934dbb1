//! What arrives on one connection: bytes into PDUs, their data into the memory of tasks.
//!
//! Invariants: a header is handed to the session only when its data have a place; long data go
//! straight into that place. The staging memory is small until there is traffic.

use std::fmt;
use std::rc::Rc;

use byway_engine::memory::{Crc32c, Segment};
use byway_engine::net::Inbox;
use byway_proto::iscsi::framing::{Framer, HeadDigestError, Next};
use byway_proto::iscsi::target::{DataOutcome, ProtocolError, Receive, TaskId};

use super::connection::{Connection, Inner};
use super::ledger::Shortage;
use super::unit::CHUNK_MAX;

/// Data that are at least this long, and have not arrived yet, go around the staging memory.
const DIRECT_MIN: u32 = 16 << 10;

/// Why a connection is cut.
#[derive(Debug)]
pub(crate) enum Cut {
    Protocol(ProtocolError),
    Digest(HeadDigestError),
    /// By plan.
    Fault,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cut::Protocol(error) => error.fmt(f),
            Cut::Digest(error) => {
                write!(f, "header digest {:#x}, computed {:#x}", error.found, error.computed)
            }
            Cut::Fault => f.write_str("by plan"),
        }
    }
}

impl From<ProtocolError> for Cut {
    fn from(error: ProtocolError) -> Cut {
        Cut::Protocol(error)
    }
}

/// What the receiving task does next.
pub(crate) enum Step {
    /// Receive, and where given straight into this.
    Receive(Option<Segment>),
    /// Wait until the answers that are due have left.
    Answers,
    /// Wait for memory.
    Memory,
}

/// The receiving half of a connection.
pub(crate) struct Incoming {
    framer: Framer,
    has_data_digest: bool,
    goal: Receive,
    crc: Crc32c,
    inline: Vec<u8>,
}

impl Incoming {
    pub(crate) fn new(header_digest: bool, data_digest: bool) -> Incoming {
        Incoming {
            framer: Framer::new(header_digest, data_digest),
            has_data_digest: data_digest,
            goal: Receive::Nothing,
            crc: Crc32c::new(),
            inline: Vec::new(),
        }
    }

    /// Uses what has arrived.
    pub(crate) fn consume(
        &mut self,
        connection: &Rc<Connection>,
        inbox: &mut Inbox,
        now: u64,
    ) -> Result<Step, Cut> {
        let mut inner = connection.inner.borrow_mut();
        loop {
            let step = match self.framer.next() {
                Next::Head => self.head(connection, &mut inner, inbox, now)?,
                Next::Data(left) => self.data(connection, &mut inner, inbox, left, now)?,
                Next::Tail(len) => self.tail(connection, &mut inner, inbox, len, now)?,
            };
            if let Some(step) = step {
                return Ok(step);
            }
        }
    }

    #[inline]
    fn head(
        &mut self,
        connection: &Rc<Connection>,
        inner: &mut Inner,
        inbox: &mut Inbox,
        now: u64,
    ) -> Result<Option<Step>, Cut> {
        let bytes = inbox.bytes();
        let len = self.framer.head_len(bytes);
        if bytes.len() < len {
            return Ok(Some(Step::Receive(None)));
        }
        if !inner.session.wants_receive() {
            return Ok(Some(Step::Answers));
        }
        let bhs = self.framer.head(&bytes[..len], Crc32c::of).map_err(Cut::Digest)?;
        inbox.consume(len);
        if inner.mischief.as_mut().is_some_and(|mischief| mischief.cuts()) {
            return Err(Cut::Fault);
        }
        self.goal = inner.session.handle_header(&bhs, now)?;
        if self.has_data_digest {
            self.crc = Crc32c::new();
        }
        self.inline.clear();
        connection.handle_events(inner);
        Ok(None)
    }

    /// Gives the task that data arrive for a place for all of its data.
    #[inline]
    fn prepare(
        &self,
        connection: &Connection,
        inner: &mut Inner,
        task: TaskId,
    ) -> Result<(), Shortage> {
        let slot = inner.slot(task);
        if slot.is_refused || slot.buffer.len() > 0 {
            return Ok(());
        }
        let node = &connection.node;
        let command = inner.session.command(task).expect("data arrive for a living task");
        let len = command.edtl.min(node.limits.transfer_max);
        let chunk = node.unit(command.lun).map_or(CHUNK_MAX, |unit| unit.chunk_len);
        let Inner { slots, ledger, .. } = inner;
        let slot = &mut slots[usize::from(task.slot())];
        match ledger.take(slot, len, chunk) {
            Err(_) if !node.shared.is_moving() => {
                // Waiting would be for ever: the initiator is asked to come again.
                slot.is_refused = true;
                Ok(())
            }
            other => other,
        }
    }

    #[inline]
    fn data(
        &mut self,
        connection: &Rc<Connection>,
        inner: &mut Inner,
        inbox: &mut Inbox,
        left: u32,
        now: u64,
    ) -> Result<Option<Step>, Cut> {
        if let Receive::Task { task, .. } = self.goal
            && self.prepare(connection, inner, task).is_err()
        {
            return Ok(Some(Step::Memory));
        }
        let bytes = inbox.bytes();
        if bytes.is_empty() {
            return Ok(Some(Step::Receive(self.direct(inner, left))));
        }
        let n = bytes.len().min(left as usize);
        self.keep(inner, &bytes[..n]);
        inbox.consume(n);
        self.arrived(connection, inner, n as u32, now)?;
        Ok(None)
    }

    /// The place for data that come next, where they are long.
    fn direct(&self, inner: &mut Inner, left: u32) -> Option<Segment> {
        match self.goal {
            Receive::Task { task, .. } if left >= DIRECT_MIN => {
                let slot = inner.slot(task);
                if slot.is_refused { None } else { slot.buffer.part(left) }
            }
            _ => None,
        }
    }

    #[inline]
    fn keep(&mut self, inner: &mut Inner, bytes: &[u8]) {
        if self.has_data_digest {
            self.crc.update(bytes);
        }
        match self.goal {
            Receive::Task { task, .. } => {
                let slot = inner.slot(task);
                if !slot.is_refused {
                    slot.buffer.fill(bytes);
                }
            }
            Receive::Inline { .. } => self.inline.extend_from_slice(bytes),
            Receive::Discard { .. } | Receive::Nothing => {}
        }
    }

    /// Data came straight into a task's memory.
    pub(crate) fn direct_arrived(
        &mut self,
        connection: &Rc<Connection>,
        segment: Segment,
        used: u32,
        now: u64,
    ) -> Result<(), Cut> {
        let mut inner = connection.inner.borrow_mut();
        let Receive::Task { task, .. } = self.goal else { panic!("data of a task were awaited") };
        if self.has_data_digest {
            self.crc.update_segment(&segment, 0, used);
        }
        inner.slot(task).buffer.put_part(segment, used);
        if used > 0 {
            self.arrived(connection, &mut inner, used, now)?;
        }
        Ok(())
    }

    #[inline]
    fn arrived(
        &mut self,
        connection: &Rc<Connection>,
        inner: &mut Inner,
        n: u32,
        now: u64,
    ) -> Result<(), Cut> {
        self.framer.data(n);
        match self.framer.next() {
            Next::Head => self.segment_over(connection, inner, DataOutcome::Arrived, now),
            _ => Ok(()),
        }
    }

    #[inline]
    fn tail(
        &mut self,
        connection: &Rc<Connection>,
        inner: &mut Inner,
        inbox: &mut Inbox,
        len: u32,
        now: u64,
    ) -> Result<Option<Step>, Cut> {
        let Some(bytes) = inbox.bytes().get(..len as usize) else {
            return Ok(Some(Step::Receive(None)));
        };
        let mut crc = self.crc;
        let is_right = self.framer.tail(bytes, |padding| {
            crc.update(padding);
            crc.value()
        });
        inbox.consume(len as usize);
        let outcome = if is_right { DataOutcome::Arrived } else { DataOutcome::DigestError };
        self.segment_over(connection, inner, outcome, now)?;
        Ok(None)
    }

    #[inline]
    fn segment_over(
        &mut self,
        connection: &Rc<Connection>,
        inner: &mut Inner,
        outcome: DataOutcome,
        now: u64,
    ) -> Result<(), Cut> {
        self.goal = Receive::Nothing;
        inner.session.handle_data(outcome, &self.inline, now)?;
        connection.handle_events(inner);
        Ok(())
    }
}
