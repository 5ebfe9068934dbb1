//! Task management functions: those of the caller, and those of the ladder for overdue tasks.
//!
//! They are immediate and one is on its way at a time, which is what a target has to take with a
//! closed window (RFC 7143 section 4.2.2.1). What a function covers was sent before it: its CmdSN is
//! below the function's. Statuses that come before the answer count; after it none may come (section
//! 11.5.1), so the answer ends what is left. Write data that the target asked for are still sent
//! (section 4.2.3.3), except under FastAbort (section 4.2.3.4).

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::command::{Sent, TaskId};
use super::error::ProtocolError;
use super::event::{AbortCause, Event, Failure, Outcome, TmfOutcome};
use super::session::{Exchange, Session};
use super::stage::{Move, Stage, Step};
use super::state::State;
use super::transmit::{Transmit, TransmitData};
use crate::iscsi::pdu::{
    Itt, RejectReason, TaskFunction, TaskManagementRequest, TaskManagementResponse, TaskResponse,
};
use crate::scsi::Lun;
use crate::serial::Serial;

/// Most functions of the caller that wait.
pub const TMFS_MAX: usize = 32;
/// Most functions without an answer that may still come late.
const ABANDONED_MAX: usize = 16;
/// How often the target may take one for one immediate command too many.
const TRIES_MAX: u8 = 5;
/// Distance between the tries, in nanoseconds.
const TRY_NS: u64 = 10_000_000;

/// A task management function (RFC 7143 section 11.5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tmf {
    /// ABORT TASK.
    AbortTask(TaskId),
    /// ABORT TASK SET: this session's tasks of a logical unit.
    AbortTaskSet(Lun),
    /// CLEAR TASK SET: everybody's tasks of a logical unit.
    ClearTaskSet(Lun),
    /// LOGICAL UNIT RESET.
    LunReset(Lun),
    /// TARGET WARM RESET.
    TargetWarmReset,
    /// TARGET COLD RESET, after which the target drops its connections.
    TargetColdReset,
    /// TASK REASSIGN, which ErrorRecoveryLevel 0 does not have.
    TaskReassign(TaskId),
}

/// The name of a function of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TmfId(u32);

/// Why a function was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TmfError {
    /// [`TMFS_MAX`] wait already.
    Full,
    /// The session is not, or no longer, there for it.
    NotRunning(State),
    /// It needs an ErrorRecoveryLevel of 2 (RFC 7143 section 11.5.1).
    ErrorRecoveryLevel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Origin {
    Caller(TmfId),
    Ladder,
}

/// A function that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Order {
    tmf: Tmf,
    origin: Origin,
    tries: u8,
    not_before_ns: u64,
}

/// A function that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Flight {
    order: Order,
    itt: Itt,
    cmd_sn: Serial,
    by_ns: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tmfs {
    queue: VecDeque<Order>,
    flight: Option<Flight>,
    abandoned: Vec<Flight>,
    of_caller: usize,
    ids: u32,
}

impl Tmfs {
    pub(super) fn new(tasks_max: u16) -> Tmfs {
        Tmfs {
            queue: VecDeque::with_capacity(usize::from(tasks_max) + TMFS_MAX),
            flight: None,
            abandoned: Vec::with_capacity(ABANDONED_MAX),
            of_caller: 0,
            ids: 0,
        }
    }

    /// When the answer is overdue, or the next try is due.
    pub(super) fn next_ns(&self) -> u64 {
        match (&self.flight, self.queue.front()) {
            (Some(flight), _) => flight.by_ns,
            (None, Some(order)) if order.not_before_ns > 0 => order.not_before_ns,
            _ => u64::MAX,
        }
    }
}

impl Tmf {
    fn function(self) -> TaskFunction {
        match self {
            Tmf::AbortTask(_) => TaskFunction::AbortTask,
            Tmf::AbortTaskSet(_) => TaskFunction::AbortTaskSet,
            Tmf::ClearTaskSet(_) => TaskFunction::ClearTaskSet,
            Tmf::LunReset(_) => TaskFunction::LogicalUnitReset,
            Tmf::TargetWarmReset => TaskFunction::TargetWarmReset,
            Tmf::TargetColdReset => TaskFunction::TargetColdReset,
            Tmf::TaskReassign(_) => TaskFunction::TaskReassign,
        }
    }

    /// True where the answer says that what the function covers is gone.
    fn is_done_by(self, response: TaskResponse) -> bool {
        match self {
            Tmf::AbortTask(_) => {
                matches!(response, TaskResponse::Complete | TaskResponse::TaskDoesNotExist)
            }
            _ => response == TaskResponse::Complete,
        }
    }
}

