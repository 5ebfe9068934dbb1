//! What is remembered of one task: its command, where it stands, how far its data are.

use super::command::{Command, Direction};
use super::event::AbortCause;
use super::slab::Place;
use super::stage::Stage;
use crate::iscsi::pdu::{TaskAttribute, Ttt};
use crate::scsi::Lun;
use crate::serial::Serial;

/// A Ready To Transfer that is not answered in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ready {
    pub(super) ttt: Ttt,
    /// The first byte asked for.
    pub(super) offset: u32,
    /// The byte after the last.
    pub(super) end: u32,
}

impl Ready {
    pub(super) const NONE: Ready = Ready { ttt: Ttt::NONE, offset: 0, end: 0 };
}

/// Data from the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Inward {
    /// The next byte in order.
    pub(super) next: u32,
    /// Bytes that arrived.
    pub(super) received: u32,
}

/// Data to the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Outward {
    /// Bytes handed out for sending.
    pub(super) sent: u32,
    /// The next byte of the running sequence.
    pub(super) next: u32,
    /// DataSN of the next Data-Out of the running sequence.
    pub(super) data_sn: u32,
    /// Where the data that nobody asked for end.
    pub(super) unsolicited_end: u32,
    /// The next byte that an R2T may ask for.
    pub(super) asked: u32,
    /// The oldest R2T in the ring of this task.
    pub(super) ready_head: u16,
    /// How many R2Ts wait.
    pub(super) ready_count: u16,
}

/// One slot of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Task {
    pub(super) generation: u16,
    pub(super) stage: Stage,
    /// A part of the data came with a wrong digest: a good status is worth nothing.
    pub(super) is_spoiled: bool,
    /// Data moved since the last look at the clock.
    pub(super) has_progress: bool,
    /// Its data are no longer sent: the tasks of its set are being aborted fast.
    pub(super) is_muted: bool,
    /// Why it is given up, if it is.
    pub(super) cause: AbortCause,
    /// How often its command was rejected and sent again.
    pub(super) bounces: u8,
    pub(super) place: Place,
    pub(super) cmd_sn: Serial,
    /// DataSN of the next Data-In, or R2TSN of the next R2T: one count for both (RFC 7143 section
    /// 11.8.3).
    pub(super) data_sn: u32,
    pub(super) inward: Inward,
    pub(super) outward: Outward,
    /// The place among all submissions.
    pub(super) order: u64,
    pub(super) period_ns: u64,
    pub(super) check_ns: u64,
    pub(super) command: Command,
}

impl Task {
    pub(super) const FREE: Task = Task {
        generation: 0,
        stage: Stage::Free,
        is_spoiled: false,
        has_progress: false,
        is_muted: false,
        cause: AbortCause::Deadline,
        bounces: 0,
        place: Place::NOWHERE,
        cmd_sn: Serial(0),
        data_sn: 0,
        inward: Inward { next: 0, received: 0 },
        outward: Outward {
            sent: 0,
            next: 0,
            data_sn: 0,
            unsolicited_end: 0,
            asked: 0,
            ready_head: 0,
            ready_count: 0,
        },
        order: 0,
        period_ns: 0,
        check_ns: 0,
        command: Command {
            lun: Lun::ZERO,
            cdb: [0; 16],
            direction: Direction::None,
            len: 0,
            attribute: TaskAttribute::Simple,
            deadline_ns: 0,
        },
    };

    #[inline]
    pub(super) fn new(command: Command, generation: u16, order: u64, now_ns: u64) -> Task {
        let period_ns = command.deadline_ns.saturating_sub(now_ns);
        let check_ns = command.deadline_ns;
        let stage = Stage::Queued;
        Task { generation, stage, order, period_ns, check_ns, command, ..Task::FREE }
    }

    /// Bytes that moved, in whichever direction the command has.
    #[inline]
    pub(super) fn moved(&self) -> u32 {
        match self.command.direction {
            Direction::None => 0,
            Direction::Read => self.inward.received,
            Direction::Write => self.outward.sent,
        }
    }
}
