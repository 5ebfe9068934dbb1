//! SCSI commands: admitted, put in order, their write data collected, handed to the shell.

use super::Session;
use super::config::IMMEDIATE_TASKS_MAX;
use super::error::ProtocolError;
use super::held::Item;
use super::receive::Pending;
use super::slab::TaskId;
use super::task::{Abort, Fault, Phase, Task};
use super::types::{Event, Receive, Reply};
use super::window::Order;
use super::write::{Verdict, WriteData};
use crate::iscsi::pdu::{Bhs, DataOut, Itt, RejectReason, ScsiCommand};
use crate::scsi::Status;

impl Session {
    /// What is outside the window, or there already, is ignored (RFC 7143 section 4.2.2.1). What is
    /// refused for good takes its place in the order, so that those behind it are not held up.
    #[inline]
    pub(super) fn command_header(
        &mut self,
        command: ScsiCommand,
        bhs: &Bhs,
    ) -> Result<Receive, ProtocolError> {
        self.acknowledge(command.exp_stat_sn)?;
        if !self.is_in_window(&command) {
            return Ok(self.discard(command.data_len));
        }
        if let Some(reason) = self.refusal(&command) {
            self.reject(reason, bhs);
            if !command.immediate {
                self.take_turn(command.cmd_sn, Item::Plug);
            }
            return Ok(self.discard(command.data_len));
        }
        Ok(self.admit(command, bhs))
    }

    #[inline]
    fn is_in_window(&self, command: &ScsiCommand) -> bool {
        command.immediate
            || match self.window.judge(command.cmd_sn) {
                Order::Due => true,
                Order::Early => !self.held.contains(command.cmd_sn),
                Order::Outside => false,
            }
    }

    /// Commands in both directions and commands with additional headers are not spoken here
    /// (RFC 7143 section 11.17.1 has the reasons).
    #[inline]
    fn refusal(&self, command: &ScsiCommand) -> Option<RejectReason> {
        if self.terms.is_discovery {
            Some(RejectReason::ProtocolError)
        } else if command.itt == Itt::NONE {
            Some(RejectReason::InvalidPduField)
        } else if (command.read && command.write) || command.ahs_len > 0 {
            Some(RejectReason::CommandNotSupported)
        } else if self.by_itt.get(command.itt).is_some() {
            Some(RejectReason::TaskInProgress)
        } else if command.immediate && self.immediate >= IMMEDIATE_TASKS_MAX {
            Some(RejectReason::ImmediateCommandReject)
        } else {
            None
        }
    }

    #[inline]
    fn admit(&mut self, command: ScsiCommand, bhs: &Bhs) -> Receive {
        let len = command.data_len;
        let write = self.write_data(&command);
        let is_faulty = write.fault.is_some();
        self.immediate += u16::from(command.immediate);
        let (itt, task) = (command.itt, Task::new(command, write));
        let task = self.tasks.insert(task).expect("the window is no wider than the free slots");
        self.by_itt.insert(itt, task);
        if len == 0 {
            self.command_arrived(task);
            return Receive::Nothing;
        }
        self.pending = Pending::Immediate { task, len };
        self.pending_bhs = *bhs;
        if is_faulty { Receive::Discard { len } } else { Receive::Task { task, offset: 0, len } }
    }

    /// Immediate data need ImmediateData=Yes and fit FirstBurstLength and the transfer; F=0 announces
    /// more unsolicited data, which need InitialR2T=No (RFC 7143 sections 11.3.4, 13.10, 13.11).
    #[inline]
    fn write_data(&self, command: &ScsiCommand) -> WriteData {
        let len = if command.write { command.edtl } else { 0 };
        let mut write = WriteData::new(len, self.terms.first_burst_max, self.terms.burst_max);
        let is_allowed = self.terms.immediate_data && command.data_len <= write.immediate_max();
        if command.data_len > 0 && !is_allowed {
            write.fail(Fault::UnexpectedUnsolicited);
        }
        if command.write && !command.is_final {
            write.open_unsolicited();
            if self.terms.initial_r2t {
                write.fail(Fault::UnexpectedUnsolicited);
            }
        }
        write
    }

    /// A command with a digest error in its data is discarded as if it had not come; its CmdSN stays
    /// due until it is sent again (RFC 7143 sections 7.8 and 7.2.1).
    pub(super) fn immediate_passed(&mut self, task: TaskId, len: u32, is_intact: bool) {
        if !is_intact {
            let bhs = self.pending_bhs;
            self.reject(RejectReason::DataDigestError, &bhs);
            self.drop_task(task);
            return;
        }
        let state = self.tasks.at_mut(task);
        if state.write.fault.is_none() {
            state.write.immediate_arrived(len);
        }
        self.command_arrived(task);
    }

