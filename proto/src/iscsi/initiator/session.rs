//! The session itself: what it holds, submitting, events, and its end.

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

use super::command::{Command, Direction, Sent, TaskId, Unfinished};
use super::config::{Config, Start, TASKS_MAX, Terms};
use super::event::{AbortCause, Event, Failure, Outcome};
use super::logout::Logout;
use super::nop::Nop;
use super::receive::Pending;
use super::slab::{Lane, Slab};
use super::stage::{Move, Stage, Step};
use super::state::{State, Turn};
use super::task::Ready;
use super::text::Text;
use super::tmf::Tmfs;
use crate::iscsi::negotiate::SessionParams;
use crate::iscsi::pdu::Itt;
use crate::iscsi::window::{CommandWindow, StatusWindow};

/// Events besides completions that wait without an allocation.
const OTHER_EVENTS: usize = 64;

/// An exchange that is no SCSI task. The low half of its tag is above every slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub(super) enum Exchange {
    Nop = 0xff00,
    Text = 0xff01,
    Logout = 0xff02,
    Tmf = 0xff03,
}

const _: () = assert!(TASKS_MAX < Exchange::Nop as u16);

/// Why a command was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SubmitError {
    /// All slots are used.
    Full,
    /// The session is not, or no longer, there for commands.
    NotRunning(State),
    /// A discovery session has no commands (RFC 7143 section 4.3).
    Discovery,
}

/// A session in full-feature phase. See the module for its contract.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Session {
    pub(super) terms: Terms,
    pub(super) config: Config,
    pub(super) state: State,
    pub(super) cid: u16,
    pub(super) commands: CommandWindow,
    pub(super) status: StatusWindow,
    pub(super) tasks: Slab,
    /// The R2Ts of all tasks: a ring of `terms.r2ts_max` for each slot.
    pub(super) ready: Vec<Ready>,
    /// The lane that sends next, so that data and commands take turns.
    pub(super) turn: Lane,
    /// Something other than commands and data may have to be sent.
    pub(super) is_urgent: bool,
    /// The PDU whose data segment is arriving.
    pub(super) pending: Pending,
    pub(super) nop: Nop,
    pub(super) tmfs: Tmfs,
    pub(super) text: Text,
    pub(super) logout: Logout,
    /// No task is due before.
    pub(super) next_check_ns: u64,
    events: VecDeque<Event>,
    orders: u64,
    exchanges: u16,
}

impl Session {
    /// A session at the end of its login. All memory of the data path is taken here.
    ///
    /// # Panics
    /// With more than [`TASKS_MAX`] tasks or [`super::R2TS_MAX`] R2Ts.
    #[must_use]
    pub fn new(params: &SessionParams, start: Start, config: Config, now_ns: u64) -> Session {
        assert!(config.tasks_max <= TASKS_MAX, "at most {TASKS_MAX} tasks");
        let terms = Terms::new(params);
        let tasks = usize::from(config.tasks_max);
        Session {
            terms,
            config,
            state: State::Running,
            cid: start.cid,
            commands: CommandWindow::new(start.cmd_sn, start.exp_cmd_sn, start.max_cmd_sn),
            status: StatusWindow::new(start.exp_stat_sn),
            tasks: Slab::new(config.tasks_max),
            ready: vec![Ready::NONE; tasks * usize::from(terms.r2ts_max)],
            turn: Lane::Commands,
            is_urgent: false,
            pending: Pending::Nothing,
            nop: Nop::new(now_ns),
            tmfs: Tmfs::new(config.tasks_max),
            text: Text::default(),
            logout: Logout::default(),
            next_check_ns: u64::MAX,
            events: VecDeque::with_capacity(tasks + OTHER_EVENTS),
            orders: 0,
            exchanges: 0,
        }
    }

    /// Takes a command. Its buffer belongs to the session until the task ends.
    ///
    /// # Errors
    /// Where no command can be taken.
    ///
    /// # Panics
    /// With a length and no direction.
    #[inline]
    pub fn submit(&mut self, command: Command, now_ns: u64) -> Result<TaskId, SubmitError> {
        assert!(command.direction != Direction::None || command.len == 0, "no data, no length");
        if !self.state.takes_commands() {
            return Err(SubmitError::NotRunning(self.state));
        }
        if self.terms.is_discovery {
            return Err(SubmitError::Discovery);
        }
        let id = self.tasks.insert(command, self.orders, now_ns).ok_or(SubmitError::Full)?;
        self.orders += 1;
        self.tasks.join(id.slot(), Lane::Commands);
        self.next_check_ns = self.next_check_ns.min(command.deadline_ns);
        Ok(id)
    }

