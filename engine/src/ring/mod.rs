//! One io_uring per core: submission, completion, registrations.
//!
//! Invariants: every request belongs to an owner; an operation's memory lives until its last
//! completion (a closing owner hands it over, a closing ring drains); `enter` is the only place
//! that makes a system call for I/O, and it is counted.

mod batch;
mod features;
mod ops;
mod owners;
mod setup;
mod tables;

pub use features::{Feature, FeatureSet};
pub use ops::{Keep, Multishot, OPS_MAX, OpOutput, Ops, Pending, Reclaim};
pub use owners::{Arrival, Inbox};
pub use setup::{CQ_ENTRIES, SQ_ENTRIES};
pub use tables::{BUFFERS_MAX, FILES_MAX};

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::rc::Rc;
use std::sync::Arc;

use io_uring::{IoUring, squeue, types};

use crate::error::SetupError;
use crate::memory::{Lease, Region, RegionId};
use batch::Batch;
use owners::Owners;
use tables::{BufferTable, FileTable};

/// How long a closing ring waits for requests in flight before it gives their memory up for lost
/// (leaks it), in rounds of 100 ms.
const DRAIN_ROUNDS_MAX: u32 = 50;

/// Rounds of 10 ms that a test read may take.
const TEST_READ_ROUNDS_MAX: u32 = 100;

/// One core's ring.
pub struct Ring {
    uring: RefCell<IoUring>,
    owners: RefCell<Owners>,
    files: RefCell<FileTable>,
    buffers: RefCell<BufferTable>,
    features: FeatureSet,
    unsubmitted: Cell<u32>,
    /// Requests of all owners whose last completion is not reaped yet.
    total: Cell<u32>,
    enters: Cell<u64>,
    batch: Batch,
}

/// Names an owner of requests: a channel, or the futures of a core.
pub struct OwnerHandle {
    number: u16,
    /// Where this owner's completions gather.
    pub inbox: Rc<Inbox>,
}

impl Ring {
    /// Sets a ring up with everything that this kernel has, less `off`.
    pub fn new(off: FeatureSet) -> Result<Ring, SetupError> {
        Ring::build(off, false)
    }

    /// A ring whose completions are polled, for devices with poll queues.
    pub(crate) fn polled(off: FeatureSet) -> Result<Ring, SetupError> {
        Ring::build(off, true)
    }

    fn build(off: FeatureSet, polled: bool) -> Result<Ring, SetupError> {
        let (uring, mut features) = setup::build(off, polled)?;
        setup::probe(&uring, off, &mut features);
        let submitter = uring.submitter();
        let (files, has_files) = FileTable::new(&submitter, !off.has(Feature::RegisteredFiles));
        let (buffers, has_buffers) =
            BufferTable::new(&submitter, !off.has(Feature::RegisteredBuffers));
        for (feature, there) in
            [(Feature::RegisteredFiles, has_files), (Feature::RegisteredBuffers, has_buffers)]
        {
            if there {
                features.insert(feature);
            }
        }
        Ok(Ring {
            uring: RefCell::new(uring),
            owners: RefCell::default(),
            files: RefCell::new(files),
            buffers: RefCell::new(buffers),
            features,
            unsubmitted: Cell::new(0),
            total: Cell::new(0),
            enters: Cell::new(0),
            batch: Batch::new(),
        })
    }

    /// What this ring can do.
    pub fn features(&self) -> FeatureSet {
        self.features
    }

    /// The ring's descriptor, by which another ring sends it messages.
    pub fn fd(&self) -> RawFd {
        self.uring.borrow().as_raw_fd()
    }

    /// Calls of `io_uring_enter` so far.
    pub fn enters(&self) -> u64 {
        self.enters.get()
    }

    /// Makes an owner of requests; `None` when there are too many.
    pub fn open_owner(&self) -> Option<OwnerHandle> {
        let (number, inbox) = self.owners.borrow_mut().open()?;
        Some(OwnerHandle { number, inbox })
    }

    /// Ends an owner. `kept`, the memory of its requests, lives until the last of them completed.
    pub fn close_owner(&self, owner: &OwnerHandle, kept: Box<dyn Any>) {
        self.owners.borrow_mut().close(owner.number, kept);
    }