    /// The command is here with its immediate data.
    #[inline]
    fn command_arrived(&mut self, task: TaskId) {
        let state = self.tasks.at(task);
        if state.is_immediate {
            self.deliver_task(task);
        } else {
            self.take_turn(state.cmd_sn, Item::Task(task));
        }
    }

    /// The turn of a task has come.
    #[inline]
    pub(super) fn deliver_task(&mut self, task: TaskId) {
        let state = self.tasks.at_mut(task);
        state.is_delivered = true;
        if !state.is_immediate {
            self.active += 1;
            self.occupied += 1;
        }
        self.advance(task);
    }

    /// Moves a collecting task on, where nothing is missing any more.
    #[inline]
    pub(super) fn advance(&mut self, id: TaskId) {
        let task = self.tasks.at_mut(id);
        if !task.is_delivered || task.phase != Phase::Collecting {
            return;
        }
        let wants_r2t = task.write.wants_r2t(self.terms.r2ts_max) && task.abort.is_none();
        let is_open = task.write.is_open();
        if task.is_soliciting != wants_r2t {
            self.solicit(id, wants_r2t);
        }
        if !wants_r2t && !is_open {
            self.collected(id);
        }
    }

    /// Into the queue of those that may send an R2T, or, after a fault or an abort, out of it.
    fn solicit(&mut self, id: TaskId, wants_r2t: bool) {
        self.tasks.at_mut(id).is_soliciting = wants_r2t;
        if wants_r2t {
            self.soliciting.push_back(id);
        } else {
            self.soliciting.retain(|other| *other != id);
        }
    }

    /// No more data come: the shell executes, or the task ends here.
    #[inline]
    fn collected(&mut self, id: TaskId) {
        let task = self.tasks.at_mut(id);
        match (task.abort, task.write.fault) {
            (Some(Abort::Silent), _) => self.drop_task(id),
            (Some(Abort::Told), _) => self.answer(id, Reply::failed(Status::TaskAborted, &[])),
            (None, Some(fault)) => {
                let sense = fault.sense().to_fixed();
                self.answer(id, Reply::failed(Status::CheckCondition, &sense));
            }
            (None, None) => {
                assert!(task.write.is_complete(), "a command executes with all its data");
                task.phase = Phase::Executing;
                let command = task.to_command(id);
                self.events.push_back(Event::Command(command));
            }
        }
    }

    /// A tag that names no open sequence is an invalid field; the task itself goes on
    /// (RFC 7143 section 11.17.1).
    #[inline]
    pub(super) fn data_of_task(&mut self, task: TaskId, pdu: &DataOut, bhs: &Bhs) -> Receive {
        let state = self.tasks.at_mut(task);
        let due = Session::transfer_tag(task, state.write.due_r2t_sn());
        let (len, is_final) = (pdu.data_len, pdu.is_final);
        let verdict = if state.phase == Phase::Collecting {
            state.write.judge(pdu, due)
        } else {
            Verdict::NoSequence
        };
        if verdict == Verdict::NoSequence {
            self.reject(RejectReason::InvalidPduField, bhs);
            return self.discard(len);
        }
        if len == 0 {
            self.data_out_passed(task, 0, is_final, true);
            return Receive::Nothing;
        }
        self.pending = Pending::DataOut { task, len, is_final };
        self.pending_bhs = *bhs;
        match verdict {
            Verdict::Keep { offset } if self.tasks.at(task).abort.is_none() => {
                Receive::Task { task, offset, len }
            }
            _ => Receive::Discard { len },
        }
    }

    /// Data with a digest error fail the task once all that was asked for has come
    /// (RFC 7143 section 7.8, choice b).
    #[inline]
    pub(super) fn data_out_passed(
        &mut self,
        task: TaskId,
        len: u32,
        is_final: bool,
        is_intact: bool,
    ) {
        if !is_intact {
            let bhs = self.pending_bhs;
            self.reject(RejectReason::DataDigestError, &bhs);
            self.tasks.at_mut(task).write.fail(Fault::Crc);
        }
        self.tasks.at_mut(task).write.passed(len, is_final);
        self.advance(task);
    }

    /// Ends a task that has no answer, and frees its slot.
    pub(super) fn drop_task(&mut self, id: TaskId) {
        let task = self.tasks.remove(id);
        assert!(task.phase != Phase::Leaving, "a task that answered is not dropped");
        self.by_itt.remove(task.itt);
        self.soliciting.retain(|other| *other != id);
        if task.is_immediate {
            self.immediate -= 1;
        } else if task.is_delivered {
            self.active -= 1;
            self.occupied -= 1;
        }
        self.events.push_back(Event::Dropped { task: id });
        self.task_ended(id, task.is_watched);
    }
}
