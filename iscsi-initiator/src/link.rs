//! One connection in full-feature phase: the session machine, what it sends, whose data come.
//!
//! One future receives, one sends, one watches the time; they end together, and then every buffer
//! is back. What a task's end means is the business of who submitted it: the [`Sink`].

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::task::Poll;

use byway_engine::core::{Core, PollMode, Signal};
use byway_engine::net::{Inbox, Outbox, Stream};
use byway_proto::iscsi::initiator::{
    Command, Event, Failure, Outcome, Sent, Session, TaskId, Tmf, TmfId, TmfOutcome,
};
use byway_proto::iscsi::negotiate::SessionParams;
use byway_proto::iscsi::pdu::TaskAttribute;

use crate::control::{self, Control, End};
use crate::flight::{Flight, IoFlight};
use crate::gather::{Gather, STALL_NS};
use crate::intake::Intake;
use crate::request::Request;

/// The longest sleep of the watch over time, in nanoseconds.
const TICK_NS_MAX: u64 = 500_000_000;
/// How often a logout or a task management function is looked at, in nanoseconds.
const LEAVE_NS: u64 = 1_000_000;

/// Who wants to know how requests ended.
pub(crate) trait Sink {
    /// A request that was submitted to the link of `path` ended; the target does not execute it any
    /// more.
    fn ended(&self, path: usize, request: Request, outcome: Outcome);

    /// The window may have room again.
    fn has_room(&self, path: usize);
}

/// A connection with its session.
pub(crate) struct Link {
    pub(crate) core: Rc<Core>,
    pub(crate) stream: Stream,
    pub(crate) session: RefCell<Option<Session>>,
    pub(crate) outbox: RefCell<Outbox>,
    pub(crate) flights: RefCell<Vec<Flight>>,
    /// Tasks that ended while a part of their buffer was being sent: their slots may have others.
    pub(crate) lingering: RefCell<Vec<IoFlight>>,
    /// Ends of tasks whose turn is not yet.
    pub(crate) ready: RefCell<VecDeque<(Request, Outcome)>>,
    pub(crate) header_digest: bool,
    pub(crate) data_digest: bool,
    pub(crate) path: usize,
    pub(crate) sink: Weak<dyn Sink>,
    pub(crate) to_send: Signal,
    pub(crate) failure: Cell<Option<Failure>>,
    pub(crate) command_ns: u64,
    /// Task management functions that ended, until those who asked for them look.
    pub(crate) managed: RefCell<Vec<(TmfId, TmfOutcome)>>,
    pub(crate) gather: RefCell<Gather>,
    /// Bytes that the target will send for the tasks in flight.
    pub(crate) expected: Cell<u64>,
    /// Tasks that have ended since that was last looked at.
    pub(crate) answers: Cell<u32>,
    /// Receives that brought something.
    pub(crate) received: Cell<u64>,
    /// The session ended with tasks that the target may still execute.
    pub(crate) left_tasks: Cell<bool>,
}

/// A request that a session did not finish.
pub(crate) type Unfinished = (Request, Sent);

impl Link {
    pub(crate) fn new(
        core: &Rc<Core>,
        stream: Stream,
        session: Session,
        params: &SessionParams,
        path: usize,
        command_ns: u64,
        sink: Weak<dyn Sink>,
    ) -> Option<Rc<Link>> {
        let slots = usize::from(crate::config::TASKS_MAX);
        Some(Rc::new(Link {
            core: Rc::clone(core),
            stream,
            session: RefCell::new(Some(session)),
            outbox: RefCell::new(Outbox::new(core)?),
            flights: RefCell::new((0..slots).map(|_| Flight::Free).collect()),
            lingering: RefCell::default(),
            ready: RefCell::new(VecDeque::with_capacity(slots)),
            header_digest: params.header_digest,
            data_digest: params.data_digest,
            path,
            sink,
            to_send: Signal::default(),
            failure: Cell::new(None),
            command_ns,
            managed: RefCell::default(),
            gather: RefCell::default(),
            expected: Cell::new(0),
            answers: Cell::new(0),
            received: Cell::new(0),
            left_tasks: Cell::new(false),
        }))
    }

    /// Takes a request, or gives it back where the session has no room or is over.
    #[inline]
    pub(crate) fn submit(
        &self,
        request: Request,
        command: Command,
        now: u64,
    ) -> Result<(), Request> {
        let mut session = self.session.borrow_mut();
        let Some(session) = session.as_mut() else { return Err(request) };
        let Ok(task) = session.submit(command, now) else { return Err(request) };
        let flight = IoFlight::new(task, request);
        self.expected.set(self.expected.get() + flight.expected());
        let flight = Flight::Io(flight);
        self.flights.borrow_mut()[usize::from(task.slot())] = flight;
        Ok(())
    }

