//! Requests of futures: sockets, timers of the kernel, messages between rings.
//!
//! Invariants: the slot owns what the kernel may touch until the last completion; dropping a
//! future leaves the slot orphaned and cancels the request; a descriptor that an orphaned request
//! returns is closed.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::os::fd::{FromRawFd, OwnedFd};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use io_uring::{cqueue, squeue};

use super::{Arrival, OwnerHandle, Ring};
use crate::block::TagTable;
use crate::error::SetupError;

/// Requests of futures in flight on one core.
pub const OPS_MAX: u32 = 8192;

/// What a slot keeps alive for the kernel.
#[derive(Default)]
pub enum Keep {
    /// The request names no memory.
    #[default]
    Nothing,
    /// Anything on the heap that the request points into.
    Memory(Box<dyn std::any::Any>),
    /// What the request's results hand out, to be told of those that nobody takes.
    Reclaim(Box<dyn Reclaim>),
}

/// Takes back what a result hands out (a buffer of a group) when its future is gone.
pub trait Reclaim {
    /// Nobody takes this result. Must not start a request.
    fn reclaim(&self, output: OpOutput);
}

/// One result of a request: bytes or a negative errno, and the flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpOutput {
    /// Bytes, a descriptor, or a negative errno.
    pub result: i32,
    /// Flags of the completion.
    pub flags: u32,
}

/// Results not taken yet. The first has a place of its own, so that a request with one completion
/// does not allocate.
#[derive(Default)]
struct Arrived {
    first: Option<OpOutput>,
    more: VecDeque<OpOutput>,
}

impl Arrived {
    fn push(&mut self, output: OpOutput) {
        match self.first {
            None => self.first = Some(output),
            Some(_) => self.more.push_back(output),
        }
    }

    fn pop(&mut self) -> Option<OpOutput> {
        let output = self.first.take()?;
        self.first = self.more.pop_front();
        Some(output)
    }
}

struct Slot {
    arrived: Arrived,
    /// The last completion is reaped.
    ended: bool,
    waker: Option<Waker>,
    keep: Keep,
    /// The future is gone.
    orphan: bool,
    /// Results are descriptors, to be closed where nobody takes them.
    returns_fd: bool,
}

/// The requests of one core's futures.
pub struct Ops {
    ring: Rc<Ring>,
    owner: OwnerHandle,
    /// Cancels and other requests whose results nobody awaits.
    silent: OwnerHandle,
    slots: RefCell<TagTable<Slot>>,
    event: RefCell<Option<EventRead>>,
    batch: RefCell<Vec<Arrival>>,
}

/// The slot of the eventfd's read among requests whose results nobody awaits.
const EVENT_SLOT: u32 = u32::MAX - 1;

struct EventRead {
    entry: squeue::Entry,
    _keep: Keep,
}

impl Ops {
    /// The table of a core's futures on `ring`.
    pub fn new(ring: Rc<Ring>) -> Result<Rc<Ops>, SetupError> {
        let owner = ring.open_owner().expect("a new ring has room for owners");
        let silent = ring.open_owner().expect("a new ring has room for owners");
        let slots = RefCell::new(TagTable::new(OPS_MAX));
        let (event, batch) = (RefCell::default(), RefCell::default());
        Ok(Rc::new(Ops { ring, owner, silent, slots, event, batch }))
    }

    /// The ring below.
    pub fn ring(&self) -> &Rc<Ring> {
        &self.ring
    }

    /// True where [`OPS_MAX`] requests are in flight: no more can start.
    pub fn is_full(&self) -> bool {
        self.slots.borrow().is_full()
    }

    /// Starts a request with one completion. `None` when [`OPS_MAX`] are in flight.
    ///
    /// # Safety
    /// Every address in `entry` points into `keep` or outlives the ring.
    pub unsafe fn start(
        self: &Rc<Self>,
        entry: squeue::Entry,
        keep: Keep,
        returns_fd: bool,
    ) -> Option<Pending> {
        let slot = self.insert(keep, returns_fd)?;
        // SAFETY: the slot holds `keep` until the last completion.
        unsafe { self.ring.push(&self.owner, slot, entry) };
        Some(Pending { ops: Rc::clone(self), slot, taken: false })
    }

