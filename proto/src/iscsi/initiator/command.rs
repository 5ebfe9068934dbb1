//! What the layer above asks for: one SCSI command, complete, and the name it gets.
//!
//! A command is whole when it is submitted; there is no half-built task. It carries everything that a
//! replay on another session needs.

use crate::iscsi::pdu::{Itt, TaskAttribute};
use crate::scsi::{Cdb, Lun};

/// Bits of a tag that name the slot; the generation is above them.
pub(super) const SLOT_BITS: u32 = 16;

/// Which way the data of a command go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// There are none.
    None,
    /// From the target.
    Read,
    /// To the target.
    Write,
}

/// One SCSI command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Command {
    /// The logical unit.
    pub lun: Lun,
    /// The command block, padded with zeroes.
    pub cdb: Cdb,
    /// Which way the data go.
    pub direction: Direction,
    /// Expected Data Transfer Length in bytes; 0 for [`Direction::None`].
    pub len: u32,
    /// How it is ordered among others of the logical unit.
    pub attribute: TaskAttribute,
    /// When it is looked at first, in nanoseconds of the caller's clock. A command that moved data
    /// since then gets another period of the same length; one that did not is aborted.
    pub deadline_ns: u64,
}

/// The name of a task: its Initiator Task Tag, `generation << 16 | slot`. A slot is used again under
/// another generation, so an answer to a task of the past meets nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub(super) u32);

impl TaskId {
    #[inline]
    pub(super) fn new(generation: u16, slot: u16) -> TaskId {
        TaskId(u32::from(generation) << SLOT_BITS | u32::from(slot))
    }

    /// An index below the `tasks_max` of the session, for the caller's own table. It belongs to this
    /// task until the task completes.
    #[must_use]
    #[inline]
    pub fn slot(self) -> u16 {
        self.0 as u16
    }

    #[inline]
    pub(super) fn generation(self) -> u16 {
        (self.0 >> SLOT_BITS) as u16
    }

    /// The tag on the wire.
    #[must_use]
    #[inline]
    pub fn itt(self) -> Itt {
        Itt(self.0)
    }
}

/// Whether a target can have seen a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sent {
    /// No byte of it left: it certainly did not execute.
    Never,
    /// It left, in whole or in part: it may have executed.
    MaybeExecuted,
}

/// A command that a session could not finish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Unfinished {
    /// Its name in the session that ended.
    pub task: TaskId,
    /// What was asked.
    pub command: Command,
    /// Whether the target can have seen it.
    pub sent: Sent,
}