impl Session {
    /// Asks for a function. [`Event::TmfDone`] is told after the tasks that it ended.
    ///
    /// # Errors
    /// Where it cannot be asked for.
    pub fn task_management(&mut self, tmf: Tmf) -> Result<TmfId, TmfError> {
        if !self.state.sends() {
            return Err(TmfError::NotRunning(self.state));
        }
        if matches!(tmf, Tmf::TaskReassign(_)) {
            return Err(TmfError::ErrorRecoveryLevel);
        }
        if self.tmfs.of_caller == TMFS_MAX {
            return Err(TmfError::Full);
        }
        let id = TmfId(self.tmfs.ids);
        self.tmfs.ids = self.tmfs.ids.wrapping_add(1);
        self.tmfs.of_caller += 1;
        if let Tmf::AbortTask(task) = tmf
            && let Some(slot) = self.tasks.find(task)
            && self.tasks[slot].stage == Stage::Queued
        {
            self.cancel(task);
            self.told(Origin::Caller(id), TmfOutcome::NeverSent);
            return Ok(id);
        }
        self.queue(tmf, Origin::Caller(id));
        Ok(id)
    }

    fn queue(&mut self, tmf: Tmf, origin: Origin) {
        self.tmfs.queue.push_back(Order { tmf, origin, tries: 0, not_before_ns: 0 });
        self.is_urgent = true;
    }

    pub(super) fn queue_abort(&mut self, slot: u16) {
        self.queue(Tmf::AbortTask(self.tasks.id(slot)), Origin::Ladder);
    }

    /// One reset serves all tasks of the logical unit that wait for it.
    pub(super) fn queue_reset(&mut self, slot: u16) {
        let tmf = Tmf::LunReset(self.tasks[slot].command.lun);
        let is_same = |order: &Order| order.tmf == tmf && order.origin == Origin::Ladder;
        let flying = self.tmfs.flight.iter().map(|flight| &flight.order);
        if !self.tmfs.queue.iter().chain(flying).any(is_same) {
            self.queue(tmf, Origin::Ladder);
        }
    }

    pub(super) fn send_tmf(&mut self, now_ns: u64) -> Option<Transmit> {
        if self.tmfs.flight.is_some() {
            return None;
        }
        let order = loop {
            let order = *self.tmfs.queue.front()?;
            if order.not_before_ns > now_ns {
                return None;
            }
            self.tmfs.queue.pop_front();
            if self.is_needed(&order) {
                break order;
            }
            self.told(order.origin, TmfOutcome::AlreadyDone);
        };
        let itt = self.tag(Exchange::Tmf);
        let by_ns = now_ns.saturating_add(self.config.tmf_ns);
        let flight = Flight { order, itt, cmd_sn: self.commands.next(), by_ns };
        self.tmfs.flight = Some(flight);
        if self.terms.is_fast_abort {
            self.for_covered(&flight, Session::mute);
        }
        Some(Transmit { bhs: self.tmf_header(&flight).encode(), data: TransmitData::None })
    }

    /// What ended by itself needs no function.
    fn is_needed(&self, order: &Order) -> bool {
        match (order.tmf, order.origin) {
            (Tmf::AbortTask(task), Origin::Caller(_)) => self.tasks.find(task).is_some(),
            (Tmf::AbortTask(task), Origin::Ladder) => {
                let slot = self.tasks.find(task);
                slot.is_some_and(|slot| self.tasks[slot].stage == Stage::Aborting)
            }
            (Tmf::LunReset(lun), Origin::Ladder) => self
                .tasks
                .iter()
                .any(|(_, task)| task.stage == Stage::Resetting && task.command.lun == lun),
            _ => true,
        }
    }

    fn tmf_header(&self, flight: &Flight) -> TaskManagementRequest {
        let mut request = TaskManagementRequest {
            immediate: true,
            function: flight.order.tmf.function(),
            lun: Lun::ZERO,
            itt: flight.itt,
            referenced: Itt::NONE,
            cmd_sn: flight.cmd_sn,
            exp_stat_sn: self.status.exp_stat_sn(),
            ref_cmd_sn: Serial(0),
            exp_data_sn: 0,
        };
        match flight.order.tmf {
            Tmf::AbortTask(task) | Tmf::TaskReassign(task) => {
                let slot = self.tasks.find(task).expect("a function is sent for living tasks");
                request.lun = self.tasks[slot].command.lun;
                request.referenced = task.itt();
                request.ref_cmd_sn = self.tasks[slot].cmd_sn;
            }
            Tmf::AbortTaskSet(lun) | Tmf::ClearTaskSet(lun) | Tmf::LunReset(lun) => {
                request.lun = lun;
            }
            Tmf::TargetWarmReset | Tmf::TargetColdReset => {}
        }
        request
    }