    /// Something was submitted: let it leave.
    #[inline]
    pub(crate) fn kick(&self) {
        self.to_send.raise();
    }

    /// Runs a command of the initiator itself.
    pub(crate) async fn execute(&self, control: &Rc<Control>) -> End {
        let command = Command {
            lun: control.lun,
            cdb: control.cdb,
            direction: control.direction,
            len: control.data.borrow().len() as u32,
            attribute: TaskAttribute::Simple,
            deadline_ns: self.core.now() + self.command_ns,
        };
        {
            let mut session = self.session.borrow_mut();
            let task = session.as_mut().map(|s| s.submit(command, self.core.now()));
            let Some(Ok(task)) = task else { return End::NotSent };
            let flight = Flight::Control(Rc::clone(control));
            self.flights.borrow_mut()[usize::from(task.slot())] = flight;
        }
        self.kick();
        control.ended().await
    }

    /// Asks for a task management function, and waits for its end; nothing where the session ends
    /// before.
    pub(crate) async fn manage(&self, tmf: Tmf) -> Option<TmfOutcome> {
        let id = self.session.borrow_mut().as_mut()?.task_management(tmf).ok()?;
        self.to_send.raise();
        loop {
            if let Some(outcome) = self.take_managed(id) {
                return Some(outcome);
            }
            if self.is_over() {
                return None;
            }
            self.core.sleep(LEAVE_NS).await;
        }
    }

    fn take_managed(&self, id: TmfId) -> Option<TmfOutcome> {
        let mut managed = self.managed.borrow_mut();
        let at = managed.iter().position(|(done, _)| *done == id)?;
        Some(managed.swap_remove(at).1)
    }

    /// Tasks that are queued or at the target.
    pub(crate) fn in_flight(&self) -> u16 {
        self.session.borrow().as_ref().map_or(0, Session::in_flight)
    }

