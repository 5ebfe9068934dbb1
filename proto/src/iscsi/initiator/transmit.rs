//! What is sent next, and how it looks.
//!
//! Control comes first, then commands, unsolicited and solicited data take turns, one PDU each. CmdSN,
//! DataSN and ExpStatSN are written here and nowhere else: what is handed out is sent, in that order.

use alloc::vec::Vec;

use super::command::{Direction, TaskId};
use super::session::Session;
use super::slab::{LANES, Lane};
use super::stage::{Move, Stage, Step};
use super::state::State;
use super::task::{Ready, Task};
use crate::iscsi::pdu::{Bhs, DataOut, ScsiCommand, Ttt};
use crate::scsi::Lun;

/// A PDU to send.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Transmit {
    /// The header, complete.
    pub bhs: Bhs,
    /// What follows it.
    pub data: TransmitData,
}

/// The data segment of a PDU to send; the shell adds padding and digests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TransmitData {
    /// Nothing.
    None,
    /// `len` bytes at `offset` of the task's buffer.
    Task {
        /// Whose.
        task: TaskId,
        /// The first byte.
        offset: u32,
        /// How many.
        len: u32,
    },
    /// These bytes, at most the target's MaxRecvDataSegmentLength.
    Bytes(Vec<u8>),
}

impl TransmitData {
    #[inline]
    fn task(task: TaskId, offset: u32, len: u32) -> TransmitData {
        match len {
            0 => TransmitData::None,
            _ => TransmitData::Task { task, offset, len },
        }
    }
}

impl Lane {
    #[inline]
    fn after(self) -> Lane {
        match self {
            Lane::Commands => Lane::Unsolicited,
            Lane::Unsolicited => Lane::Solicited,
            Lane::Solicited => Lane::Commands,
        }
    }
}

impl Session {
    /// The next PDU to send; nothing where there is none or the target takes none at the moment.
    #[inline]
    pub fn poll_transmit(&mut self, now_ns: u64) -> Option<Transmit> {
        if self.is_urgent
            && let Some(control) = self.control(now_ns)
        {
            return Some(control);
        }
        if !self.state.sends() {
            return None;
        }
        let (lane, slot) = self.next_in_line()?;
        self.turn = lane.after();
        Some(match lane {
            Lane::Commands => self.send_command(slot),
            Lane::Unsolicited => self.send_unsolicited(slot),
            Lane::Solicited => self.send_solicited(slot),
        })
    }

    /// The lanes take turns; one where nobody waits loses its turn.
    #[inline]
    fn next_in_line(&self) -> Option<(Lane, u16)> {
        let command = self.tasks.front(Lane::Commands).filter(|slot| self.may_send(*slot));
        if !self.tasks.has_data_lanes() {
            return command.map(|slot| (Lane::Commands, slot));
        }
        let mut lane = self.turn;
        for _ in 0..LANES {
            let front = match lane {
                Lane::Commands => command,
                Lane::Unsolicited | Lane::Solicited => self.tasks.front(lane),
            };
            if let Some(slot) = front {
                return Some((lane, slot));
            }
            lane = lane.after();
        }
        None
    }

    /// What is no command and no data, by urgency.
    fn control(&mut self, now_ns: u64) -> Option<Transmit> {
        if self.state.sends() {
            let next = self.send_ping_answer();
            let next = next.or_else(|| self.send_tmf(now_ns));
            let next = next.or_else(|| self.send_ping(now_ns));
            let next = next.or_else(|| self.send_text());
            let next = next.or_else(|| self.send_logout(now_ns));
            if next.is_some() {
                return next;
            }
        }
        self.is_urgent = self.text.is_waiting() && self.state != State::LoggingOut;
        None
    }

    /// A command that is sent again has its place in the window.
    #[inline]
    fn may_send(&self, slot: u16) -> bool {
        self.tasks[slot].stage == Stage::Resending
            || (self.state.sends_commands() && self.commands.is_open())
    }