    /// Starts a request with many completions.
    ///
    /// # Safety
    /// As for [`Ops::start`].
    pub unsafe fn start_multishot(
        self: &Rc<Self>,
        entry: squeue::Entry,
        keep: Keep,
        returns_fd: bool,
    ) -> Option<Multishot> {
        // SAFETY: the caller's promise is the one asked for.
        let pending = unsafe { self.start(entry, keep, returns_fd)? };
        Some(Multishot { pending })
    }

    /// Starts a read of an eventfd that starts itself again, so that other threads can end a sleep.
    ///
    /// # Safety
    /// As for [`Ops::start`]; the descriptor in `entry` must outlive the ring.
    pub unsafe fn start_event(&self, entry: squeue::Entry, keep: Keep) {
        *self.event.borrow_mut() = Some(EventRead { entry: entry.clone(), _keep: keep });
        // SAFETY: the memory lives in `event` as long as this table, and then until the last
        // completion (see `drop`).
        unsafe { self.ring.push(&self.silent, EVENT_SLOT, entry) };
    }

    /// Starts a request whose result nobody awaits.
    ///
    /// # Safety
    /// `entry` names no memory, or memory that outlives the ring.
    pub unsafe fn start_silent(&self, entry: squeue::Entry) {
        // SAFETY: the caller's promise is the one asked for.
        unsafe { self.ring.push(&self.silent, 0, entry) };
    }

    /// True where nothing is queued or in flight but the read of the eventfd, which only a sleeping
    /// core needs: an awake one looks at its mailbox itself.
    #[inline]
    pub fn is_quiet(&self) -> bool {
        let resting = u32::from(self.event.borrow().is_some());
        self.ring.unsubmitted() == 0 && self.ring.in_flight() == resting
    }

    /// True where no future waits for the ring: what is in flight is of channels.
    pub fn is_empty(&self) -> bool {
        self.slots.borrow().is_empty()
    }

    /// Wakes the core whose ring is behind `ring_fd`.
    pub fn wake_other(&self, ring_fd: std::os::fd::RawFd) {
        self.ring.wake_other(ring_fd, &self.silent);
    }

    fn insert(&self, keep: Keep, returns_fd: bool) -> Option<u32> {
        let slot = Slot {
            arrived: Arrived::default(),
            ended: false,
            waker: None,
            keep,
            orphan: false,
            returns_fd,
        };
        self.slots.borrow_mut().insert(slot).ok()
    }

    /// Hands what has arrived to the waiting futures; tells how many completions there were.
    pub fn dispatch(&self) -> usize {
        if self.owner.inbox.is_empty() && self.silent.inbox.is_empty() {
            return 0;
        }
        let mut batch = std::mem::take(&mut *self.batch.borrow_mut());
        self.silent.inbox.take(&mut batch);
        let rung = batch.iter().any(|arrival| arrival.slot == EVENT_SLOT);
        batch.clear();
        if rung {
            self.restart_event();
        }
        self.owner.inbox.take(&mut batch);
        let count = batch.len();
        for arrival in batch.drain(..) {
            self.arrive(arrival);
        }
        *self.batch.borrow_mut() = batch;
        count
    }

    fn restart_event(&self) {
        let entry = self.event.borrow().as_ref().map(|event| event.entry.clone());
        if let Some(entry) = entry {
            // SAFETY: as for the first read: its memory lives in `event`.
            unsafe { self.ring.push(&self.silent, EVENT_SLOT, entry) };
        }
    }

    fn arrive(&self, arrival: Arrival) {
        let mut slots = self.slots.borrow_mut();
        let slot = slots.get_mut(arrival.slot).expect("a slot lives until its last completion");
        slot.ended = !cqueue::more(arrival.flags);
        let output = OpOutput { result: arrival.result, flags: arrival.flags };
        if slot.orphan {
            discard(slot, output);
            let ended = slot.ended.then(|| slots.remove(arrival.slot));
            drop(slots);
            drop(ended);
            return;
        }
        slot.arrived.push(output);
        let waker = slot.waker.take();
        drop(slots);
        waker.into_iter().for_each(Waker::wake);
    }

