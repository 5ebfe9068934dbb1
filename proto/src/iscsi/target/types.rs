//! What the shell and the machine say to each other.
//!
//! # Who owns a task's buffer
//! The shell gives a task a buffer when it first hears of it: [`Receive::Task`] or
//! [`Event::Command`]. The buffer is free again after [`Event::Dropped`] or, for a command that was
//! answered, once the bytes of the [`Transmit`] whose `ends` names the task have left; the shell
//! then calls `Session::sent`, and the slot lives on as another task.

use alloc::vec::Vec;

use super::slab::TaskId;
use crate::iscsi::pdu::{Bhs, LogoutReason, TaskAttribute, TaskFunction};
use crate::scsi::{Cdb, Lun, Status};
use crate::serial::Serial;

/// Where the data segment of the PDU just announced goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Receive {
    /// There is none, and the PDU has been dealt with.
    Nothing,
    /// Into the task's buffer.
    Task {
        /// The task that is written to.
        task: TaskId,
        /// Offset in its data, in bytes.
        offset: u32,
        /// Bytes without padding and digest.
        len: u32,
    },
    /// To `Session::handle_data` as `inline`, whole.
    Inline {
        /// Bytes without padding and digest.
        len: u32,
    },
    /// Nowhere; `Session::handle_data` is called with nothing when it has passed.
    Discard {
        /// Bytes without padding and digest.
        len: u32,
    },
}

/// How a data segment came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DataOutcome {
    /// Whole, and its digest right where there is one.
    Arrived,
    /// With a digest that does not fit.
    DigestError,
}

/// The data segment of a PDU to send.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TransmitData {
    /// None.
    None,
    /// From the task's buffer.
    Task {
        /// The task that is read from.
        task: TaskId,
        /// Offset in its data, in bytes.
        offset: u32,
        /// Bytes; padding and digest are the shell's.
        len: u32,
    },
    /// These bytes: sense, text, a ping, the header that is rejected.
    Bytes(Vec<u8>),
}

/// A PDU to send.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Transmit {
    /// Its header.
    pub bhs: Bhs,
    /// Its data segment.
    pub data: TransmitData,
    /// The task whose last PDU this is: `Session::sent` once it has left.
    pub ends: Option<TaskId>,
}

/// Which way a command moves data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Neither.
    None,
    /// To the initiator.
    Read,
    /// From the initiator.
    Write,
}

/// A command whose data are all there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Command {
    /// To answer it with.
    pub task: TaskId,
    /// The logical unit it is for.
    pub lun: Lun,
    /// The command block.
    pub cdb: Cdb,
    /// Expected data transfer length, in bytes; 0 without direction.
    pub edtl: u32,
    /// Which way the initiator expects data to move.
    pub direction: Direction,
    /// How it is ordered among others.
    pub attribute: TaskAttribute,
    /// Its place in the order of delivery: a write whose data took longer is handed out later.
    pub cmd_sn: Serial,
}

/// The answer to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reply<'a> {
    /// The SCSI status.
    pub status: Status,
    /// Sense data without length prefix; empty for none.
    pub sense: &'a [u8],
    /// Bytes in the task's buffer for the initiator; what exceeds the expected length is not sent.
    pub data_len: u32,
    /// Bytes that the command itself speaks of, for the residual (RFC 7143 section 11.4.5).
    pub transfer_len: u32,
}

impl Reply<'_> {
    /// GOOD, with `len` bytes moved either way.
    #[must_use]
    pub fn good(direction: Direction, len: u32) -> Reply<'static> {
        let data_len = if direction == Direction::Read { len } else { 0 };
        Reply { status: Status::Good, sense: &[], data_len, transfer_len: len }
    }

    /// Another status without data.
    #[must_use]
    pub fn failed(status: Status, sense: &[u8]) -> Reply<'_> {
        Reply { status, sense, data_len: 0, transfer_len: 0 }
    }
}

/// Names a task management function until it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ManagementId(pub(super) u32);

/// Names a text request until it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TextId(pub(super) u32);

/// Which tasks to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// One.
    Task(TaskId),
    /// Those of one logical unit.
    Lun(Lun),
    /// All of this session.
    Session,
}

/// What the shell has to know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Execute; answer with `Session::complete`.
    Command(Command),
    /// The command is aborted: stop if that is possible, and call `Session::complete` in any case.
    Abort {
        /// A task that the shell has.
        task: TaskId,
    },
    /// The task ended without being executed; its buffer is free.
    Dropped {
        /// The id is void.
        task: TaskId,
    },
    /// The function has aborted what it names in this session, allowed or not: an initiator may
    /// always end its own tasks. The rest (whether it may, other sessions, the unit itself) is the
    /// shell's, then `Session::management_done`. Tasks that are still executing hold the response.
    Management {
        /// To answer it with.
        id: ManagementId,
        /// Which function.
        function: TaskFunction,
        /// The logical unit it is for, where the function has one.
        lun: Lun,
    },
    /// A text request, over all its PDUs; answer with `Session::text_reply`.
    Text {
        /// To answer it with.
        id: TextId,
        /// Keys and values.
        text: Vec<u8>,
        /// The initiator has no more to ask.
        is_final: bool,
    },
    /// The initiator logs out; its tasks are being ended, the answer follows by itself.
    Logout {
        /// Why.
        reason: LogoutReason,
    },
    /// The last PDU has been handed over: send it, then close the connection.
    Close,
    /// The peer did not answer a ping in time.
    PeerSilent,
}
