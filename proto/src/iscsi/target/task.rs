//! One task: where it is in its life, and how it answers.
//!
//! ```text
//! Collecting ──► Executing ──► Answering ──► Leaving ──► (slot free)
//!     │  └───────────────────────►┘ (faulty write data)
//!     └──► dropped (aborted)
//! ```
//!
//! Collecting: its turn has not come or write data are missing. Executing: the shell has it.
//! Answering: Data-In and status go out. Leaving: the last PDU has been handed over, the tag is free
//! for the initiator again, and the slot waits for `Session::sent`.

use alloc::vec::Vec;

use super::types::{Command, Direction, Reply};
use super::write::WriteData;
use crate::iscsi::pdu::{Itt, Residual, ScsiCommand};
use crate::scsi::{Sense, SenseCode, SenseKey, Status};
use crate::serial::Serial;

use super::slab::TaskId;

/// Where a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    Collecting,
    Executing,
    Answering,
    Leaving,
}

/// A task that is to end early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Abort {
    /// No status: the initiator asked for it.
    Silent,
    /// With TASK ABORTED: another nexus did it and the unit tells so (the TAS bit).
    Told,
}

/// What is wrong with the write data of a task, by the conditions of RFC 7143 section 11.4.7.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Fault {
    UnexpectedUnsolicited,
    IncorrectAmount,
    Crc,
}

impl Fault {
    pub(super) fn sense(self) -> Sense {
        let code = match self {
            Fault::UnexpectedUnsolicited => SenseCode { asc: 0x0c, ascq: 0x0c },
            Fault::IncorrectAmount => SenseCode { asc: 0x0c, ascq: 0x0d },
            Fault::Crc => SenseCode::PROTOCOL_CRC_ERROR,
        };
        Sense::new(SenseKey::AbortedCommand, code)
    }
}

/// The answer on its way out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Answer {
    pub(super) status: Status,
    pub(super) sense: Vec<u8>,
    pub(super) residual: Residual,
    /// Data-In bytes in all.
    pub(super) data_len: u32,
    /// Of these, handed over.
    pub(super) data_sent: u32,
    /// DataSN of the next Data-In; in the end ExpDataSN.
    pub(super) data_sn: u32,
}

impl Answer {
    /// Status rides on the last Data-In only where there is data and nothing else to tell
    /// (RFC 7143 section 11.7.3).
    #[inline]
    pub(super) fn is_piggybacked(&self) -> bool {
        self.data_len > 0 && self.status == Status::Good && self.sense.is_empty()
    }
}

/// One task.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Task {
    pub(super) itt: Itt,
    pub(super) cmd_sn: Serial,
    pub(super) is_immediate: bool,
    /// Its turn by CmdSN has come.
    pub(super) is_delivered: bool,
    pub(super) phase: Phase,
    pub(super) abort: Option<Abort>,
    /// A task management function waits for the end of this task.
    pub(super) is_watched: bool,
    /// It is in the queue of those that may send an R2T.
    pub(super) is_soliciting: bool,
    pub(super) command: ScsiCommand,
    pub(super) write: WriteData,
    pub(super) answer: Answer,
}

impl Task {
    #[inline]
    pub(super) fn new(command: ScsiCommand, write: WriteData) -> Task {
        Task {
            itt: command.itt,
            cmd_sn: command.cmd_sn,
            is_immediate: command.immediate,
            is_delivered: false,
            phase: Phase::Collecting,
            abort: None,
            is_watched: false,
            is_soliciting: false,
            command,
            write,
            answer: Answer::default(),
        }
    }

    #[inline]
    pub(super) fn direction(&self) -> Direction {
        match (self.command.read, self.command.write) {
            (_, true) => Direction::Write,
            (true, false) => Direction::Read,
            (false, false) => Direction::None,
        }
    }

    /// The expected length; without a direction the field means nothing (RFC 7143 section 11.3.4).
    #[inline]
    pub(super) fn edtl(&self) -> u32 {
        if self.direction() == Direction::None { 0 } else { self.command.edtl }
    }

    #[inline]
    pub(super) fn to_command(&self, task: TaskId) -> Command {
        Command {
            task,
            lun: self.command.lun,
            cdb: self.command.cdb,
            edtl: self.edtl(),
            direction: self.direction(),
            attribute: self.command.attribute,
            cmd_sn: self.cmd_sn,
        }
    }

    /// Takes the reply; what goes out is cut to what the initiator has room for.
    #[inline]
    pub(super) fn answer(&mut self, reply: Reply<'_>) {
        assert!(reply.sense.len() <= crate::scsi::sense::SENSE_LEN_MAX, "sense is short");
        let edtl = self.edtl();
        let room = if self.direction() == Direction::Read { edtl } else { 0 };
        self.answer.status = reply.status;
        self.answer.sense.clear();
        self.answer.sense.extend_from_slice(reply.sense);
        self.answer.residual = residual(edtl, reply.transfer_len);
        self.answer.data_len = reply.data_len.min(room);
        self.phase = Phase::Answering;
    }
}

/// What is left over, either way (RFC 7143 section 11.4.5.1).
#[inline]
pub(super) fn residual(edtl: u32, transfer_len: u32) -> Residual {
    match transfer_len.checked_sub(edtl) {
        Some(0) => Residual::None,
        Some(over) => Residual::Overflow(over),
        None => Residual::Underflow(edtl - transfer_len),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn residuals_go_both_ways() {
        assert_eq!(residual(512, 512), Residual::None);
        assert_eq!(residual(512, 1024), Residual::Overflow(512));
        assert_eq!(residual(1024, 512), Residual::Underflow(512));
        assert_eq!(residual(0, 8), Residual::Overflow(8));
    }
}