    fn poll_slot(&self, slot: u32, cx: &mut Context<'_>) -> Poll<Option<OpOutput>> {
        let mut slots = self.slots.borrow_mut();
        let entry = slots.get_mut(slot).expect("a future's slot lives as long as the future");
        if let Some(output) = entry.arrived.pop() {
            return Poll::Ready(Some(output));
        }
        if entry.ended {
            return Poll::Ready(None);
        }
        entry.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// The future of `slot` is gone: free what ended, cancel and orphan what did not.
    fn abandon(&self, slot: u32) {
        let mut slots = self.slots.borrow_mut();
        let entry = slots.get_mut(slot).expect("a future's slot lives as long as the future");
        while let Some(output) = entry.arrived.pop() {
            discard(entry, output);
        }
        if entry.ended {
            let freed = slots.remove(slot);
            drop(slots);
            drop(freed);
            return;
        }
        entry.orphan = true;
        entry.waker = None;
        drop(slots);
        self.ring.cancel(&self.owner, slot, &self.silent);
    }
}

/// How long closing waits for what was cancelled, in rounds of 100 ms; the ring waits on after it.
const CLOSE_ROUNDS_MAX: u32 = 20;

impl Ops {
    /// Every slot that is left is an orphan, and its cancel is on the way. Its last results are
    /// looked at here: the ring would free the memory, but leave the descriptors open.
    fn end_orphans(&self) {
        for _ in 0..CLOSE_ROUNDS_MAX {
            if self.owner.inbox.in_flight() == 0 && self.owner.inbox.is_empty() {
                return;
            }
            let wait = self.owner.inbox.is_empty();
            self.ring.enter(u32::from(wait), Some(100_000_000));
            self.ring.reap();
            self.dispatch();
        }
    }
}

impl Drop for Ops {
    fn drop(&mut self) {
        self.end_orphans();
        let slots = std::mem::replace(&mut *self.slots.borrow_mut(), TagTable::new(0));
        self.ring.close_owner(&self.owner, Box::new(slots));
        self.ring.close_owner(&self.silent, Box::new(self.event.take()));
    }
}

/// Nobody takes this result: a descriptor is closed, a buffer goes back to its group.
fn discard(slot: &Slot, output: OpOutput) {
    if slot.returns_fd && output.result >= 0 {
        // SAFETY: the kernel made this descriptor for a request whose future is gone.
        drop(unsafe { OwnedFd::from_raw_fd(output.result) });
    }
    if let Keep::Reclaim(from) = &slot.keep {
        from.reclaim(output);
    }
}

/// A request with one completion. Dropping it cancels the request.
pub struct Pending {
    ops: Rc<Ops>,
    slot: u32,
    taken: bool,
}

impl Pending {
    /// Asks the kernel to end the request early; its completion still comes.
    pub fn cancel(&self) {
        self.ops.ring.cancel(&self.ops.owner, self.slot, &self.ops.silent);
    }
}

impl Future for Pending {
    type Output = (OpOutput, Keep);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Poll::Ready(output) = self.ops.poll_slot(self.slot, cx) else {
            return Poll::Pending;
        };
        let output = output.expect("a request completes before its slot ends");
        let mut slots = self.ops.slots.borrow_mut();
        let entry = slots.get_mut(self.slot).expect("checked by poll_slot");
        let keep = std::mem::take(&mut entry.keep);
        slots.remove(self.slot);
        drop(slots);
        self.taken = true;
        Poll::Ready((output, keep))
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.taken {
            self.ops.abandon(self.slot);
        }
    }
}

/// A request with many completions. Dropping it cancels the request.
pub struct Multishot {
    pending: Pending,
}

impl Multishot {
    /// The next completion, or `None` after the last one.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<OpOutput>> {
        self.pending.ops.poll_slot(self.pending.slot, cx)
    }

    /// The next completion, or `None` after the last one.
    pub async fn next(&mut self) -> Option<OpOutput> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }
}
