//! Task management (RFC 7143 sections 4.2.3 and 11.5): tasks are ended, the shell is asked about
//! what lies outside this session, and the response waits for both.
//!
//! A task that has been answered is finished, not aborted: its data and status leave before the
//! response. One that the shell executes ends when the shell completes it. One that collects data
//! ends at once, except that a function on a task set without FastAbort first waits, for a bounded
//! time, for the data that were asked for (section 4.2.3.3).

use alloc::vec::Vec;

use super::Session;
use super::config::{DRAIN_NS, MANAGEMENT_MAX};
use super::control::LATER;
use super::held::Item;
use super::slab::TaskId;
use super::task::{Abort, Phase};
use super::types::{Event, ManagementId, Scope};
use super::window::Order;
use crate::iscsi::pdu::{
    Bhs, Itt, RejectReason, TargetPdu, TaskFunction, TaskManagementRequest, TaskManagementResponse,
    TaskResponse,
};
use crate::serial::Serial;

/// A function without response.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Function {
    id: ManagementId,
    itt: Itt,
    /// Tasks whose end it waits for.
    affected: Vec<TaskId>,
    /// What the shell said, or what needs no shell.
    response: Option<TaskResponse>,
    /// When data that were asked for are no longer waited for.
    deadline: u64,
}

/// The functions of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Management {
    functions: Vec<Function>,
    count: u32,
    is_draining: bool,
    /// The tag of a cold reset, after whose response the connection closes.
    cold_reset: Option<Itt>,
}

impl Management {
    pub(super) fn is_cold_reset(&self, itt: Itt) -> bool {
        self.cold_reset == Some(itt)
    }

    pub(super) fn deadline(&self) -> Option<u64> {
        let deadlines = self.functions.iter().map(|function| function.deadline);
        deadlines.filter(|_| self.is_draining).min()
    }
}

impl Session {
    pub(super) fn manage(&mut self, pdu: &TaskManagementRequest, bhs: &Bhs) {
        if self.management.functions.len() >= MANAGEMENT_MAX {
            if pdu.immediate {
                return self.reject(RejectReason::ImmediateCommandReject, bhs);
            }
            return self.push_management(pdu.itt, TaskResponse::Rejected);
        }
        match pdu.function {
            TaskFunction::AbortTask => self.abort_task(pdu),
            TaskFunction::AbortTaskSet
            | TaskFunction::ClearTaskSet
            | TaskFunction::LogicalUnitReset => self.abort_set(pdu, Scope::Lun(pdu.lun)),
            TaskFunction::TargetWarmReset => self.abort_set(pdu, Scope::Session),
            TaskFunction::TargetColdReset => {
                self.management.cold_reset = Some(pdu.itt);
                self.abort_set(pdu, Scope::Session);
            }
            TaskFunction::TaskReassign => {
                self.push_management(pdu.itt, TaskResponse::ReassignmentNotSupported);
            }
            TaskFunction::ClearAca | TaskFunction::Other(_) => {
                self.push_management(pdu.itt, TaskResponse::NotSupported);
            }
        }
    }

    /// The three cases of RFC 7143 section 11.6.1: the task is there; it is under way, and its CmdSN
    /// counts as received; it is not there.
    fn abort_task(&mut self, pdu: &TaskManagementRequest) {
        if let Some(task) = self.by_itt.get(pdu.referenced) {
            let affected = self.abort_all(&[task], Abort::Silent, false);
            self.start_function(pdu.itt, affected, Some(TaskResponse::Complete));
        } else if self.plug(pdu.ref_cmd_sn, pdu.cmd_sn) {
            self.push_management(pdu.itt, TaskResponse::Complete);
        } else {
            self.push_management(pdu.itt, TaskResponse::TaskDoesNotExist);
        }
    }

    /// Counts a command that has not come as received.
    fn plug(&mut self, cmd_sn: Serial, before: Serial) -> bool {
        let is_missing = !self.held.contains(cmd_sn) && cmd_sn.is_before(before);
        match self.window.judge(cmd_sn) {
            Order::Due | Order::Early if is_missing => {
                self.held.put(cmd_sn, Item::Plug);
                self.deliver_held();
                true
            }
            _ => false,
        }
    }

    /// Commands that were sent before a function on a set and have not come (they were discarded for
    /// their digest) must not be answered after it (RFC 7143 section 11.5.1): they count as received.
    fn plug_before(&mut self, end: Serial) {
        let mut cmd_sn = self.window.expected();
        while cmd_sn.is_before(end) && self.window.judge(cmd_sn) != Order::Outside {
            if !self.held.contains(cmd_sn) {
                self.held.put(cmd_sn, Item::Plug);
            }
            cmd_sn = cmd_sn.next();
        }
        self.deliver_held();
    }

    /// Tasks that came after the function are not its business (RFC 7143 section 4.2.3.1).
    fn abort_set(&mut self, pdu: &TaskManagementRequest, scope: Scope) {
        let mut meant = self.tasks_of(scope);
        meant.retain(|task| {
            let task = self.tasks.at(*task);
            task.is_immediate || task.cmd_sn.is_before(pdu.cmd_sn)
        });
        let affected = self.abort_all(&meant, Abort::Silent, !self.terms.fast_abort);
        self.plug_before(pdu.cmd_sn);
        let id = self.start_function(pdu.itt, affected, None);
        self.events.push_back(Event::Management { id, function: pdu.function, lun: pdu.lun });
    }

