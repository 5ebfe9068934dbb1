//! Hands requests to paths, decides what their ends mean, and keeps what waits.
//!
//! Invariants: every accepted request completes once, here; what waits is in the order of
//! submission; a write that may have left on a path goes nowhere before that path has a new session.
//! A flush fails once where the target may have lost what its cache held: then what was written
//! before it is to be written again.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;

use byway_engine::ErrorKind;
use byway_engine::block::{Completion, Completions, DeviceEvent, Io, Op};
use byway_engine::core::Core;
use byway_proto::iscsi::initiator::{Outcome, Sent};

use crate::answer::{self, Verdict};
use crate::attention::News;
use crate::config::Mutation;
use crate::depth::Depth;
use crate::device::Shared;
use crate::link::{Link, Sink, Unfinished};
use crate::request::{ATTEMPTS_MAX, Request, after_writing};
use crate::survey::{Access, Survey};
use crate::translate::{self, Terms};

/// Requests of one channel at once.
pub(crate) const DEPTH_MAX: u32 = 1024;

/// One path, as the dispatcher sees it.
struct PathSlot {
    link: Option<Rc<Link>>,
    access: Access,
    depth: Depth,
    /// Something was submitted since the last kick.
    is_touched: bool,
}

/// The requests of one channel.
pub(crate) struct Dispatcher {
    pub(crate) core: Rc<Core>,
    pub(crate) shared: Arc<Shared>,
    paths: RefCell<Vec<PathSlot>>,
    backlog: RefCell<VecDeque<Request>>,
    done: RefCell<Completions>,
    events: RefCell<VecDeque<DeviceEvent>>,
    waiting: RefCell<Vec<Waker>>,
    in_flight: Cell<u32>,
    orders: Cell<u64>,
    flushing: Cell<u32>,
    /// The last loss of a cache that this channel has told.
    told_loss: Cell<u64>,
    /// The last loss that a completion tells which the submitter has not fetched yet.
    telling_loss: Cell<u64>,
}

impl Dispatcher {
    pub(crate) fn new(core: &Rc<Core>, shared: &Arc<Shared>) -> Dispatcher {
        let slot = || PathSlot {
            link: None,
            access: Access::Unusable,
            depth: Depth::new(shared.config.depth),
            is_touched: false,
        };
        Dispatcher {
            core: Rc::clone(core),
            shared: Arc::clone(shared),
            paths: RefCell::new(shared.config.portals.iter().map(|_| slot()).collect()),
            backlog: RefCell::new(VecDeque::with_capacity(DEPTH_MAX as usize)),
            done: RefCell::new(Vec::with_capacity(DEPTH_MAX as usize)),
            events: RefCell::default(),
            waiting: RefCell::default(),
            in_flight: Cell::new(0),
            orders: Cell::new(0),
            flushing: Cell::new(0),
            told_loss: Cell::new(shared.losses.load(Ordering::Acquire)),
            telling_loss: Cell::new(shared.losses.load(Ordering::Acquire)),
        }
    }

    /// Accepts a request, or gives it back where too many are there.
    pub(crate) fn accept(self: &Rc<Self>, io: Io) -> Result<(), Io> {
        if self.in_flight.get() >= DEPTH_MAX {
            return Err(io);
        }
        self.in_flight.set(self.in_flight.get() + 1);
        if let Some((kind, words)) = self.shared.refusal(&io) {
            self.done.borrow_mut().push(io.failed(kind, words));
            return Ok(());
        }
        let now = self.core.now();
        let request = self.request(io, now);
        match request.io.op {
            Op::Read | Op::Write | Op::Flush | Op::CompareAndWrite => self.place(request, now),
            _ => crate::cold::start(self, request),
        }
        Ok(())
    }

    fn request(&self, io: Io, now: u64) -> Request {
        let order = self.orders.replace(self.orders.get() + 1);
        let give_up_ns = now + self.shared.config.timeouts.path_ns;
        let losses = if io.op == Op::Flush {
            self.flushing.set(self.flushing.get() + 1);
            self.told_loss.get()
        } else {
            self.losses()
        };
        Request {
            order,
            io,
            is_flushing: false,
            attempts: 0,
            held_by: None,
            maybe_written: false,
            is_given_up: false,
            losses,
            give_up_ns,
        }
    }

