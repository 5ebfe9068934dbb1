//! One place in a session's table of tasks, as the shell sees it.
//!
//! ```text
//! Free ──data or command arrive──▶ Collecting ──▶ Working ──▶ Answered ──▶ Free
//!                                      │             ▲
//!                                      ├──▶ Held ────┤  (an exclusive write is in the way)
//!                                      └──▶ Starved ─┘  (there is no memory for its data)
//! ```

use byway_engine::error::IoError;
use byway_proto::iscsi::target::TaskId;

use super::exclusion::Ticket;
use crate::buffer::Buffer;

/// Where a task is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stage {
    #[default]
    Free,
    /// Write data arrive.
    Collecting,
    /// With the device, or with a task of the reactor.
    Working,
    /// Waits for an exclusive write.
    Held,
    /// Waits for memory.
    Starved,
    /// The session has the reply.
    Answered,
}

/// What the device does for a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Work {
    #[default]
    Other,
    Read,
    Write {
        fua: bool,
    },
    Flush,
}

/// The shell's half of a task.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    pub(crate) task: Option<TaskId>,
    pub(crate) stage: Stage,
    pub(crate) buffer: Buffer,
    /// There was no memory for its data, which were thrown away: it is answered BUSY.
    pub(crate) is_refused: bool,
    /// Index of the logical unit.
    pub(crate) unit: u16,
    pub(crate) work: Work,
    /// First byte on the device, and bytes.
    pub(crate) offset: u64,
    pub(crate) len: u32,
    /// Bytes that the command speaks of.
    pub(crate) transfer_len: u32,
    /// Requests at the device.
    pub(crate) ios: u16,
    pub(crate) error: Option<Box<IoError>>,
    pub(crate) ticket: Option<Ticket>,
    /// Bytes of the arena that the session is charged for.
    pub(crate) charged: u32,
    /// It holds memory and is on its way to giving it back.
    pub(crate) is_moving: bool,
}

impl Slot {
    /// The slot begins another life.
    #[inline]
    pub(crate) fn begin(&mut self, task: TaskId) {
        debug_assert!(self.stage == Stage::Free, "a slot is free before it is used again");
        self.task = Some(task);
        self.stage = Stage::Collecting;
        self.is_refused = false;
        (self.work, self.ios, self.error) = (Work::Other, 0, None);
    }
}
