//! The slots between a client's threads and its reactor.
//!
//! A request takes a free slot, travels through the request ring, and its completion comes back
//! through the slot's cell. The slot's state decides who frees it: whoever comes second of "the
//! completion arrived" and "the future is gone".

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::Waker;

use atomic_waker::AtomicWaker;
use crossbeam_queue::ArrayQueue;

use crate::block::{Completion, Io, Payload};
use crate::error::{ErrorKind, IoError};

/// The request is with the reactor.
const BUSY: u8 = 0;
/// Its completion lies in the cell.
const DONE: u8 = 1;
/// Its future is gone; the completion frees the slot.
const ORPHAN: u8 = 2;

struct Slot {
    state: AtomicU8,
    cell: ArrayQueue<Completion>,
    waker: AtomicWaker,
}

/// What a look at a slot found.
pub(super) enum Look {
    Done(Completion),
    Pending,
}

/// What a client's threads and its reactor share.
pub(super) struct Shared {
    slots: Box<[Slot]>,
    free: ArrayQueue<u32>,
    requests: ArrayQueue<Io>,
    closed: AtomicBool,
    /// Tasks that found no free slot. Touched only while there are more requests than slots, and
    /// never held beyond one push or take.
    waiting: Mutex<Vec<Waker>>,
    has_waiting: AtomicBool,
}

impl Shared {
    pub(super) fn new(depth: u32) -> Shared {
        let free = ArrayQueue::new(depth as usize);
        (0..depth).for_each(|slot| {
            let fits = free.push(slot).is_ok();
            assert!(fits, "the free list holds every slot");
        });
        let slot = |_| Slot {
            state: AtomicU8::new(BUSY),
            cell: ArrayQueue::new(1),
            waker: AtomicWaker::new(),
        };
        Shared {
            slots: (0..depth).map(slot).collect(),
            free,
            requests: ArrayQueue::new(depth as usize),
            closed: AtomicBool::new(false),
            waiting: Mutex::default(),
            has_waiting: AtomicBool::new(false),
        }
    }

    pub(super) fn depth(&self) -> u32 {
        self.slots.len() as u32
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Sends a request; gives it back while no slot is free, and wakes `waker` when one is.
    pub(super) fn submit(&self, mut io: Io, waker: &Waker) -> Result<u32, Io> {
        let Some(slot) = self.free.pop().or_else(|| self.wait_for_slot(waker)) else {
            return Err(io);
        };
        let entry = &self.slots[slot as usize];
        entry.state.store(BUSY, Ordering::Relaxed);
        entry.waker.register(waker);
        io.tag = u64::from(slot);
        let sent = self.requests.push(io).is_ok();
        assert!(sent, "the request ring has room for every slot");
        if self.is_closed() {
            self.refuse_requests();
        }
        Ok(slot)
    }

    /// Queues the waker, then looks once more: a slot freed in between is not missed.
    fn wait_for_slot(&self, waker: &Waker) -> Option<u32> {
        self.waiters().push(waker.clone());
        self.has_waiting.store(true, Ordering::SeqCst);
        self.free.pop()
    }

    fn waiters(&self) -> std::sync::MutexGuard<'_, Vec<Waker>> {
        // A list of wakers stays whole whatever panicked while holding it.
        self.waiting.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn free(&self, slot: u32) {
        let fits = self.free.push(slot).is_ok();
        assert!(fits, "a slot is freed once");
        std::sync::atomic::fence(Ordering::SeqCst);
        if self.has_waiting.load(Ordering::Relaxed)
            && self.has_waiting.swap(false, Ordering::SeqCst)
        {
            let waiting = std::mem::take(&mut *self.waiters());
            waiting.into_iter().for_each(Waker::wake);
        }
    }

    /// The next request for the reactor.
    pub(super) fn next_request(&self) -> Option<Io> {
        self.requests.pop()
    }

    pub(super) fn has_requests(&self) -> bool {
        !self.requests.is_empty()
    }

    /// Brings a completion to its slot; the tag names it.
    pub(super) fn complete(&self, completion: Completion) {
        let slot = completion.tag as u32;
        let entry = &self.slots[slot as usize];
        let fits = entry.cell.push(completion).is_ok();
        assert!(fits, "a request completes once");
        if entry.state.swap(DONE, Ordering::AcqRel) == ORPHAN {
            drop(entry.cell.pop());
            self.free(slot);
        } else {
            entry.waker.wake();
        }
    }

    /// Takes the completion of a slot, or leaves the waker there.
    pub(super) fn look(&self, slot: u32, waker: &Waker) -> Look {
        let entry = &self.slots[slot as usize];
        if entry.state.load(Ordering::Acquire) != DONE {
            entry.waker.register(waker);
            if entry.state.load(Ordering::Acquire) != DONE {
                return Look::Pending;
            }
        }
        let completion = entry.cell.pop().expect("a done slot holds its completion");
        self.free(slot);
        Look::Done(completion)
    }

    /// The future of a slot is gone.
    pub(super) fn abandon(&self, slot: u32) {
        let entry = &self.slots[slot as usize];
        if entry.state.swap(ORPHAN, Ordering::AcqRel) == DONE {
            drop(entry.cell.pop());
            self.free(slot);
        }
    }

    /// The reactor ends: requests that it did not take fail, now and from now on.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.refuse_requests();
        let waiting = std::mem::take(&mut *self.waiters());
        waiting.into_iter().for_each(Waker::wake);
    }

    fn refuse_requests(&self) {
        while let Some(io) = self.requests.pop() {
            self.complete(super::gone(io));
        }
    }

    /// Fails a request whose memory the kernel may still use.
    pub(super) fn give_up(&self, slot: u32) {
        let kind = ErrorKind::Aborted { maybe_written: true };
        let detail = "the reactor ended before the device answered";
        let error = IoError::new(kind, crate::block::Op::Flush, 0, 0, detail);
        let tag = u64::from(slot);
        self.complete(Completion { tag, result: Err(Box::new(error)), payload: Payload::None });
    }
}