    /// Queues a request; it leaves at the next `enter`.
    ///
    /// # Safety
    /// Every address in `entry` must stay valid until the last completion of `slot` has been
    /// reaped, also when the owner is closed before (see [`Ring::close_owner`]).
    #[inline]
    pub unsafe fn push(&self, owner: &OwnerHandle, slot: u32, entry: squeue::Entry) {
        let entry = entry.user_data(owners::encode(owner.number, slot));
        // SAFETY: the caller's promise is the one that `try_push` asks for.
        while !unsafe { self.try_push(&entry) } {
            self.enter(0, None);
        }
        self.unsubmitted.set(self.unsubmitted.get() + 1);
        self.total.set(self.total.get() + 1);
        self.owners.borrow().submitted(owner.number);
    }

    /// # Safety
    /// As for [`Ring::push`].
    #[inline]
    unsafe fn try_push(&self, entry: &squeue::Entry) -> bool {
        let mut uring = self.uring.borrow_mut();
        let mut queue = uring.submission();
        // SAFETY: the caller keeps the entry's memory valid until its last completion.
        unsafe { queue.push(entry) }.is_ok()
    }

    /// Requests queued and not yet handed to the kernel.
    #[inline]
    pub fn unsubmitted(&self) -> u32 {
        self.unsubmitted.get()
    }

    /// True where the kernel has work that only an `enter` runs (DEFER_TASKRUN), or cannot say.
    #[inline]
    pub fn needs_enter(&self) -> bool {
        if self.unsubmitted.get() > 0 {
            return true;
        }
        let mut uring = self.uring.borrow_mut();
        let queue = uring.submission();
        queue.taskrun()
            || queue.cq_overflow()
            || (!self.features.has(Feature::CoopTaskrun)
                && self.features.has(Feature::DeferTaskrun))
    }

    /// Submits what is queued, runs deferred work, and waits for `want` completions, at most
    /// `timeout_ns`. Interruptions and time-outs are normal returns.
    pub fn enter(&self, want: u32, timeout_ns: Option<u64>) {
        self.enter_with(want, timeout_ns, 0);
    }

    /// Submits what is queued and sleeps until a completion comes, or for `timeout_ns`.
    pub fn sleep(&self, timeout_ns: u64) {
        self.enter_with(1, Some(timeout_ns), 0);
    }

    /// As `sleep`, for a core that does nothing but block I/O and would rather save wake-ups:
    /// completions that come fast are waited for together.
    pub fn sleep_gathering(&self, now_ns: u64, timeout_ns: u64) {
        let is_able = self.features.has(Feature::MinWait);
        let want = if is_able { self.batch.want(now_ns, self.total.get()) } else { 1 };
        let min_wait_us = if want > 1 { batch::MIN_WAIT_US } else { 0 };
        self.enter_with(want, Some(timeout_ns), min_wait_us);
    }

    fn enter_with(&self, want: u32, timeout_ns: Option<u64>, min_wait_us: u32) {
        self.enters.set(self.enters.get() + 1);
        let uring = self.uring.borrow();
        let submitter = uring.submitter();
        let span = types::Timespec::from(std::time::Duration::from_nanos(timeout_ns.unwrap_or(0)));
        let mut args = types::SubmitArgs::new();
        if timeout_ns.is_some() {
            args = args.timespec(&span).min_wait_usec(min_wait_us);
        }
        let outcome = submitter.submit_with_args(want as usize, &args);
        drop(uring);
        match outcome {
            Ok(_) => {}
            Err(e) => self.check_enter(&e),
        }
        let left = self.uring.borrow_mut().submission().len();
        self.unsubmitted.set(left as u32);
    }

    /// Time-out, interruption and back-pressure are part of the game; anything else is our bug.
    fn check_enter(&self, error: &io::Error) {
        let normal = [libc::ETIME, libc::EINTR, libc::EAGAIN, libc::EBUSY];
        let code = error.raw_os_error().unwrap_or(0);
        assert!(normal.contains(&code), "io_uring_enter on a valid ring failed: {error}");
    }

    /// Hands every completion to its owner; tells how many there were.
    #[inline]
    pub fn reap(&self) -> usize {
        let mut uring = self.uring.borrow_mut();
        let queue = uring.completion();
        let mut owners = self.owners.borrow_mut();
        let mut left_over = Vec::new();
        let mut reaped = 0;
        for cqe in queue {
            reaped += 1;
            let last = !io_uring::cqueue::more(cqe.flags()) && cqe.user_data() != owners::WAKE_UP;
            self.total.set(self.total.get() - u32::from(last));
            left_over.extend(owners.deliver(cqe.user_data(), cqe.result(), cqe.flags()));
        }
        drop(owners);
        drop(uring);
        self.batch.reaped(reaped);
        // Dropped outside of the borrows: what a closed owner left may use the ring again.
        drop(left_over);
        reaped
    }