    #[inline]
    fn place(&self, request: Request, now: u64) {
        if !self.backlog.borrow().is_empty() {
            return self.backlog.borrow_mut().push_back(request);
        }
        if let Err(request) = self.send(request, now) {
            self.backlog.borrow_mut().push_back(request);
        }
    }

    /// Gives a request to the best path with room; gives it back where there is none.
    #[inline]
    fn send(&self, mut request: Request, now: u64) -> Result<(), Request> {
        if let Some((kind, words)) = self.obstacle(&request) {
            self.fail(request, kind, words);
            return Ok(());
        }
        let mut paths = self.paths.borrow_mut();
        let Some(slot) = best(&mut paths, now) else { return Err(request) };
        let link = slot.link.as_ref().expect("the best path has a link");
        let command = translate::command(&request, &self.terms(), now);
        request.attempts += 1;
        slot.is_touched = true;
        link.submit(request, command, now).map_err(|mut request| {
            request.attempts -= 1;
            request
        })
    }

    /// Why a request must not be sent at all.
    fn obstacle(&self, request: &Request) -> Option<(ErrorKind, String)> {
        let gate = self.shared.config.gate.as_ref();
        if request.io.op.changes_medium() && gate.is_some_and(|gate| !gate.is_open()) {
            let words = "the gate is closed: the owner has not opened it since the last loss";
            return Some((ErrorKind::Transient, words.into()));
        }
        self.lost_cache(request)
    }

    /// Losses of the target's cache so far.
    fn losses(&self) -> u64 {
        self.shared.losses.load(Ordering::Acquire)
    }

    /// Why a flush must not go well: what was written before it may be gone.
    pub(crate) fn lost_cache(&self, request: &Request) -> Option<(ErrorKind, String)> {
        let (op, losses) = (request.io.op, self.losses());
        let makes_durable = op == Op::Flush || request.is_flushing || op == Op::WriteZeroes;
        if !makes_durable
            || losses == request.losses
            || self.shared.config.mutation == Some(Mutation::LossUntold)
        {
            return None;
        }
        if op == Op::Flush {
            self.telling_loss.set(losses);
        }
        let words = "the target started anew with writes in its cache; write them again";
        Some((ErrorKind::Aborted { maybe_written: true }, words.into()))
    }

    pub(crate) fn terms(&self) -> Terms {
        let facts = &self.shared.facts;
        Terms {
            lun: self.shared.config.lun,
            block_shift: facts.block_len.trailing_zeros(),
            fua: facts.fua || !facts.has_cache,
            command_ns: self.shared.config.timeouts.command_ns,
        }
    }

    /// Sends what waits as far as there is room, and lets it leave.
    pub(crate) fn pump(&self) {
        if !self.backlog.borrow().is_empty() {
            self.send_waiting();
        }
        for slot in self.paths.borrow_mut().iter_mut() {
            if std::mem::take(&mut slot.is_touched)
                && let Some(link) = &slot.link
            {
                link.kick();
            }
        }
    }

    fn send_waiting(&self) {
        let waiting = std::mem::take(&mut *self.backlog.borrow_mut());
        let mut left = VecDeque::with_capacity(waiting.capacity());
        let (mut is_full, now) = (false, self.core.now());
        for request in waiting {
            if request.is_given_up && request.held_by.is_none() {
                let kind = ErrorKind::Aborted { maybe_written: true };
                self.fail(request, kind, "the session ended with it");
            } else if is_full || request.held_by.is_some() {
                left.push_back(request);
            } else if let Err(request) = self.send(request, now) {
                is_full = true;
                left.push_back(request);
            }
        }
        // What came while sending (a retry) has its place by its order.
        let came = std::mem::replace(&mut *self.backlog.borrow_mut(), left);
        came.into_iter().for_each(|request| self.wait(request));
    }

    /// Puts a request among those that wait, in the order of submission.
    fn wait(&self, request: Request) {
        let mut backlog = self.backlog.borrow_mut();
        let at = backlog.partition_point(|other| other.order < request.order);
        backlog.insert(at, request);
    }

