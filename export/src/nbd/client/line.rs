//! One core's requests and the connection that they take: what goes out, what waits, what has ended.
//!
//! Invariants: every accepted request completes once; what waits is in the order of submission, and
//! nothing newer goes before it; a request leaves its slot when the server has answered and no part
//! of its payload is out. A flush fails once where the server may have lost what its cache held.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use byway_engine::ErrorKind;
use byway_engine::block::{Completion, Completions, DeviceEvent, Io, Op};
use byway_engine::core::{Core, Signal};
use byway_engine::net::{Outbox, Stream};
use byway_proto::nbd::Headers;
use byway_proto::nbd::client::{Opened, Transmission};
use byway_proto::nbd::context::ClientId;
use byway_proto::nbd::errno::NbdErrno;

use super::config::{DEPTH_MAX, Mutation};
use super::device::Shared;
use super::request::Request;
use super::silence::Pulse;
use super::terms::Terms;

/// Where the connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It is being opened: requests wait.
    Down,
    /// Requests are served.
    Up,
    /// It could not be opened for too long: requests fail, until it can.
    Gone,
}

/// A request in its slot.
#[derive(Debug)]
pub(crate) struct Flight {
    pub(crate) request: Request,
    /// How it ended, while a part of its payload is out.
    pub(crate) ended: Option<Option<NbdErrno>>,
}

/// A write whose payload is being copied into the outbox, piece by piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Writing {
    pub(crate) slot: u16,
    /// The next byte, from the start of the payload.
    pub(crate) at: u64,
    pub(crate) left: u64,
}

/// The requests of one channel.
pub(crate) struct Line {
    pub(crate) core: Rc<Core>,
    pub(crate) shared: Arc<Shared>,
    client: ClientId,
    pub(crate) machine: RefCell<Transmission>,
    pub(crate) flights: RefCell<Vec<Option<Flight>>>,
    pub(crate) outbox: RefCell<Outbox>,
    pub(crate) backlog: RefCell<VecDeque<Request>>,
    pub(crate) terms: Cell<Terms>,
    pub(crate) stage: Cell<Stage>,
    pub(crate) writing: Cell<Option<Writing>>,
    pub(crate) to_send: Signal,
    /// The connection is of no use any more.
    pub(crate) is_over: Cell<bool>,
    /// Why the connection is down, for those who wait in vain.
    pub(crate) trouble: RefCell<String>,
    /// The connection, while it is up.
    pub(crate) way: RefCell<Option<(Rc<Stream>, Headers)>>,
    pub(crate) pulse: Pulse,
    done: RefCell<Completions>,
    events: RefCell<VecDeque<DeviceEvent>>,
    in_flight: Cell<u32>,
    orders: Cell<u64>,
    size: Cell<u64>,
    /// The last loss of a cache that this channel has told.
    told_loss: Cell<u64>,
    /// The last loss that a completion tells which the submitter has not fetched yet.
    telling_loss: Cell<u64>,
}

impl Line {
    pub(crate) fn new(
        core: &Rc<Core>,
        shared: &Arc<Shared>,
        client: ClientId,
        outbox: Outbox,
    ) -> Line {
        let (facts, depth) = (&shared.facts, shared.config.depth);
        let losses = shared.losses.load(Ordering::Acquire);
        Line {
            core: Rc::clone(core),
            shared: Arc::clone(shared),
            client,
            machine: RefCell::new(Transmission::new(facts.headers, facts.context, depth)),
            flights: RefCell::new((0..depth).map(|_| None).collect()),
            outbox: RefCell::new(outbox),
            backlog: RefCell::new(VecDeque::with_capacity(usize::from(DEPTH_MAX) + 1)),
            terms: Cell::new(Terms::new(facts)),
            stage: Cell::new(Stage::Down),
            writing: Cell::new(None),
            to_send: Signal::default(),
            is_over: Cell::new(false),
            trouble: RefCell::default(),
            way: RefCell::default(),
            pulse: Pulse::default(),
            done: RefCell::new(Vec::with_capacity(usize::from(DEPTH_MAX))),
            events: RefCell::default(),
            in_flight: Cell::new(0),
            orders: Cell::new(0),
            size: Cell::new(shared.size()),
            told_loss: Cell::new(losses),
            telling_loss: Cell::new(losses),
        }
    }

    /// Accepts a request, or gives it back where too many are there.
    #[inline]
    pub(crate) fn accept(&self, io: Io) -> Result<(), Io> {
        if self.in_flight.get() >= u32::from(DEPTH_MAX) {
            return Err(io);
        }
        self.in_flight.set(self.in_flight.get() + 1);
        if let Some((kind, words)) = self.shared.refusal(&io) {
            self.complete(io.failed(kind, words));
            return Ok(());
        }
        let request = self.request(io);
        if self.stage.get() == Stage::Gone {
            self.no_server(request);
        } else if !self.backlog.borrow().is_empty() {
            self.backlog.borrow_mut().push_back(request);
        } else if let Some(request) = self.send_request(request) {
            self.backlog.borrow_mut().push_back(request);
        }
        Ok(())
    }