    /// What happened; nothing where all was told.
    #[inline]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Where the session stands.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Tasks that are queued or at the target.
    #[must_use]
    #[inline]
    pub fn in_flight(&self) -> u16 {
        self.tasks.used()
    }

    /// Commands that the target takes at the moment, besides those that are there.
    #[must_use]
    pub fn credit(&self) -> u32 {
        self.commands.credit()
    }

    /// What was asked under that name; nothing where the task ended.
    #[must_use]
    pub fn command(&self, task: TaskId) -> Option<&Command> {
        self.tasks.find(task).map(|slot| &self.tasks[slot].command)
    }

    /// Gives a task up. A queued one ends at once and costs nothing; one that was sent ends when the
    /// target says that it is gone, by the same ladder as one that is overdue.
    ///
    /// Answers false where the task ended before.
    pub fn cancel(&mut self, task: TaskId) -> bool {
        let Some(slot) = self.tasks.find(task) else { return false };
        if !self.state.is_over() {
            self.give_up(slot, Step::Cancelled, AbortCause::Caller);
        }
        true
    }

    /// Ends the session out of order: the caller knows that the connection is of no use.
    pub fn fail(&mut self, failure: Failure) {
        if self.state.is_over() {
            return;
        }
        self.turn_to(Turn::Fail);
        self.pending = Pending::Nothing;
        self.is_urgent = false;
        self.events.push_back(Event::Failed(failure));
    }

    /// The commands that did not end, in the order of their submission, for replay. The caller sees
    /// to it that the target has forgotten this session before it replays (RFC 7143 section 6.3.5).
    ///
    /// # Panics
    /// Where the session is not over, or completions were not taken from [`Session::poll_event`].
    pub fn into_unfinished(self) -> impl Iterator<Item = Unfinished> {
        assert!(self.state.is_over(), "a session that lives finishes its tasks");
        let is_told = |event: &Event| !matches!(event, Event::Completed { .. });
        assert!(self.events.iter().all(is_told), "completions are taken first");
        let mut slots: Vec<_> = self.tasks.iter().map(|(slot, task)| (task.order, slot)).collect();
        slots.sort_unstable();
        slots.into_iter().map(move |(_, slot)| {
            let task = &self.tasks[slot];
            let sent = if task.stage.is_sent() { Sent::MaybeExecuted } else { Sent::Never };
            Unfinished { task: self.tasks.id(slot), command: task.command, sent }
        })
    }

    #[inline]
    pub(super) fn tell(&mut self, event: Event) {
        self.events.push_back(event);
    }

    /// Ends a task.
    #[inline]
    pub(super) fn finish(&mut self, slot: u16, outcome: Outcome) {
        let task = self.tasks.id(slot);
        self.tasks.remove(slot);
        self.tell(Event::Completed { task, outcome });
        if self.state != State::Running {
            self.is_urgent = true;
        }
    }

    /// Takes one step in the life of a task and queues the function that its new stage needs.
    /// Finishing is left to the caller, who knows the outcome.
    pub(super) fn advance(&mut self, slot: u16, step: Step) -> Move {
        let next = self.tasks[slot].stage.step(step);
        match next {
            Move::To(stage) => {
                self.tasks[slot].stage = stage;
                match stage {
                    Stage::Aborting => self.queue_abort(slot),
                    Stage::Resetting => self.queue_reset(slot),
                    _ => {}
                }
            }
            Move::FailSession => self.fail(Failure::TaskStuck(self.tasks.id(slot))),
            Move::Stay | Move::Finish => {}
        }
        next
    }

    /// Goes one step towards the end of a task that is given up.
    pub(super) fn give_up(&mut self, slot: u16, step: Step, cause: AbortCause) {
        if self.tasks[slot].stage == Stage::Resending && step == Step::Cancelled {
            // ABORT TASK with its CmdSN fills the hole that the rejected command left (RFC 7143
            // section 11.5.5).
            self.tasks.leave(slot);
        }
        let was_sent = self.tasks[slot].stage.is_sent();
        match self.advance(slot, step) {
            Move::Finish if !was_sent => {
                self.finish(slot, Outcome::Aborted { cause, sent: Sent::Never });
            }
            Move::To(_) => self.tasks[slot].cause = cause,
            _ => {}
        }
    }

    /// A tag for an exchange that is no SCSI task.
    pub(super) fn tag(&mut self, exchange: Exchange) -> Itt {
        self.exchanges = self.exchanges.wrapping_add(1);
        TaskId::new(self.exchanges, exchange as u16).itt()
    }

    /// Moves the session on.
    pub(super) fn turn_to(&mut self, turn: Turn) {
        if let Some(state) = self.state.after(turn) {
            self.state = state;
            self.is_urgent = true;
        }
    }
}