    #[inline]
    fn send_command(&mut self, slot: u16) -> Transmit {
        self.tasks.leave(slot);
        let task = &mut self.tasks[slot];
        if task.stage == Stage::Queued {
            task.cmd_sn = self.commands.take();
        }
        assert_eq!(task.stage.step(Step::Sent), Move::To(Stage::Active));
        task.stage = Stage::Active;
        let command = &task.command;
        let is_write = command.direction == Direction::Write;
        let (immediate, unsolicited) = match command.direction {
            Direction::Write => {
                let immediate = command.len.min(self.terms.immediate_max);
                (immediate, command.len.min(self.terms.unsolicited_max))
            }
            Direction::Read | Direction::None => (0, 0),
        };
        let is_final = immediate == unsolicited;
        let id = TaskId::new(task.generation, slot);
        let bhs = ScsiCommand {
            immediate: false,
            is_final,
            read: command.direction == Direction::Read,
            write: is_write,
            attribute: command.attribute,
            ahs_len: 0,
            data_len: immediate,
            lun: command.lun,
            itt: id.itt(),
            edtl: command.len,
            cmd_sn: task.cmd_sn,
            exp_stat_sn: self.status.exp_stat_sn(),
            cdb: command.cdb,
        }
        .encode();
        if is_write {
            task.begin_write(immediate, unsolicited);
        }
        if !is_final {
            self.tasks.join(slot, Lane::Unsolicited);
        }
        Transmit { bhs, data: TransmitData::task(id, 0, immediate) }
    }

    /// The first task of the lane goes on until its sequence is complete: unsolicited data have the
    /// order of their commands (RFC 7143 section 4.2.5.3).
    fn send_unsolicited(&mut self, slot: u16) -> Transmit {
        let end = self.tasks[slot].outward.unsolicited_end;
        let transmit = self.send_data(slot, Ttt::NONE, end);
        if self.tasks[slot].outward.next == end {
            self.tasks.leave(slot);
            self.begin_solicited(slot);
        }
        transmit
    }

    /// R2Ts of a task are answered in their order, those of several tasks in turns.
    fn send_solicited(&mut self, slot: u16) -> Transmit {
        let ready = self.first_ready(slot);
        let transmit = self.send_data(slot, ready.ttt, ready.end);
        self.tasks.leave(slot);
        if self.tasks[slot].outward.next < ready.end {
            self.tasks.join(slot, Lane::Solicited);
        } else {
            self.drop_ready(slot);
            self.begin_solicited(slot);
        }
        transmit
    }

    /// One Data-Out of the running sequence, which ends at `end`.
    fn send_data(&mut self, slot: u16, ttt: Ttt, end: u32) -> Transmit {
        let exp_stat_sn = self.status.exp_stat_sn();
        let task = &mut self.tasks[slot];
        let id = TaskId::new(task.generation, slot);
        let outward = &mut task.outward;
        let offset = outward.next;
        let len = (end - offset).min(self.terms.send_max);
        let bhs = DataOut {
            is_final: offset + len == end,
            data_len: len,
            lun: if ttt == Ttt::NONE { Lun::ZERO } else { task.command.lun },
            itt: id.itt(),
            ttt,
            exp_stat_sn,
            data_sn: outward.data_sn,
            offset,
        }
        .encode();
        outward.next += len;
        outward.sent += len;
        outward.data_sn += 1;
        task.has_progress = true;
        Transmit { bhs, data: TransmitData::task(id, offset, len) }
    }

    /// Starts on the oldest R2T of a task, if there is one and nothing else is under way.
    pub(super) fn begin_solicited(&mut self, slot: u16) {
        let task = &self.tasks[slot];
        if task.outward.ready_count == 0 || self.tasks.is_in_lane(slot) {
            return;
        }
        let Ready { offset, .. } = self.first_ready(slot);
        let outward = &mut self.tasks[slot].outward;
        outward.next = offset;
        outward.data_sn = 0;
        self.tasks.join(slot, Lane::Solicited);
    }
}

impl Task {
    /// The data that go out without being asked for.
    #[inline]
    fn begin_write(&mut self, immediate: u32, unsolicited: u32) {
        self.outward.sent = immediate;
        self.outward.next = immediate;
        self.outward.data_sn = 0;
        self.outward.unsolicited_end = unsolicited;
        self.outward.asked = unsolicited;
    }
}