    /// Requests in flight of all owners, the core's own included.
    #[inline]
    pub fn in_flight(&self) -> u32 {
        self.total.get()
    }

    /// Registers a file, where the ring can.
    pub fn register_file(&self, fd: RawFd) -> Option<u32> {
        self.files.borrow_mut().add(&self.uring.borrow().submitter(), fd)
    }

    /// Takes a registered file out of the table.
    pub fn unregister_file(&self, index: u32) {
        self.files.borrow_mut().remove(&self.uring.borrow().submitter(), index);
    }

    /// Registers a region, where the ring can; its segments are then used without pinning pages
    /// for every request.
    pub fn register_region(&self, region: &Arc<Region>) -> bool {
        self.buffers.borrow_mut().add(&self.uring.borrow().submitter(), region)
    }

    /// The index of a registered region.
    #[inline]
    pub fn buffer_index(&self, region: RegionId) -> Option<u16> {
        self.buffers.borrow().index_of(region)
    }

    /// Registers a ring of provided buffers at `address`.
    ///
    /// # Safety
    /// `address` names `entries` entries of 16 bytes, page-aligned, valid until unregistered.
    pub unsafe fn register_buffer_ring(
        &self,
        address: u64,
        entries: u16,
        group: u16,
    ) -> io::Result<()> {
        // SAFETY: the caller's promise is the one asked for.
        unsafe {
            self.uring.borrow().submitter().register_buf_ring_with_flags(address, entries, group, 0)
        }
    }

    /// Unregisters a ring of provided buffers.
    pub fn unregister_buffer_ring(&self, group: u16) -> io::Result<()> {
        self.uring.borrow().submitter().unregister_buf_ring(group)
    }

    /// Asks the kernel to end what is in flight of `owner` in `slot`.
    pub fn cancel(&self, owner: &OwnerHandle, slot: u32, canceller: &OwnerHandle) {
        let target = owners::encode(owner.number, slot);
        let entry = io_uring::opcode::AsyncCancel::new(target).build();
        // SAFETY: a cancel request names no memory.
        unsafe { self.push(canceller, u32::MAX, entry) };
    }

    /// True where a read of `file` through this ring succeeds.
    pub(crate) fn test_read(&self, file: &std::fs::File, mut lease: Lease) -> bool {
        let Some(owner) = self.open_owner() else { return false };
        let fd = types::Fd(file.as_raw_fd());
        let len = lease.len() as u32;
        let read = io_uring::opcode::Read::new(fd, lease.as_mut_ptr(), len).build();
        // SAFETY: the lease is handed to `close_owner`, which keeps it until the completion.
        unsafe { self.push(&owner, 0, read) };
        let mut arrivals = Vec::new();
        for _ in 0..TEST_READ_ROUNDS_MAX {
            self.enter(1, Some(10_000_000));
            self.reap();
            owner.inbox.take(&mut arrivals);
            if !arrivals.is_empty() {
                break;
            }
        }
        self.close_owner(&owner, Box::new(lease));
        arrivals.first().is_some_and(|arrival| arrival.result == len as i32)
    }

    /// Queues a message that wakes the ring behind `ring_fd`.
    pub fn wake_other(&self, ring_fd: RawFd, sender: &OwnerHandle) {
        let target = types::Fd(ring_fd);
        let entry = io_uring::opcode::MsgRingData::new(target, 0, owners::WAKE_UP, None).build();
        // SAFETY: a message between rings names no memory.
        unsafe { self.push(sender, u32::MAX, entry) };
    }

    /// Waits until nothing is in flight, with a bound; true when that came about.
    fn drain(&self) -> bool {
        for _ in 0..DRAIN_ROUNDS_MAX {
            if self.in_flight() == 0 {
                return true;
            }
            // What was never submitted cannot be cancelled: it goes to the kernel first.
            self.enter(0, None);
            self.cancel_everything();
            self.enter(1, Some(100_000_000));
            self.reap();
        }
        self.in_flight() == 0
    }

    fn cancel_everything(&self) {
        let any = types::CancelBuilder::any();
        // Nothing to cancel is an answer as good as another: `drain` looks at what is in flight.
        let _nothing_found =
            self.uring.borrow().submitter().register_sync_cancel(Some(types::Timespec::new()), any);
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        if !self.drain() {
            let lost = self.owners.get_mut().take_kept();
            tracing::error!(requests = lost.len(), "requests did not end: their memory is kept");
            std::mem::forget(lost);
        }
    }
}
