//! A block device in a reactor's tasks: requests are futures.
//!
//! Invariants: a request's memory belongs to the channel until its completion; dropping the future
//! lets the request run to its end and drops its memory then (a dropped write may or may not
//! happen); requests that find the channel full wait in the order they came.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::block::{
    BlockDevice, Channel, Completion, Completions, DeviceEvent, DeviceInfo, Extent, Io, Outcome,
    TagTable, WaitSource,
};
use crate::core::{Core, Polled};
use crate::error::{IoError, SetupError};
use crate::memory::Lease;

/// The end of a request that carried a lease: the result, and the lease back.
pub type LeaseResult = (Result<(), Box<IoError>>, Lease);

enum Slot {
    Waiting(Waker),
    Done(Completion),
    /// The future is gone.
    Orphan,
}

struct Queue {
    channel: RefCell<Box<dyn Channel>>,
    slots: RefCell<TagTable<Slot>>,
    /// Who waits for room in the channel.
    waiting: RefCell<VecDeque<Waker>>,
    done: RefCell<Completions>,
    /// Submitted since the last flush.
    gathered: Cell<bool>,
    events: RefCell<VecDeque<DeviceEvent>>,
}

/// A device opened on a core. Clones share the channel.
#[derive(Clone)]
pub struct Disk {
    queue: Rc<Queue>,
    core: Rc<Core>,
    info: Rc<DeviceInfo>,
    _open: Rc<Opened>,
}

/// Takes the queue out of the core's turns when the last clone of a disk is gone.
struct Opened {
    core: Rc<Core>,
    polled: Rc<dyn Polled>,
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.core.remove_polled(&self.polled);
    }
}

impl Disk {
    /// Opens `device` on `core`.
    pub fn open(core: &Rc<Core>, device: &dyn BlockDevice) -> Result<Disk, SetupError> {
        let info = Rc::new(device.info());
        let depth = info.depth_max;
        let queue = Rc::new(Queue {
            channel: RefCell::new(device.open_channel(core)?),
            slots: RefCell::new(TagTable::new(depth)),
            waiting: RefCell::default(),
            done: RefCell::new(Vec::with_capacity(depth as usize)),
            gathered: Cell::new(false),
            events: RefCell::default(),
        });
        let polled: Rc<dyn Polled> = Rc::clone(&queue) as Rc<dyn Polled>;
        core.add_polled(Rc::clone(&polled));
        let opened = Rc::new(Opened { core: Rc::clone(core), polled });
        Ok(Disk { queue, core: Rc::clone(core), info, _open: opened })
    }

    /// Geometry and abilities as of the opening.
    pub fn info(&self) -> &DeviceInfo {
        &self.info
    }

    /// The core that the disk is opened on.
    pub fn core(&self) -> &Rc<Core> {
        &self.core
    }

    /// Starts a request when first polled; its completion comes exactly once. The tag is replaced.
    pub fn submit(&self, io: Io) -> DiskRequest {
        DiskRequest { queue: Rc::clone(&self.queue), state: RequestState::Unsent(io) }
    }

    /// Fills `lease` from `offset` on.
    pub async fn read(&self, offset: u64, lease: Lease) -> LeaseResult {
        give_back(self.submit(Io::read(offset, lease)).await)
    }

    /// Writes `lease` at `offset`.
    pub async fn write(&self, offset: u64, lease: Lease) -> LeaseResult {
        give_back(self.submit(Io::write(offset, lease)).await)
    }

    /// Writes `lease` at `offset`, durably.
    pub async fn write_fua(&self, offset: u64, lease: Lease) -> LeaseResult {
        give_back(self.submit(Io::write(offset, lease).with_fua()).await)
    }

    /// Makes every write durable that completed before.
    pub async fn flush(&self) -> Result<(), Box<IoError>> {
        self.submit(Io::flush()).await.result.map(drop)
    }

    /// Gives `len` bytes up.
    pub async fn discard(&self, offset: u64, len: u64) -> Result<(), Box<IoError>> {
        self.submit(Io::discard(offset, len)).await.result.map(drop)
    }

    /// Makes `len` bytes read as zeroes.
    pub async fn write_zeroes(
        &self,
        offset: u64,
        len: u64,
        unmap: bool,
    ) -> Result<(), Box<IoError>> {
        self.submit(Io::write_zeroes(offset, len, unmap)).await.result.map(drop)
    }

    /// Which parts of `len` bytes hold data; the answer may end early, see [`Outcome::Extents`].
    pub async fn block_status(&self, offset: u64, len: u64) -> Result<Vec<Extent>, Box<IoError>> {
        match self.submit(Io::block_status(offset, len)).await.result? {
            Outcome::Extents(extents) => Ok(*extents),
            _ => Ok(Vec::new()),
        }
    }

    /// The next event of the device, once.
    pub fn take_event(&self) -> Option<DeviceEvent> {
        self.queue.events.borrow_mut().pop_front()
    }

    /// Requests in flight.
    pub fn in_flight(&self) -> u32 {
        self.queue.channel.borrow().in_flight()
    }
}