    fn start_function(
        &mut self,
        itt: Itt,
        affected: Vec<TaskId>,
        response: Option<TaskResponse>,
    ) -> ManagementId {
        self.management.count = self.management.count.wrapping_add(1);
        let id = ManagementId(self.management.count);
        affected.iter().for_each(|task| self.tasks.at_mut(*task).is_watched = true);
        let deadline = self.now.saturating_add(DRAIN_NS);
        self.management.functions.push(Function { id, itt, affected, response, deadline });
        self.settle_management();
        id
    }

    /// The shell has done its part of a function and says how it ended.
    ///
    /// # Panics
    /// Where the function is unknown or has its answer.
    pub fn management_done(&mut self, id: ManagementId, response: TaskResponse) {
        let mut all = self.management.functions.iter_mut();
        let function = all.find(|function| function.id == id && function.response.is_none());
        function.expect("a function is answered once").response = Some(response);
        self.settle_management();
    }

    /// Ends tasks for a reason outside this session: a reset or clear by another nexus, a preempt.
    /// With `told` their initiator gets TASK ABORTED (the TAS bit of SPC-4), otherwise nothing.
    /// [`Event::Abort`] follows for tasks that the shell executes.
    pub fn terminate(&mut self, scope: Scope, told: bool) {
        let meant = self.tasks_of(scope);
        self.abort_all(&meant, if told { Abort::Told } else { Abort::Silent }, false);
    }

    /// Aborts, and names the tasks that have not ended yet.
    fn abort_all(&mut self, tasks: &[TaskId], abort: Abort, drains: bool) -> Vec<TaskId> {
        let mut waiting = Vec::new();
        for task in tasks {
            self.abort(*task, abort, drains);
            if self.tasks.get(*task).is_some_and(|task| task.phase != Phase::Leaving) {
                waiting.push(*task);
            }
        }
        waiting
    }

    fn abort(&mut self, id: TaskId, abort: Abort, drains: bool) {
        let is_receiving = self.is_receiving(id);
        let task = self.tasks.at_mut(id);
        match task.phase {
            Phase::Answering | Phase::Leaving => {}
            Phase::Executing => {
                if task.abort.is_none() {
                    self.events.push_back(Event::Abort { task: id });
                }
                task.abort = task.abort.or(Some(abort));
            }
            Phase::Collecting => {
                task.abort = task.abort.or(Some(abort));
                let is_told = abort == Abort::Told;
                let must_wait = is_receiving || is_told || (drains && task.write.is_solicited());
                self.management.is_draining |= drains;
                match (must_wait, is_receiving) {
                    (false, _) => self.abandon(id),
                    (true, false) => self.advance(id),
                    // The end of its data moves it on.
                    (true, true) => {}
                }
            }
        }
    }

    /// A collecting task ends at once; its place in the order stays.
    fn abandon(&mut self, id: TaskId) {
        let task = self.tasks.at(id);
        if !task.is_delivered && !task.is_immediate {
            self.held.put(task.cmd_sn, Item::Plug);
        }
        self.drop_task(id);
    }

    /// A task has ended: whoever waits for it may go on.
    #[inline]
    pub(super) fn task_ended(&mut self, id: TaskId, is_watched: bool) {
        if is_watched {
            for function in &mut self.management.functions {
                function.affected.retain(|other| *other != id);
            }
            self.settle_management();
        }
        self.settle_logout();
    }

    /// Responses leave for functions that wait for nothing more.
    fn settle_management(&mut self) {
        let is_done =
            |function: &Function| function.affected.is_empty() && function.response.is_some();
        while let Some(at) = self.management.functions.iter().position(is_done) {
            let function = self.management.functions.remove(at);
            let response = function.response.expect("a function that is done has a response");
            self.push_management(function.itt, response);
        }
        self.management.is_draining &= !self.management.functions.is_empty();
    }

    /// Data that were asked for and do not come are no longer waited for.
    pub(super) fn end_drains(&mut self, now: u64) {
        let late = self.management.functions.iter().filter(|function| function.deadline <= now);
        let late: Vec<_> = late.flat_map(|function| function.affected.clone()).collect();
        for id in late {
            let is_receiving = self.is_receiving(id);
            let draining = self.tasks.get(id).filter(|task| task.phase == Phase::Collecting);
            if draining.is_some() && !is_receiving {
                self.abandon(id);
            }
        }
        let is_over = self.management.functions.iter().all(|function| function.deadline <= now);
        self.management.is_draining &= !is_over;
    }

    fn push_management(&mut self, itt: Itt, response: TaskResponse) {
        let (stat_sn, exp_cmd_sn, max_cmd_sn) = (LATER, LATER, LATER);
        let pdu = TaskManagementResponse { response, itt, stat_sn, exp_cmd_sn, max_cmd_sn };
        self.push_control(TargetPdu::TaskManagementResponse(pdu), Vec::new());
    }
}