    /// A request is over.
    pub(crate) fn finish(&self, completion: Completion) {
        self.done.borrow_mut().push(completion);
    }

    /// A request failed; the device is named.
    pub(crate) fn fail(&self, request: Request, kind: ErrorKind, words: impl Into<String>) {
        if request.io.op == Op::Flush {
            self.flushing.set(self.flushing.get() - 1);
        }
        let kind = if request.maybe_written { after_writing(kind) } else { kind };
        self.finish(
            request.io.failed(kind, format!("{}: {}", self.shared.config.name, words.into())),
        );
    }

    /// Appends what is done.
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

    /// Acts on what else an answer told.
    pub(crate) fn hear(self: &Rc<Self>, news: News) {
        match news {
            News::None => {}
            News::Reservations => {
                self.events.borrow_mut().push_back(DeviceEvent::ReservationsChanged);
            }
            News::Capacity => crate::cold::look_at_size(self),
            News::CacheLost => self.cache_lost(),
        }
    }

    /// The target may have lost what its cache held.
    pub(crate) fn cache_lost(&self) {
        let is_dirty = self.shared.dirty.load(Ordering::Acquire) || self.flushing.get() > 0;
        if is_dirty && self.shared.facts.has_cache {
            self.shared.losses.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// The size is another one.
    pub(crate) fn resized(&self, size: u64) {
        if self.shared.size.swap(size, Ordering::AcqRel) != size {
            self.events.borrow_mut().push_back(DeviceEvent::Resized { size });
        }
    }

    /// A path can be used from now on.
    pub(crate) fn up(self: &Rc<Self>, path: usize, link: &Rc<Link>, survey: &Survey) {
        {
            let mut paths = self.paths.borrow_mut();
            let slot = &mut paths[path];
            slot.link = Some(Rc::clone(link));
            slot.access = survey.access;
            slot.depth = Depth::new(self.shared.config.depth);
        }
        if survey.cache_lost {
            self.cache_lost();
        }
        for request in self.backlog.borrow_mut().iter_mut() {
            request.held_by = request.held_by.filter(|by| *by != path);
        }
        self.resized(survey.blocks * u64::from(survey.block_len));
        self.wake();
        self.pump();
    }

    /// A path is lost, and with it what its session did not finish.
    pub(crate) fn down(self: &Rc<Self>, path: usize, unfinished: Vec<Unfinished>) {
        self.paths.borrow_mut()[path].link = None;
        if let Some(gate) = &self.shared.config.gate {
            gate.close();
        }
        for (request, sent) in unfinished {
            self.orphan(path, request, sent);
        }
        self.pump();
    }

    /// What becomes of a request whose session ended: reads and flushes are sent again, writes when
    /// the old session is gone for good; then fails what must not be sent twice.
    fn orphan(&self, path: usize, mut request: Request, sent: Sent) {
        let (op, mutation) = (request.io.op, self.shared.config.mutation);
        let is_once = op == Op::CompareAndWrite && mutation != Some(Mutation::CompareTwice);
        if op.changes_medium() && sent == Sent::MaybeExecuted {
            request.maybe_written = is_once || op != Op::CompareAndWrite;
            request.is_given_up |= is_once || self.shared.config.gate.is_some();
            if !request.is_flushing && mutation != Some(Mutation::ReplayAnywhere) {
                request.held_by = Some(path);
            }
        }
        self.wait(request);
    }

    /// The usable path with the fewest requests, where one is up; `only` that one where given.
    pub(crate) fn link(&self, only: Option<usize>) -> Option<(usize, Rc<Link>)> {
        let paths = self.paths.borrow();
        let up =
            paths.iter().enumerate().filter_map(|(n, slot)| Some((n, slot, slot.link.as_ref()?)));
        let fits = up.filter(|(n, ..)| only.is_none_or(|only| only == *n));
        let best = fits.min_by_key(|(_, slot, link)| (slot.access, link.in_flight()));
        best.map(|(n, _, link)| (n, Rc::clone(link)))
    }

    /// Every path that is up.
    pub(crate) fn links(&self) -> Vec<(usize, Rc<Link>)> {
        let paths = self.paths.borrow();
        let up = paths.iter().enumerate();
        up.filter_map(|(n, slot)| Some((n, Rc::clone(slot.link.as_ref()?)))).collect()
    }

    /// Notes the ALUA state of a path.
    pub(crate) fn set_access(&self, path: usize, access: Access) {
        self.paths.borrow_mut()[path].access = access;
    }

    /// Waits until a path came up or time passed.
    pub(crate) async fn changed(&self) {
        let mut is_second = false;
        std::future::poll_fn(|cx| {
            if std::mem::replace(&mut is_second, true) {
                return std::task::Poll::Ready(());
            }
            self.waiting.borrow_mut().push(cx.waker().clone());
            std::task::Poll::Pending
        })
        .await;
    }

    pub(crate) fn wake(&self) {
        self.waiting.take().into_iter().for_each(Waker::wake);
    }

    /// Fails what has waited too long for a path.
    pub(crate) fn expire(&self) {
        let now = self.core.now();
        let is_due = |request: &Request| request.give_up_ns <= now;
        if !self.backlog.borrow().iter().any(is_due) {
            return;
        }
        let waiting = std::mem::take(&mut *self.backlog.borrow_mut());
        for request in waiting {
            if !is_due(&request) {
                self.backlog.borrow_mut().push_back(request);
                continue;
            }
            self.fail(request, ErrorKind::PathLost, "no path to the target came up in time");
        }
    }

    fn went_well(&self, path: usize, request: Request) {
        self.paths.borrow_mut()[path].depth.went_well();
        if let Some((kind, words)) = self.lost_cache(&request) {
            return self.fail(request, kind, words);
        }
        match request.io.op {
            Op::Write | Op::CompareAndWrite if !request.io.fua => self.shared.mark_dirty(),
            Op::Flush => self.flushing.set(self.flushing.get() - 1),
            _ => {}
        }
        self.finish(request.io.done());
    }

    fn again(self: &Rc<Self>, mut request: Request, verdict: Verdict, path: usize) {
        if request.attempts >= ATTEMPTS_MAX {
            return self.fail(request, ErrorKind::Transient, "the target keeps refusing it");
        }
        match verdict {
            Verdict::Flush => (request.is_flushing, request.maybe_written) = (true, true),
            Verdict::Refused(status) => {
                let mut paths = self.paths.borrow_mut();
                let slot = &mut paths[path];
                let in_flight = slot.link.as_ref().map_or(0, |link| link.in_flight());
                slot.depth.was_refused(status, in_flight, self.core.now());
                let due = slot.depth.pause_end(self.core.now());
                drop(paths);
                if let Some(due) = due {
                    crate::cold::pump_at(self, due);
                }
            }
            Verdict::LookAtPaths => crate::cold::look_at_paths(self),
            _ => {}
        }
        self.wait(request);
    }
}

/// The path that the next request takes: the best state, then the fewest requests.
fn best(paths: &mut [PathSlot], now: u64) -> Option<&mut PathSlot> {
    let load = |slot: &PathSlot| slot.link.as_ref().map(|link| link.in_flight());
    let usable = paths.iter_mut().filter_map(|slot| {
        let in_flight = load(slot)?;
        let usable = slot.access != Access::Unusable && slot.depth.has_room(in_flight, now);
        usable.then_some(((slot.access, in_flight), slot))
    });
    usable.min_by_key(|(rank, _)| *rank).map(|(_, slot)| slot)
}

/// What a link holds of its dispatcher.
pub(crate) struct Ends(pub(crate) Rc<Dispatcher>);

impl Sink for Ends {
    #[inline]
    fn ended(&self, path: usize, request: Request, outcome: Outcome) {
        let dispatcher = &self.0;
        let facts = &dispatcher.shared.facts;
        let must_flush = request.io.fua && facts.has_cache && !facts.fua;
        let (verdict, news) = answer::judge(&request, &outcome, must_flush);
        if news != News::None {
            dispatcher.hear(news);
        }
        match verdict {
            Verdict::Done => dispatcher.went_well(path, request),
            Verdict::Failed(kind, words) => dispatcher.fail(request, kind, words),
            verdict => dispatcher.again(request, verdict, path),
        }
    }

    fn has_room(&self, _path: usize) {
        self.0.pump();
    }
}