fn give_back(completion: Completion) -> LeaseResult {
    let lease = completion.payload.into_lease().expect("a device gives the lease back");
    (completion.result.map(drop), lease)
}

enum RequestState {
    Unsent(Io),
    Sent(u32),
    Over,
}

/// A request on its way.
pub struct DiskRequest {
    queue: Rc<Queue>,
    state: RequestState,
}

impl Future for DiskRequest {
    type Output = Completion;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Completion> {
        match std::mem::replace(&mut self.state, RequestState::Over) {
            RequestState::Unsent(io) => {
                self.state = self.queue.send(io, cx);
                Poll::Pending
            }
            RequestState::Sent(slot) => match self.queue.look(slot, cx) {
                Some(completion) => Poll::Ready(completion),
                None => {
                    self.state = RequestState::Sent(slot);
                    Poll::Pending
                }
            },
            RequestState::Over => panic!("a request was polled after its end"),
        }
    }
}

impl Drop for DiskRequest {
    fn drop(&mut self) {
        if let RequestState::Sent(slot) = self.state {
            self.queue.abandon(slot);
        }
    }
}

impl Queue {
    /// Hands a request to the channel, or queues the task for when there is room.
    #[inline]
    fn send(&self, mut io: Io, cx: &mut Context<'_>) -> RequestState {
        let slot = self.slots.borrow_mut().insert(Slot::Waiting(cx.waker().clone()));
        let Ok(slot) = slot else {
            self.waiting.borrow_mut().push_back(cx.waker().clone());
            return RequestState::Unsent(io);
        };
        io.tag = u64::from(slot);
        match self.channel.borrow_mut().submit(io) {
            Ok(()) => {
                self.gathered.set(true);
                RequestState::Sent(slot)
            }
            Err(io) => {
                self.slots.borrow_mut().remove(slot);
                self.waiting.borrow_mut().push_back(cx.waker().clone());
                RequestState::Unsent(io)
            }
        }
    }

    #[inline]
    fn look(&self, slot: u32, cx: &mut Context<'_>) -> Option<Completion> {
        let mut slots = self.slots.borrow_mut();
        let entry = slots.get_mut(slot).expect("a request's slot lives as long as the request");
        if let Slot::Waiting(waker) = entry {
            waker.clone_from(cx.waker());
            return None;
        }
        let Some(Slot::Done(completion)) = slots.remove(slot) else {
            unreachable!("only abandoned slots are orphans")
        };
        drop(slots);
        self.slot_freed();
        Some(completion)
    }

    /// A slot is free again: the longest waiting task may try.
    #[inline]
    fn slot_freed(&self) {
        if !self.waiting.borrow().is_empty() {
            self.admit_waiting(1);
        }
    }

    fn abandon(&self, slot: u32) {
        let mut slots = self.slots.borrow_mut();
        match slots.get_mut(slot) {
            Some(entry @ Slot::Waiting(_)) => *entry = Slot::Orphan,
            _ => {
                let done = slots.remove(slot);
                drop(slots);
                drop(done);
                self.slot_freed();
            }
        }
    }

    #[inline]
    fn settle(&self, completion: Completion) {
        let slot = completion.tag as u32;
        let mut slots = self.slots.borrow_mut();
        let entry = slots.get_mut(slot).expect("a channel completes what was submitted, once");
        match std::mem::replace(entry, Slot::Done(completion)) {
            Slot::Waiting(waker) => {
                drop(slots);
                waker.wake();
            }
            _ => {
                let orphan = slots.remove(slot);
                drop(slots);
                drop(orphan);
                self.slot_freed();
            }
        }
    }

    fn admit_waiting(&self, room: usize) {
        let mut waiting = self.waiting.borrow_mut();
        let n = waiting.len().min(room);
        // Waking only notes a number: nothing runs inside of this borrow.
        waiting.drain(..n).for_each(Waker::wake);
    }
}

impl Polled for Queue {
    fn flush(&self) {
        if self.gathered.replace(false) {
            self.channel.borrow_mut().flush_submissions();
        }
    }

    fn poll(&self, _core: &Rc<Core>) -> usize {
        let mut done = std::mem::take(&mut *self.done.borrow_mut());
        let mut channel = self.channel.borrow_mut();
        if channel.in_flight() > 0 {
            channel.poll(&mut done);
        }
        while let Some(event) = channel.take_event() {
            self.events.borrow_mut().push_back(event);
        }
        drop(channel);
        let count = done.len();
        for completion in done.drain(..) {
            self.settle(completion);
        }
        *self.done.borrow_mut() = done;
        if count > 0 && !self.waiting.borrow().is_empty() {
            self.admit_waiting(count);
        }
        count
    }

    fn arm(&self) -> bool {
        self.wait_source() != Some(WaitSource::Poll)
    }

    fn wait_source(&self) -> Option<WaitSource> {
        let channel = self.channel.borrow();
        (channel.in_flight() > 0).then(|| channel.wait_source())
    }
}
