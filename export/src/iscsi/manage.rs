//! Commands are ended across sessions: task management and PREEMPT AND ABORT.
//!
//! The session that a function came in by has ended its own commands; here those of others end,
//! and nothing is answered before the device is done with them (RFC 7143 section 4.2.3, SPC-4
//! section 5.13.11.2.6).

use std::rc::Rc;

use byway_proto::iscsi::negotiate::TaskReporting;
use byway_proto::iscsi::pdu::{AsyncEvent, TaskFunction, TaskResponse};
use byway_proto::iscsi::target::{Command, ManagementId, Scope, TaskId};
use byway_proto::scsi::unit::{NexusId, Reset, ScsiReply};
use byway_proto::scsi::{Lun, Sense, SenseCode, SenseKey};

use super::connection::Connection;
use super::node::Node;
use super::slot::Stage;
use super::unit::Unit;

/// Flat addressing of a number that has the peripheral form too.
const FLAT: u64 = 0x4000 << 48;

/// A function of a session.
pub(crate) async fn run(
    connection: Rc<Connection>,
    id: ManagementId,
    function: TaskFunction,
    lun: Lun,
) {
    let node = Rc::clone(&connection.node);
    let response = perform(&node, &connection, function, lun).await;
    connection.inner.borrow_mut().session.management_done(id, response);
    connection.advance();
}

async fn perform(
    node: &Rc<Node>,
    connection: &Rc<Connection>,
    function: TaskFunction,
    lun: Lun,
) -> TaskResponse {
    if matches!(function, TaskFunction::TargetWarmReset | TaskFunction::TargetColdReset) {
        reset_target(node, connection, function == TaskFunction::TargetColdReset).await;
        return TaskResponse::Complete;
    }
    let Some(unit) = node.unit(lun).cloned() else { return TaskResponse::LunDoesNotExist };
    match function {
        TaskFunction::ClearTaskSet => clear_task_set(node, connection, &unit).await,
        TaskFunction::LogicalUnitReset => {
            let told = unit.machine.borrow().answers_task_aborted();
            let ending = end_commands(node, &unit, told, |other| other.index != connection.index);
            ending.wait(node).await;
            unit.machine.borrow_mut().reset(Reset::LogicalUnit);
        }
        _ => {}
    }
    TaskResponse::Complete
}

async fn clear_task_set(node: &Rc<Node>, connection: &Rc<Connection>, unit: &Rc<Unit>) {
    let told = unit.machine.borrow().answers_task_aborted();
    let ending = end_commands(node, unit, told, |other| other.index != connection.index);
    let affected: Vec<NexusId> = ending.nexuses();
    ending.wait(node).await;
    unit.machine.borrow_mut().task_set_cleared(&connection.nexus, &affected);
}

/// A cold reset drops every connection besides; that of the function follows its response.
async fn reset_target(node: &Rc<Node>, connection: &Rc<Connection>, is_cold: bool) {
    for unit in node.units() {
        let told = unit.machine.borrow().answers_task_aborted() && !is_cold;
        let ending = end_commands(node, unit, told, |other| other.index != connection.index);
        ending.wait(node).await;
        unit.machine.borrow_mut().reset(Reset::Target);
    }
    if is_cold {
        let others = node.connections(|other| other.index != connection.index);
        others.iter().for_each(|other| other.kill());
    }
}

/// Commands that are on their way to their end.
pub(crate) struct Ending {
    tasks: Vec<(Rc<Connection>, TaskId)>,
}

impl Ending {
    /// Waits until the device is done with all of them.
    pub(crate) async fn wait(self, node: &Rc<Node>) {
        node.is_draining.set(node.is_draining.get() + 1);
        node.changed.until(|| self.is_over().then_some(())).await;
        node.is_draining.set(node.is_draining.get() - 1);
    }

    fn is_over(&self) -> bool {
        self.tasks.iter().all(|(connection, task)| {
            let inner = connection.inner.borrow();
            let slot = &inner.slots[usize::from(task.slot())];
            let is_executing = matches!(slot.stage, Stage::Working | Stage::Held | Stage::Starved);
            slot.task != Some(*task) || !is_executing
        })
    }

    fn nexuses(&self) -> Vec<NexusId> {
        let mut nexuses: Vec<_> = self.tasks.iter().map(|(of, _)| of.nexus.clone()).collect();
        nexuses.sort();
        nexuses.dedup();
        nexuses
    }
}

/// Ends the commands on a unit of the connections that `is_meant` picks; `told` by TASK ABORTED.
pub(crate) fn end_commands(
    node: &Rc<Node>,
    unit: &Unit,
    told: bool,
    is_meant: impl Fn(&Connection) -> bool,
) -> Ending {
    let mut tasks = Vec::new();
    for connection in node.connections(is_meant) {
        let before = tasks.len();
        let mut inner = connection.inner.borrow_mut();
        for slot in &inner.slots {
            let is_executing = matches!(slot.stage, Stage::Working | Stage::Held | Stage::Starved);
            if let (Some(task), true) = (slot.task, is_executing && slot.unit == unit.index) {
                tasks.push((Rc::clone(&connection), task));
            }
        }
        let lun = Lun::flat(unit.number);
        inner.session.terminate(Scope::Lun(lun), told);
        inner.session.terminate(Scope::Lun(Lun(lun.0 | FLAT)), told);
        let is_fast = connection.params.task_reporting == TaskReporting::FastAbort;
        if is_fast && tasks.len() > before {
            inner.session.send_async(AsyncEvent::TasksTerminated, lun, &[]);
        }
        drop(inner);
        connection.advance();
    }
    Ending { tasks }
}

/// A change of reservations that has more to do than to answer.
pub(crate) struct Drain {
    pub(crate) victims: Vec<NexusId>,
    pub(crate) save: Option<Vec<u8>>,
    pub(crate) reply: ScsiReply,
}

impl Drain {
    /// Ends the commands of the victims, saves, answers.
    pub(crate) async fn run(self, connection: Rc<Connection>, unit: Rc<Unit>, command: Command) {
        let node = Rc::clone(&connection.node);
        if !self.victims.is_empty() {
            let told = unit.machine.borrow().answers_task_aborted();
            let is_victim = |other: &Connection| self.victims.contains(&other.nexus);
            end_commands(&node, &unit, told, is_victim).wait(&node).await;
        }
        let reply = match self.save {
            Some(bytes) => save(&node, &unit, bytes, self.reply).await,
            None => self.reply,
        };
        let mut inner = connection.inner.borrow_mut();
        connection.answer(&mut inner, Some(&unit), &command, reply);
        drop(inner);
        connection.advance();
    }
}

/// Saves in the order of the changes: what is newer is never replaced by what is older.
async fn save(node: &Rc<Node>, unit: &Rc<Unit>, bytes: Vec<u8>, reply: ScsiReply) -> ScsiReply {
    let Some(store) = &node.state else { return reply };
    let number = unit.saves.next();
    unit.saves.turn_of(number).await;
    let saved = store.save(unit.number.into(), bytes).await;
    unit.saves.ended();
    match saved {
        Ok(()) => reply,
        Err(error) => {
            tracing::error!(unit = unit.number, error, "reservations are not saved");
            ScsiReply::check(Sense::new(
                SenseKey::HardwareError,
                SenseCode::INTERNAL_TARGET_FAILURE,
            ))
        }
    }
}