    fn request(&self, io: Io) -> Request {
        let order = self.orders.replace(self.orders.get() + 1);
        Request {
            order,
            io,
            done: 0,
            part: 0,
            is_flushing: false,
            maybe_written: false,
            losses: self.told_loss.get(),
            covers: false,
            carved: super::carve::Carved::default(),
        }
    }

    /// Why a flush must not go well: what was written before it may be gone.
    pub(crate) fn lost_cache(&self, request: &Request) -> bool {
        let losses = self.shared.losses.load(Ordering::Acquire);
        let is_told = self.shared.config.mutation != Some(Mutation::LossUntold);
        let is_lost = request.io.op == Op::Flush && losses != request.losses && is_told;
        if is_lost {
            self.telling_loss.set(losses);
        }
        is_lost
    }

    /// Fails a flush that cannot vouch for what was written before it.
    #[cold]
    pub(crate) fn tell_loss(&self, request: Request) {
        let kind = ErrorKind::Aborted { maybe_written: true };
        let words = "the connection was lost with writes that may have been in the server's cache \
                     only; write them again";
        self.fail(request, kind, words);
    }

    /// Puts a request among those that wait, in the order of submission.
    pub(crate) fn wait(&self, request: Request) {
        let mut backlog = self.backlog.borrow_mut();
        let at = backlog.partition_point(|other| other.order < request.order);
        backlog.insert(at, request);
    }

    /// The server answered a request; it leaves its slot when all of its payload is back.
    #[inline]
    pub(crate) fn ended(&self, machine: &mut Transmission, slot: u16, error: Option<NbdErrno>) {
        let mut flights = self.flights.borrow_mut();
        let flight = &mut flights[usize::from(slot)];
        let held = flight.as_mut().expect("the machine knows its requests");
        let is_writing = self.writing.get().is_some_and(|writing| writing.slot == slot);
        if held.request.carved.is_out() || is_writing {
            held.ended = Some(error);
            return;
        }
        let request = flight.take().expect("just seen").request;
        drop(flights);
        self.settle(machine, slot, request, error);
    }

    /// A part of a payload is back, or copied: what had ended meanwhile leaves its slot.
    pub(crate) fn part_back(&self, slot: u16) {
        let mut flights = self.flights.borrow_mut();
        let flight = &mut flights[usize::from(slot)];
        let Some(error) = flight.as_ref().and_then(|flight| flight.ended) else { return };
        let request = flight.take().expect("just seen").request;
        drop(flights);
        self.settle(&mut self.machine.borrow_mut(), slot, request, error);
    }

    /// What the end of what was sent means for its request.
    #[inline]
    fn settle(
        &self,
        machine: &mut Transmission,
        slot: u16,
        mut request: Request,
        error: Option<NbdErrno>,
    ) {
        if let Some(error) = error {
            let text = machine.text(slot).to_owned();
            machine.release(slot);
            return self.refused(request, error, &text);
        }
        if request.io.op == Op::BlockStatus {
            let extents = machine.take_extents(slot);
            machine.release(slot);
            return self.finish(super::intake::told(request.io, &extents));
        }
        machine.release(slot);
        if std::mem::take(&mut request.covers) {
            self.shared.covering.fetch_sub(1, Ordering::AcqRel);
        }
        request.done += std::mem::take(&mut request.part);
        if request.io.op.has_range() && request.done < request.io.len {
            return self.wait(request);
        }
        if !request.is_flushing && self.terms.get().must_flush(&request) {
            request.is_flushing = true;
            return self.wait(request);
        }
        self.went_well(request);
    }

    #[inline]
    pub(crate) fn went_well(&self, request: Request) {
        let op = request.io.op;
        if op == Op::Flush && self.lost_cache(&request) {
            return self.tell_loss(request);
        }
        if op.changes_medium() && !request.io.fua {
            self.shared.mark_dirty();
        }
        self.finish(request.io.done());
    }

    /// The server refused or failed. One that is about to go is left, and the request is sent again.
    #[cold]
    fn refused(&self, mut request: Request, error: NbdErrno, text: &str) {
        self.uncover(&mut request);
        if error == NbdErrno::Eshutdown {
            request.rewind();
            self.wait(request);
            return self.end("the server is shutting down");
        }
        let kind = super::terms::kind_of(error, request.io.op);
        let words = match text {
            "" => format!("the server answered {error:?}"),
            text => format!("the server answered {error:?}: {text}"),
        };
        request.maybe_written |= request.done > 0 && request.io.op.changes_medium();
        self.fail(request, kind, words);
    }

