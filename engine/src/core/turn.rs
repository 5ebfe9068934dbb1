//! One turn of a core, and the decision to spin or to sleep after it.
//!
//! A turn: mail, timers, tasks by class, flush of everything gathered, one `io_uring_enter` at
//! most, completions, polls. A core that may sleep lets that one call submit and wait at once, so
//! that a sleeping core costs one system call a turn and not two.

use std::os::fd::RawFd;
use std::rc::Rc;
use std::task::Waker;

use io_uring::{opcode, types};

use super::{Core, Driver, PollMode};
use crate::block::WaitSource;
use crate::exec::enter_core;
use crate::ring::{Keep, Ops};

/// Calls from other threads handled in one turn.
const CALLS_PER_TURN_MAX: usize = 32;
/// Wake-ups from other threads handled in one turn.
const WAKES_PER_TURN_MAX: usize = 256;
/// The longest sleep, so that a lost wake-up would be a hiccup and not a hang.
const SLEEP_NS_MAX: u64 = 1_000_000_000;
/// The weight of the newest idle gap in the moving average: 1/8.
const GAP_SHIFT: u32 = 3;
/// A core spins for at most this many times the usual gap before work comes.
const SPIN_PER_GAP: u64 = 2;

/// What a turn found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Something ran or completed.
    Busy,
    /// Nothing was there; the core may sleep.
    Idle,
}

/// What the adaptive mode remembers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PollState {
    /// Moving average of the gaps between the end of work and the next work, in nanoseconds.
    gap_ns: u64,
    /// When the core ran out of work, while it is out of work.
    idle_since: Option<u64>,
}

impl PollState {
    fn work_came(&mut self, now: u64) {
        if let Some(since) = self.idle_since.take() {
            let gap = now.saturating_sub(since).min(SLEEP_NS_MAX);
            self.gap_ns = self.gap_ns - (self.gap_ns >> GAP_SHIFT) + (gap >> GAP_SHIFT);
        }
    }

    /// True where the next work is expected soon enough to wait for it awake.
    fn should_spin(&mut self, now: u64, spin_ns_max: u64) -> bool {
        let since = *self.idle_since.get_or_insert(now);
        let worth_it = self.gap_ns <= spin_ns_max;
        let longest = (self.gap_ns * SPIN_PER_GAP).clamp(spin_ns_max / 8, spin_ns_max);
        worth_it && now.saturating_sub(since) < longest
    }
}

/// Keeps a read on the core's eventfd, so that other threads can wake its ring.
pub(super) fn watch_event(ops: &Rc<Ops>, event: RawFd) {
    let mut counter = Box::new([0u8; 8]);
    let read = opcode::Read::new(types::Fd(event), counter.as_mut_ptr(), 8).build();
    let keep = Keep::Memory(counter);
    // SAFETY: the read's memory is the box that the request keeps; the eventfd lives for good.
    unsafe { ops.start_event(read, keep) };
}

impl Core {
    /// One turn: everything that is ready now, within the turn's budgets. Where `may_sleep` and
    /// nothing is left to do, waits for the next event first.
    pub fn turn(self: &Rc<Self>, may_sleep: bool) -> Progress {
        let _current = enter_core(self.id);
        let busy = self.run_ready();
        self.polled.borrow().iter().for_each(|polled| polled.flush());
        let rested = !busy || self.config.poll_mode == PollMode::Never;
        let wanted = self.stay_awake.replace(false);
        let sleep = may_sleep && !wanted && rested && !busy_now(self) && self.may_sleep(self.now());
        let reaped = self.drive(sleep);
        let polled = self.poll_all();
        let busy = busy || reaped > 0 || polled > 0;
        self.note_progress(busy);
        if busy { Progress::Busy } else { Progress::Idle }
    }

    /// Runs what is ready besides the ring: mail, timers and tasks; true where anything was. For a
    /// thread that polls its channels itself, some of which have tasks behind them.
    pub(crate) fn run_tasks(self: &Rc<Self>) -> bool {
        if self.executor.is_empty() && self.timers.borrow().is_empty() {
            return false;
        }
        let _current = enter_core(self.id);
        self.run_ready()
    }

    /// Calls `f` as the core itself, which wakes its tasks without a message: for a thread that polls
    /// its channels itself.
    #[inline]
    pub(crate) fn as_current<T>(&self, f: impl FnOnce() -> T) -> T {
        let _current = enter_core(self.id);
        f()
    }

    fn run_ready(self: &Rc<Self>) -> bool {
        let mut busy = self.handle_mail();
        busy |= self.fire_timers();
        if self.executor.has_ready() {
            self.remote.pulse.beat();
            busy |= self.executor.run(|| self.clock.now()) > 0;
            self.remote.pulse.beat();
        }
        busy
    }

    fn note_progress(&self, busy: bool) {
        self.counters.turn(busy);
        if busy && self.config.poll_mode == PollMode::Adaptive {
            let mut state = self.poll_state.get();
            if state.idle_since.is_some() {
                state.work_came(self.now());
            }
            self.poll_state.set(state);
        }
    }

    fn handle_mail(self: &Rc<Self>) -> bool {
        if !self.remote.has_mail() {
            return false;
        }
        for _ in 0..WAKES_PER_TURN_MAX {
            let Some(word) = self.remote.pop_wake() else {
                break;
            };
            self.executor.make_ready(crate::exec::unpack(word).1);
        }
        if self.remote.take_wake_all() {
            self.executor.wake_all();
        }
        for _ in 0..CALLS_PER_TURN_MAX {
            let Some(call) = self.remote.pop_call() else {
                break;
            };
            call(self);
        }
        true
    }

