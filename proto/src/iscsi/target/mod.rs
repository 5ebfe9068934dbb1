//! The full-feature phase of an iSCSI session on the target's side: one connection, error recovery
//! level 0 (RFC 7143 sections 4.2 and 11).
//!
//! The shell reads a header, asks [`Session::handle_header`] where its data go, moves them and calls
//! [`Session::handle_data`]; it executes what [`Session::poll_event`] hands out, answers with
//! [`Session::complete`], sends what [`Session::poll_transmit`] yields and confirms the end of each
//! task with [`Session::sent`]. Who owns which buffer is written in `types.rs`.
//!
//! Invariants: StatSN is taken where a status leaves, in one place. A task answers once or, aborted,
//! never. What a peer can make this machine keep is bounded by the limits of `config.rs`.

mod answer;
mod burst;
mod command;
mod config;
mod control;
mod error;
mod held;
mod keepalive;
mod lookup;
mod management;
mod receive;
mod slab;
mod task;
#[cfg(test)]
mod tests;
mod text;
mod transmit;
mod types;
mod window;
mod write;

use alloc::collections::VecDeque;
use alloc::vec::Vec;

pub use config::{
    CONTROL_MAX, Config, DRAIN_NS, IMMEDIATE_TASKS_MAX, INLINE_BYTES_MAX, MANAGEMENT_MAX, R2TS_MAX,
    REJECTS_MAX, STAT_SN_GAP_MAX, Start, TASKS_MAX, TEXT_LEN_MAX,
};
pub use error::ProtocolError;
pub use slab::TaskId;
pub use types::{
    Command, DataOutcome, Direction, Event, ManagementId, Receive, Reply, Scope, TextId, Transmit,
    TransmitData,
};

use super::negotiate::SessionParams;
use super::pdu::{BHS_LEN, Bhs};
use crate::serial::Serial;
use config::Terms;
use control::{Control, Logout};
use held::Held;
use keepalive::Keepalive;
use lookup::Lookup;
use management::Management;
use receive::Pending;
use slab::Slab;
use task::Task;
use text::TextExchange;
use window::Window;

/// One session, from the end of its login to the end of its connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Session {
    terms: Terms,
    cid: u16,
    window: Window,
    stat_sn: Serial,
    acknowledged: Serial,
    tasks: Slab<Task>,
    by_itt: Lookup,
    /// Delivered commands that have not handed over their last PDU; immediate ones apart.
    active: u32,
    /// Slots of delivered commands, immediate ones apart.
    occupied: u32,
    /// Slots of immediate commands.
    immediate: u16,
    held: Held,
    pending: Pending,
    pending_bhs: Bhs,
    events: VecDeque<Event>,
    control: VecDeque<Control>,
    control_bytes: usize,
    /// Tasks that may send R2Ts, tasks that answer, tasks whose status is held back.
    soliciting: VecDeque<TaskId>,
    answering: VecDeque<TaskId>,
    parked: VecDeque<TaskId>,
    is_status_held: bool,
    management: Management,
    text: Option<TextExchange>,
    texts: u32,
    logout: Logout,
    keepalive: Keepalive,
    failure: Option<ProtocolError>,
    now: u64,
}

impl Session {
    /// A session after its login. The first PDU it sends announces the window; `now` starts the
    /// keepalive.
    ///
    /// # Panics
    /// Where `config.tasks_max` is outside its limits.
    #[must_use]
    pub fn new(params: &SessionParams, start: Start, config: Config, now: u64) -> Session {
        let tasks_max = config.tasks_max;
        assert!((1..=TASKS_MAX).contains(&tasks_max), "a window has 1 to TASKS_MAX places");
        let mut window = Window::new(start.exp_cmd_sn, u32::from(tasks_max));
        window.announce(u32::from(tasks_max));
        Session {
            terms: Terms::new(params),
            cid: start.cid,
            window,
            stat_sn: start.stat_sn,
            acknowledged: start.stat_sn,
            tasks: Slab::new(2 * tasks_max + IMMEDIATE_TASKS_MAX),
            by_itt: Lookup::new(),
            active: 0,
            occupied: 0,
            immediate: 0,
            held: Held::new(u32::from(tasks_max)),
            pending: Pending::Header,
            pending_bhs: [0; BHS_LEN],
            events: VecDeque::new(),
            control: VecDeque::new(),
            control_bytes: 0,
            soliciting: VecDeque::new(),
            answering: VecDeque::new(),
            parked: VecDeque::new(),
            is_status_held: false,
            management: Management::default(),
            text: None,
            texts: 0,
            logout: Logout::None,
            keepalive: Keepalive::new(config, now),
            failure: None,
            now,
        }
    }

    /// Slots that tasks may use: every [`TaskId::slot`] is below.
    #[must_use]
    pub fn slots_max(&self) -> u16 {
        self.tasks.capacity()
    }

    /// The command of a living task, for a shell that must know how much room a write needs.
    #[must_use]
    pub fn command(&self, task: TaskId) -> Option<Command> {
        self.tasks.get(task).map(|found| found.to_command(task))
    }

    /// Tasks that live: from their command to `sent` or [`Event::Dropped`].
    #[must_use]
    pub fn live_tasks(&self) -> usize {
        self.tasks.len()
    }

    /// What the shell has to do next.
    #[inline]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Tasks that the shell executes: it must complete them even after the connection is lost.
    pub fn executing(&self) -> impl Iterator<Item = TaskId> {
        let executing = |task: &Task| task.phase == task::Phase::Executing;
        self.tasks.iter().filter(move |(_, task)| executing(task)).map(|(id, _)| id)
    }

    /// Most commands delivered and not yet answered; 0 closes the window once the initiator has used
    /// what was announced. Never above the `tasks_max` of the start.
    pub fn set_window_max(&mut self, places: u32) {
        self.window.set_limit(places.min(self.window_limit_max()));
    }

    /// The initiator has declared another MaxRecvDataSegmentLength in a text request (RFC 7143
    /// section 13.12); it holds from the next PDU on.
    ///
    /// # Panics
    /// At 0, which no key can declare.
    pub fn set_send_segment_max(&mut self, bytes: u32) {
        assert!(bytes > 0, "a segment has 512 bytes at least");
        self.terms.send_segment_max = bytes;
    }

    /// This side has declared another MaxRecvDataSegmentLength, and the initiator has seen it.
    pub fn set_recv_segment_max(&mut self, bytes: u32) {
        self.terms.recv_segment_max = bytes;
    }

    fn window_limit_max(&self) -> u32 {
        u32::from((self.tasks.capacity() - IMMEDIATE_TASKS_MAX) / 2)
    }

    /// Places that the window may announce: what the limit leaves, what the slots leave, and none
    /// while too many answers wait.
    #[inline]
    fn free_places(&self) -> u32 {
        if self.control.len() >= CONTROL_MAX {
            return 0;
        }
        let slots = 2 * self.window_limit_max();
        self.window.limit().saturating_sub(self.active).min(slots - self.occupied)
    }

    /// All living tasks of a scope, in the order of their slots.
    fn tasks_of(&self, scope: Scope) -> Vec<TaskId> {
        let is_meant = |id: TaskId, task: &Task| match scope {
            Scope::Task(meant) => id == meant,
            Scope::Lun(lun) => task.command.lun == lun,
            Scope::Session => true,
        };
        let all = self.tasks.iter().filter(|(id, task)| is_meant(*id, task));
        all.map(|(id, _)| id).collect()
    }
}
