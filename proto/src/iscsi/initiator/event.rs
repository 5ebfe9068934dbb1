//! What the session tells the layer above.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use super::command::{Sent, TaskId};
use super::error::ProtocolError;
use super::tmf::TmfId;
use crate::iscsi::pdu::{LogoutResult, RejectReason, Residual, ServiceResponse, TaskResponse};
use crate::scsi::{Lun, Status};

/// Most bytes of sense data that are kept (SPC-4 section 4.5.1: none are longer).
pub const SENSE_BYTES_MAX: usize = 252;

/// Sense data as they came, in either format, without the length field before them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SenseBytes {
    len: u8,
    bytes: [u8; SENSE_BYTES_MAX],
}

impl SenseBytes {
    /// Keeps the first [`SENSE_BYTES_MAX`] bytes.
    #[must_use]
    pub fn new(sense: &[u8]) -> SenseBytes {
        let sense = &sense[..sense.len().min(SENSE_BYTES_MAX)];
        let mut bytes = [0; SENSE_BYTES_MAX];
        bytes[..sense.len()].copy_from_slice(sense);
        SenseBytes { len: sense.len() as u8, bytes }
    }

    /// The bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl fmt::Debug for SenseBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SenseBytes({:02x?})", self.as_slice())
    }
}

/// Something that happened. Each is told once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A task ended. The target cannot execute it any more, and its slot is free.
    Completed {
        /// Which.
        task: TaskId,
        /// How.
        outcome: Outcome,
    },
    /// A task management function ended. The tasks that it ended were told before.
    TmfDone {
        /// Which.
        id: TmfId,
        /// How.
        outcome: TmfOutcome,
    },
    /// The target said something unasked.
    Async(AsyncNotice),
    /// The answer to [`super::Session::ping`].
    Pong {
        /// From handing it out for sending to its answer.
        round_trip_ns: u64,
    },
    /// The answer to [`super::Session::text`].
    Text(TextOutcome),
    /// The target closed the session in order; nothing else comes.
    LoggedOut {
        /// What the target makes of it.
        result: LogoutResult,
        /// Seconds to wait before the next login.
        time2wait: u16,
        /// Seconds in which tasks could be reassigned, which needs a higher ErrorRecoveryLevel.
        time2retain: u16,
    },
    /// The session is broken; nothing else comes. What is unfinished is in
    /// [`super::Session::into_unfinished`].
    Failed(Failure),
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// GOOD. `moved` bytes came or went; fewer than asked where `residual` says so.
    Good {
        /// What the target says was left over.
        residual: Residual,
        /// Bytes that came or went.
        moved: u32,
    },
    /// Any other status.
    Status {
        /// Which.
        status: Status,
        /// What the target says was left over.
        residual: Residual,
        /// Bytes that came or went.
        moved: u32,
        /// What came with it; always there for CHECK CONDITION unless the target sent none.
        sense: Option<Box<SenseBytes>>,
    },
    /// The target could not execute the command, or not report (response code 01 and the vendor's).
    TargetFailure(ServiceResponse),
    /// The data of a read came with a wrong digest. It may be asked for again on this session.
    Retry,
    /// It was given up: by its deadline, by the caller, or by a function that covers it.
    Aborted {
        /// Why.
        cause: AbortCause,
        /// Whether it can have executed.
        sent: Sent,
    },
}

/// Why a task was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AbortCause {
    /// A period without progress went by.
    Deadline,
    /// The caller asked for it, for this task or for all of its logical unit or target.
    Caller,
    /// The target ended all tasks of the logical unit (asynchronous event 5).
    Target,
}

/// How a task management function ended (RFC 7143 section 11.6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TmfOutcome {
    /// What the target answered.
    Answered(TaskResponse),
    /// The target did not know the function or refused to take it.
    Rejected(RejectReason),
    /// No answer in time.
    TimedOut,
    /// The command had not been sent: no function was needed.
    NeverSent,
    /// The task ended by itself before the function was sent.
    AlreadyDone,
}

/// An asynchronous message (RFC 7143 section 11.9.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AsyncNotice {
    /// Event 0: sense data of a logical unit.
    Sense {
        /// Which.
        lun: Lun,
        /// The data.
        sense: Box<SenseBytes>,
    },
    /// Event 1: log out within that time; the session does so by itself.
    LogoutRequested {
        /// Seconds.
        within_s: u16,
    },
    /// Event 2 for another connection of this session.
    ConnectionDropped {
        /// Which.
        cid: u16,
    },
    /// Event 4: the target wants to negotiate; the session logs out instead, as it may.
    RenegotiationRequested {
        /// Seconds.
        within_s: u16,
    },
    /// Event 5: the tasks of the logical unit are terminated.
    TasksTerminated {
        /// Which.
        lun: Lun,
    },
    /// Events 248 to 255.
    Vendor {
        /// AsyncVCode.
        code: u8,
    },
}

/// The end of a text exchange.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TextOutcome {
    /// The keys of all responses, one after the other.
    Done(Vec<u8>),
    /// The target took none of it.
    Rejected(RejectReason),
}

/// Why a session ended out of order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// The target broke the protocol.
    Protocol(ProtocolError),
    /// A header came with a wrong digest (RFC 7143 section 7.8): the caller says so.
    HeaderDigest,
    /// A PDU that is not Data-In came with a wrong data digest, and is lost for good.
    DataDigest,
    /// The connection is gone: the caller says so.
    ConnectionLost,
    /// The target is silent, and does not answer pings either.
    Silent,
    /// A task could be ended neither by ABORT TASK nor by LOGICAL UNIT RESET.
    TaskStuck(TaskId),
    /// Too many task management functions are unanswered.
    TmfStuck,
    /// The target rejected something that it must take.
    Rejected(RejectReason),
    /// Asynchronous event 2 or 3: the target drops the connection.
    Dropped {
        /// Seconds to wait before the next login.
        time2wait: u16,
        /// Seconds in which tasks could be reassigned.
        time2retain: u16,
    },
    /// No answer to the Logout Request.
    LogoutTimedOut,
}