    fn fire_timers(&self) -> bool {
        if self.timers.borrow().is_empty() {
            return false;
        }
        let mut expired = std::mem::take(&mut *self.expired.borrow_mut());
        self.timers.borrow_mut().advance(self.now(), &mut expired);
        let any = !expired.is_empty();
        expired.drain(..).for_each(Waker::wake);
        *self.expired.borrow_mut() = expired;
        any
    }

    /// Submits, sleeps where asked to, and hands completions out.
    fn drive(&self, sleep: bool) -> usize {
        let Driver::Kernel(ops) = &self.driver else {
            return 0;
        };
        let ring = ops.ring();
        if !sleep && ops.is_quiet() {
            return 0;
        }
        if sleep {
            self.sleep_in(ops);
        } else if ring.needs_enter() {
            ring.enter(0, None);
        }
        ring.reap();
        ops.dispatch()
    }

    fn sleep_in(&self, ops: &Ops) {
        self.remote.doorbell.announce_sleep();
        let armed = self.polled.borrow().iter().all(|polled| polled.arm());
        let stay = !armed || self.remote.has_mail();
        if stay {
            ops.ring().enter(0, None);
        } else {
            self.counters.sleep();
            self.sleep_for(ops, self.sleep_ns());
        }
        self.remote.doorbell.awake();
        self.polled.borrow().iter().for_each(|polled| polled.disarm());
    }

    /// A core that sleeps whenever it can saves wake-ups; one that spins first cares for latency.
    /// Nothing is gathered while a socket may bring something: there, company is not expected.
    fn sleep_for(&self, ops: &Ops, ns: u64) {
        if self.config.poll_mode == PollMode::Never && ops.is_empty() {
            ops.ring().sleep_gathering(self.now(), ns);
        } else {
            ops.ring().sleep(ns);
        }
    }

    /// How long the core may sleep: until the next timer or what a channel waits for.
    fn sleep_ns(&self) -> u64 {
        let next = self.next_due().unwrap_or(u64::MAX);
        next.saturating_sub(self.now()).min(SLEEP_NS_MAX)
    }

    /// Submits, sleeps for at most `sleep_ns` where given, and reaps: for a thread that polls its
    /// channels itself.
    ///
    /// Who is woken by a completion is woken as by the core itself: the core is not sent a message
    /// by its own thread.
    #[inline]
    pub(crate) fn drive_ring(&self, sleep_ns: Option<u64>) {
        let Driver::Kernel(ops) = &self.driver else { return };
        let ring = ops.ring();
        if sleep_ns.is_none() && ops.is_quiet() {
            return;
        }
        match sleep_ns {
            Some(ns) => self.sleep_for(ops, ns),
            None if ring.needs_enter() => ring.enter(0, None),
            None => {}
        }
        ring.reap();
        let _current = enter_core(self.id);
        ops.dispatch();
    }

    /// As `drive_ring`, but sleeps until what `wake_at` says, where the core may. `wake_at` is asked
    /// after the sleep was announced, so that no wake-up of another thread is missed.
    pub(crate) fn drive_ring_until(&self, now: u64, wake_at: impl Fn() -> Option<u64>) {
        if wake_at().is_none() || !self.may_sleep(now) {
            return self.drive_ring(None);
        }
        self.remote.doorbell.announce_sleep();
        self.drive_ring(wake_at().map(|at| at.saturating_sub(now)));
        self.remote.doorbell.awake();
    }

    /// True where the configuration and the recent past say that a core without work may sleep.
    pub(crate) fn may_sleep(&self, now: u64) -> bool {
        match self.config.poll_mode {
            PollMode::Never => true,
            PollMode::Always => false,
            PollMode::Adaptive => {
                let mut state = self.poll_state.get();
                let spin = state.should_spin(now, self.config.spin_ns_max);
                self.poll_state.set(state);
                !spin
            }
        }
    }

    /// Counts a poll, and remembers the gap before it.
    pub(crate) fn note_poll(&self, hit: bool) {
        self.note_progress(hit);
    }

    fn poll_all(self: &Rc<Self>) -> usize {
        // A snapshot, as handling a completion may add or remove what is polled.
        let polled = Rc::clone(&*self.polled.borrow());
        polled.iter().map(|polled| polled.poll(self)).sum()
    }

    /// The next moment at which a timer or a channel is due.
    pub(crate) fn next_due(&self) -> Option<u64> {
        let timer = self.timers.borrow().next_deadline();
        let polled = self.polled.borrow();
        let until = polled.iter().filter_map(|polled| match polled.wait_source() {
            Some(WaitSource::Until(ns)) => Some(ns),
            _ => None,
        });
        until.chain(timer).min()
    }

    /// True where a turn would find something to do at once.
    pub(crate) fn has_work(&self) -> bool {
        busy_now(self)
    }
}

/// Something is ready that no system call is needed for.
fn busy_now(core: &Core) -> bool {
    let polls = |polled: &Rc<dyn super::Polled>| polled.wait_source() == Some(WaitSource::Poll);
    core.executor.has_ready() || core.remote.has_mail() || core.polled.borrow().iter().any(polls)
}