    /// A flush did not do what it was to cover.
    fn uncover(&self, request: &mut Request) {
        if std::mem::take(&mut request.covers) {
            self.shared.mark_dirty();
            self.shared.covering.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// The connection is of no use any more.
    pub(crate) fn end(&self, why: &str) {
        if !self.is_over.replace(true) {
            tracing::debug!(device = self.shared.config.name, why, "the connection ended");
            why.clone_into(&mut self.trouble.borrow_mut());
        }
        self.to_send.raise();
    }

    /// Takes leave of the server, where nothing is on its way to it.
    pub(crate) fn leave(&self) {
        let outbox = self.outbox.borrow();
        let is_clear = outbox.is_empty() && !outbox.is_away() && self.writing.get().is_none();
        if let Some((stream, headers)) = &*self.way.borrow()
            && is_clear
            && !self.is_over.get()
        {
            super::leave::leave(stream, *headers);
        }
    }

    /// The name under which the server ends what earlier connections left.
    pub(crate) fn name(&self) -> Option<ClientId> {
        let is_unsure = self.shared.config.mutation == Some(Mutation::ReplayUnsure);
        (!is_unsure).then_some(self.client)
    }

    /// A connection is up: what waits is sent. What may have been written is not where the server may
    /// still execute its earlier copy, nor where the export is another one by its size.
    pub(crate) fn up(&self, opened: &Opened) {
        let terms = Terms::new(opened);
        self.terms.set(terms);
        self.machine.borrow_mut().restart(opened.headers, opened.context);
        self.is_over.set(false);
        let size = self.shared.fitting(opened.size);
        self.shared.size.store(size, Ordering::Release);
        if self.size.replace(size) != size {
            self.events.borrow_mut().push_back(DeviceEvent::Resized { size });
            self.fail_unsure("the export has another size");
        }
        if !opened.is_alone && self.shared.config.mutation != Some(Mutation::ReplayUnsure) {
            self.fail_unsure("the server does not tell what became of the request");
        }
        self.stage.set(Stage::Up);
        self.pump();
    }

    /// Fails what may have been written and cannot be written again.
    fn fail_unsure(&self, why: &str) {
        let waiting = std::mem::take(&mut *self.backlog.borrow_mut());
        let (unsure, rest) =
            waiting.into_iter().partition(|request: &Request| request.maybe_written);
        *self.backlog.borrow_mut() = rest;
        let kind = ErrorKind::Aborted { maybe_written: true };
        let unsure: VecDeque<Request> = unsure;
        let words = format!("the connection was lost, and {why}");
        unsure.into_iter().for_each(|request| self.fail(request, kind, words.clone()));
    }

    /// The connection is lost: what it did not finish waits for the next one.
    pub(crate) fn down(&self) {
        self.stage.set(Stage::Down);
        let left: Vec<Request> = self
            .flights
            .borrow_mut()
            .iter_mut()
            .filter_map(Option::take)
            .map(|flight| flight.request)
            .collect();
        let terms = self.terms.get();
        self.machine.borrow_mut().restart(self.shared.facts.headers, None);
        if terms.has_cache() {
            self.shared.connection_lost();
        }
        for mut request in left {
            request.maybe_written |= request.io.op.changes_medium();
            if std::mem::take(&mut request.covers) {
                self.shared.covering.fetch_sub(1, Ordering::AcqRel);
            }
            request.rewind();
            self.wait(request);
        }
        let mut backlog = self.backlog.borrow_mut();
        backlog.iter_mut().filter(|request| request.done > 0 || request.is_flushing).for_each(
            |it| {
                it.maybe_written |= it.io.op.changes_medium();
                it.rewind();
            },
        );
    }

    /// Nothing was up for too long.
    pub(crate) fn give_up(&self) {
        self.stage.set(Stage::Gone);
        let waiting = std::mem::take(&mut *self.backlog.borrow_mut());
        waiting.into_iter().for_each(|request| self.no_server(request));
        self.backlog.borrow_mut().reserve(usize::from(DEPTH_MAX) + 1);
    }

    #[cold]
    fn no_server(&self, request: Request) {
        let words = format!("no connection to the server: {}", self.trouble.borrow());
        self.fail(request, ErrorKind::PathLost, words);
    }

    /// A request failed; the device is named.
    pub(crate) fn fail(&self, request: Request, kind: ErrorKind, words: impl Into<String>) {
        let kind = request.kind(kind);
        if kind == (ErrorKind::Aborted { maybe_written: true }) && request.io.op.changes_medium() {
            // Whoever reads it may count on the next flush.
            self.shared.mark_dirty();
        }
        self.finish(
            request.io.failed(kind, format!("{}: {}", self.shared.config.name, words.into())),
        );
    }

    /// A request is over.
    #[inline]
    pub(crate) fn finish(&self, completion: Completion) {
        self.complete(completion);
    }

    #[inline]
    fn complete(&self, completion: Completion) {
        self.done.borrow_mut().push(completion);
    }

    /// Appends what is done.
    #[inline]
    pub(crate) fn take_done(&self, to: &mut Completions) {
        let mut done = self.done.borrow_mut();
        self.in_flight.set(self.in_flight.get() - done.len() as u32);
        self.told_loss.set(self.telling_loss.get());
        to.append(&mut done);
    }

    pub(crate) fn has_done(&self) -> bool {
        !self.done.borrow().is_empty()
    }

    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.get()
    }

    pub(crate) fn take_event(&self) -> Option<DeviceEvent> {
        self.events.borrow_mut().pop_front()
    }
}