    /// Runs until the session is over; answers why, and what it did not finish in the order of
    /// submission. The connection is reset by the drop of the link.
    pub(crate) async fn run(self: &Rc<Self>, inbox: Inbox) -> (Failure, Vec<Unfinished>) {
        let (mut receive, mut send) = (pin!(self.receive(inbox)), pin!(self.send()));
        let mut watch = pin!(self.watch());
        let (mut received, mut sent, mut is_shut) = (false, false, false);
        poll_fn(|cx| {
            received = received || receive.as_mut().poll(cx).is_ready();
            sent = sent || send.as_mut().poll(cx).is_ready();
            let watched = watch.as_mut().poll(cx).is_ready();
            if (received || sent || watched) && !std::mem::replace(&mut is_shut, true) {
                self.shut();
                received = received || receive.as_mut().poll(cx).is_ready();
                sent = sent || send.as_mut().poll(cx).is_ready();
            }
            if received && sent { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        self.close()
    }

    /// Ends what is under way on the stream, so that it gives its buffers back.
    fn shut(&self) {
        if let Err(error) = self.stream.set_reset_on_drop().and_then(|()| self.stream.shutdown()) {
            tracing::debug!(%error, "the connection was gone before");
        }
        self.fail(Failure::ConnectionLost);
    }

    /// Ends the session for `failure`, unless it is over already.
    pub(crate) fn fail(&self, failure: Failure) {
        if let Some(session) = self.session.borrow_mut().as_mut() {
            session.fail(failure);
        }
        self.settle();
        self.to_send.raise();
    }

    /// Logs out in order, and waits for that.
    pub(crate) async fn leave(&self) {
        if let Some(session) = self.session.borrow_mut().as_mut() {
            session.logout();
        }
        self.to_send.raise();
        while !self.is_over() {
            self.core.sleep(LEAVE_NS).await;
        }
    }

    /// True where the session takes no more.
    pub(crate) fn is_over(&self) -> bool {
        self.session.borrow().as_ref().is_none_or(|session| session.state().is_over())
    }

    async fn receive(&self, mut inbox: Inbox) {
        let mut intake = Intake::new(self.header_digest, self.data_digest);
        while self.take_in(&mut intake, &mut inbox) {
            let direct = intake.direct(&inbox, &self.flights);
            self.gather_answers(direct.is_some());
            let payload = inbox.prepare(direct);
            let (result, payload) = self.stream.receive(payload).await;
            let n = *result.as_ref().unwrap_or(&0);
            self.received.set(self.received.get() + 1);
            if let Some((part, got)) = inbox.finish(payload, n) {
                intake.direct_arrived(part, got, &self.flights);
            }
            if n == 0 {
                if let Err(error) = result {
                    tracing::debug!(%error, "the connection ended");
                }
                return self.fail(Failure::ConnectionLost);
            }
        }
    }

    /// Lets a core that sleeps wait for several answers at once.
    fn gather_answers(&self, is_direct: bool) {
        if self.core.config().poll_mode == PollMode::Always {
            return;
        }
        let mut gather = self.gather.borrow_mut();
        gather.answered(self.answers.replace(0), self.core.now());
        let in_flight = if is_direct { 0 } else { self.in_flight() };
        let low = gather.next(in_flight, self.expected.get());
        drop(gather);
        self.tell_low_water(low);
    }

    fn tell_low_water(&self, low: Option<u32>) {
        let told = low.map(|low| self.stream.set_receive_low_water(low));
        if let Some(Err(error)) = told {
            tracing::debug!(%error, "answers are not gathered");
        }
    }

    /// Hands everything that is there to the session; false where that is over.
    fn take_in(&self, intake: &mut Intake, inbox: &mut Inbox) -> bool {
        let now = self.core.now();
        let goes_on = match self.session.borrow_mut().as_mut() {
            Some(session) => intake.run(session, inbox, &self.flights, now),
            None => false,
        };
        self.settle();
        self.to_send.raise();
        goes_on && !self.is_over()
    }

    /// Tells the ends of tasks.
    fn settle(&self) {
        loop {
            let event = self.session.borrow_mut().as_mut().and_then(Session::poll_event);
            match event {
                Some(Event::Completed { task, outcome }) => self.completed(task, outcome),
                Some(Event::Failed(failure)) => self.failure.set(Some(failure)),
                Some(Event::LoggedOut { .. }) => self.failure.set(Some(Failure::ConnectionLost)),
                Some(Event::TmfDone { id, outcome }) => {
                    self.managed.borrow_mut().push((id, outcome));
                }
                Some(other) => tracing::debug!(?other, "said by the target"),
                None => break,
            }
        }
        self.tell();
    }

    #[inline]
    fn completed(&self, task: TaskId, outcome: Outcome) {
        let mut flights = self.flights.borrow_mut();
        let flight = &mut flights[usize::from(task.slot())];
        match std::mem::replace(flight, Flight::Free) {
            Flight::Io(mut io) if io.is_away() => {
                self.expected.set(self.expected.get() - io.expected());
                io.ended = Some(outcome);
                self.lingering.borrow_mut().push(io);
            }
            Flight::Io(io) => {
                self.expected.set(self.expected.get() - io.expected());
                self.answers.set(self.answers.get() + 1);
                self.ready.borrow_mut().push_back((io.into_request(), outcome));
            }
            Flight::Control(control) => control.finish(control::end_of(&outcome)),
            Flight::Free => unreachable!("a task has a flight"),
        }
    }

    pub(crate) fn tell(&self) {
        let Some(sink) = self.sink.upgrade() else { return };
        let mut any = false;
        loop {
            let next = self.ready.borrow_mut().pop_front();
            let Some((request, outcome)) = next else { break };
            any = true;
            sink.ended(self.path, request, outcome);
        }
        if any {
            sink.has_room(self.path);
        }
    }

    /// Lets the session look at the clock; ends when it is over.
    async fn watch(&self) {
        let mut seen = 0;
        while !self.is_over() {
            let now = self.core.now();
            let pause = if self.gather.borrow().is_waiting() { STALL_NS } else { TICK_NS_MAX };
            let due = self.session.borrow().as_ref().and_then(Session::poll_timeout);
            let next = due.unwrap_or(u64::MAX).min(now + pause).max(now + 1);
            self.core.sleep_until(next).await;
            if std::mem::replace(&mut seen, self.received.get()) == self.received.get() {
                let low = self.gather.borrow_mut().stalled();
                self.tell_low_water(low);
            }
            if let Some(session) = self.session.borrow_mut().as_mut() {
                session.handle_timeout(self.core.now());
            }
            self.settle();
            self.to_send.raise();
        }
    }

    /// Takes the session apart: every part of a buffer is back.
    fn close(&self) -> (Failure, Vec<Unfinished>) {
        self.settle();
        let session = self.session.borrow_mut().take().expect("a link is closed once");
        self.left_tasks.set(session.in_flight() > 0);
        let mut unfinished = Vec::new();
        let mut flights = self.flights.borrow_mut();
        for left in session.into_unfinished() {
            let flight = &mut flights[usize::from(left.task.slot())];
            match std::mem::replace(flight, Flight::Free) {
                Flight::Io(io) => unfinished.push((io.into_request(), left.sent)),
                Flight::Control(control) => control.finish(match left.sent {
                    Sent::Never => End::NotSent,
                    Sent::MaybeExecuted => End::Unknown,
                }),
                Flight::Free => unreachable!("a task has a flight"),
            }
        }
        (self.failure.get().unwrap_or(Failure::ConnectionLost), unfinished)
    }
}
