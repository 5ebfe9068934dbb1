//! Commands of the initiator itself, with small data of their own: surveys, reservations, holes.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use byway_proto::iscsi::initiator::{Direction, Outcome};
use byway_proto::iscsi::pdu::Residual;
use byway_proto::scsi::{Cdb, Lun, Sense, Status};

/// One such command.
pub(crate) struct Control {
    pub(crate) lun: Lun,
    pub(crate) cdb: Cdb,
    pub(crate) direction: Direction,
    /// What is sent, or what has come.
    pub(crate) data: RefCell<Vec<u8>>,
    end: RefCell<Option<End>>,
    waker: Cell<Option<Waker>>,
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Control({:#04x}, {:?})", self.cdb[0], self.direction)
    }
}

/// How such a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// GOOD, with so many bytes.
    Good(usize),
    /// Another status.
    Status(Status, Option<Sense>),
    /// It may have been executed or not: the session ended, or it was aborted.
    Unknown,
    /// It certainly was not executed.
    NotSent,
}

impl Control {
    /// A command that reads up to `len` bytes.
    pub(crate) fn read(lun: Lun, cdb: Cdb, len: usize) -> Rc<Control> {
        Control::new(
            lun,
            cdb,
            if len == 0 { Direction::None } else { Direction::Read },
            vec![0; len],
        )
    }

    /// A command that sends `data`.
    pub(crate) fn write(lun: Lun, cdb: Cdb, data: Vec<u8>) -> Rc<Control> {
        let direction = if data.is_empty() { Direction::None } else { Direction::Write };
        Control::new(lun, cdb, direction, data)
    }

    fn new(lun: Lun, cdb: Cdb, direction: Direction, data: Vec<u8>) -> Rc<Control> {
        let (data, end) = (RefCell::new(data), RefCell::default());
        Rc::new(Control { lun, cdb, direction, data, end, waker: Cell::default() })
    }

    /// Bytes that came for `offset` on; what is beyond the end is dropped.
    pub(crate) fn fill(&self, offset: u32, bytes: &[u8]) {
        let mut data = self.data.borrow_mut();
        let room = data.get_mut(offset as usize..).unwrap_or_default();
        let len = room.len().min(bytes.len());
        room[..len].copy_from_slice(&bytes[..len]);
    }

    /// The command ended.
    pub(crate) fn finish(&self, end: End) {
        *self.end.borrow_mut() = Some(end);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Waits for the end.
    pub(crate) async fn ended(&self) -> End {
        poll_fn(|cx| match self.end.borrow_mut().take() {
            Some(end) => Poll::Ready(end),
            None => {
                self.waker.set(Some(cx.waker().clone()));
                Poll::Pending
            }
        })
        .await
    }

    /// What has come, as much as there is of it.
    pub(crate) fn take_data(&self, len: usize) -> Vec<u8> {
        let mut data = self.data.take();
        data.truncate(len);
        data
    }
}

/// The end of a command by what the session says of it.
pub(crate) fn end_of(outcome: &Outcome) -> End {
    match outcome {
        Outcome::Good { moved, .. } => End::Good(*moved as usize),
        Outcome::Status { status, sense, residual, moved } => match (status, residual) {
            // More than was asked for is there: what was asked for came.
            (Status::Good, Residual::Overflow(_)) => End::Good(*moved as usize),
            _ => End::Status(*status, sense.as_ref().and_then(|s| Sense::parse(s.as_slice()))),
        },
        Outcome::Retry => End::Status(Status::Busy, None),
        Outcome::TargetFailure(_) => End::Unknown,
        Outcome::Aborted { sent: byway_proto::iscsi::initiator::Sent::Never, .. } => End::NotSent,
        Outcome::Aborted { .. } => End::Unknown,
    }
}