    /// Does something to every task that a function covers.
    fn for_covered(&mut self, flight: &Flight, act: fn(&mut Session, u16)) {
        for slot in 0..self.tasks.capacity() {
            let task = &self.tasks[slot];
            let was_before = task.stage.is_sent() && task.cmd_sn.is_before(flight.cmd_sn);
            let is_covered = was_before
                && match flight.order.tmf {
                    Tmf::AbortTask(task) | Tmf::TaskReassign(task) => self.tasks.id(slot) == task,
                    Tmf::AbortTaskSet(lun) | Tmf::ClearTaskSet(lun) | Tmf::LunReset(lun) => {
                        task.command.lun == lun
                    }
                    Tmf::TargetWarmReset | Tmf::TargetColdReset => true,
                };
            if is_covered {
                act(self, slot);
            }
        }
    }

    /// Sends no more data of a task, whatever the target asks for.
    pub(super) fn mute(&mut self, slot: u16) {
        let task = &mut self.tasks[slot];
        task.is_muted = true;
        task.outward.ready_count = 0;
        if task.stage.is_at_target() {
            self.tasks.leave(slot);
        }
    }

    pub(super) fn tmf_answered(
        &mut self,
        pdu: &TaskManagementResponse,
    ) -> Result<(), ProtocolError> {
        let (flight, is_late) = self.take_flight(pdu.itt)?;
        let is_done = flight.order.tmf.is_done_by(pdu.response);
        if is_done {
            match flight.order.origin {
                Origin::Caller(_) => self.for_covered(&flight, Session::gone_by_caller),
                Origin::Ladder => self.for_covered(&flight, Session::gone),
            }
        }
        if !is_late {
            self.told(flight.order.origin, TmfOutcome::Answered(pdu.response));
            if !is_done {
                self.refused(&flight.order);
            }
        }
        Ok(())
    }

    /// The function that was answered, and whether nobody waits for it any more.
    fn take_flight(&mut self, itt: Itt) -> Result<(Flight, bool), ProtocolError> {
        if let Some(flight) = self.tmfs.flight.take_if(|flight| flight.itt == itt) {
            self.is_urgent = true;
            return Ok((flight, false));
        }
        let at = self.tmfs.abandoned.iter().position(|flight| flight.itt == itt);
        let at = at.ok_or(ProtocolError::TaskTag(itt))?;
        Ok((self.tmfs.abandoned.swap_remove(at), true))
    }

    fn gone_by_caller(&mut self, slot: u16) {
        self.tasks[slot].cause = AbortCause::Caller;
        self.gone(slot);
    }

    /// The target has forgotten a task.
    fn gone(&mut self, slot: u16) {
        assert_eq!(self.advance(slot, Step::Gone), Move::Finish);
        let task = &self.tasks[slot];
        let outcome = if task.is_spoiled {
            Outcome::Retry
        } else {
            Outcome::Aborted { cause: task.cause, sent: Sent::MaybeExecuted }
        };
        self.finish(slot, outcome);
    }

    /// The next step of the ladder for everything that waited for this function.
    fn refused(&mut self, order: &Order) {
        if order.origin != Origin::Ladder {
            return;
        }
        for slot in 0..self.tasks.capacity() {
            let task = &self.tasks[slot];
            let is_hit = match order.tmf {
                Tmf::AbortTask(id) => task.stage == Stage::Aborting && self.tasks.id(slot) == id,
                Tmf::LunReset(lun) => task.stage == Stage::Resetting && task.command.lun == lun,
                _ => false,
            };
            if is_hit && !self.state.is_over() {
                self.advance(slot, Step::Refused);
            }
        }
    }

    fn told(&mut self, origin: Origin, outcome: TmfOutcome) {
        if let Origin::Caller(id) = origin {
            self.tmfs.of_caller -= 1;
            self.tell(Event::TmfDone { id, outcome });
        }
    }

    /// The target did not take a function: one immediate command too many is tried again.
    pub(super) fn tmf_rejected(&mut self, itt: Itt, reason: RejectReason, now_ns: u64) -> bool {
        let Ok((flight, is_late)) = self.take_flight(itt) else { return false };
        let mut order = flight.order;
        if is_late {
            return true;
        }
        if reason.can_be_resent() && order.tries < TRIES_MAX {
            order.tries += 1;
            order.not_before_ns = now_ns.saturating_add(TRY_NS);
            self.tmfs.queue.push_front(order);
        } else {
            self.told(order.origin, TmfOutcome::Rejected(reason));
            self.refused(&order);
        }
        true
    }

    pub(super) fn check_tmfs(&mut self, now_ns: u64) {
        if now_ns < self.tmfs.next_ns() {
            return;
        }
        self.is_urgent = true;
        let Some(flight) = self.tmfs.flight.take() else {
            if let Some(order) = self.tmfs.queue.front_mut() {
                order.not_before_ns = 0;
            }
            return;
        };
        if self.tmfs.abandoned.len() == ABANDONED_MAX {
            self.fail(Failure::TmfStuck);
            return;
        }
        self.tmfs.abandoned.push(flight);
        self.told(flight.order.origin, TmfOutcome::TimedOut);
        self.refused(&flight.order);
    }
}
