//! A block device in a reactor's tasks: requests are futures.
//!
//! Invariants: a request's memory belongs to the channel until its completion; dropping the future
//! lets the request run to its end and drops its memory then (a dropped write may or may not
//! happen); requests that find the channel full are sent in the order they came.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::requests::{Requests, Settled};
use crate::block::{
    BlockDevice, Channel, Completion, Completions, DeviceEvent, DeviceInfo, Extent, Io, Outcome,
    WaitSource,
};
use crate::core::{Core, Polled};
use crate::error::{IoError, SetupError};
use crate::memory::Lease;

/// The end of a request that carried a lease: the result, and the lease back.
pub type LeaseResult = (Result<(), Box<IoError>>, Lease);

struct Queue {
    channel: RefCell<Box<dyn Channel>>,
    requests: RefCell<Requests>,
    /// What the channel had no room for, in the order it came.
    held: RefCell<VecDeque<Io>>,
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
            requests: RefCell::new(Requests::with_capacity(depth as usize)),
            held: RefCell::default(),
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

    /// Starts a request; the future is its completion, which comes exactly once. Several requests
    /// may be started before the first is awaited. The tag is replaced.
    #[inline]
    pub fn submit(&self, io: Io) -> DiskRequest {
        DiskRequest { queue: Rc::clone(&self.queue), number: Some(self.queue.send(io)) }
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

/// A request on its way.
pub struct DiskRequest {
    queue: Rc<Queue>,
    /// Its number, until its completion was taken.
    number: Option<u32>,
}

impl Future for DiskRequest {
    type Output = Completion;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Completion> {
        let number = self.number.expect("a request is not polled after its end");
        let done = self.queue.requests.borrow_mut().poll(number, cx.waker());
        if done.is_ready() {
            self.number = None;
        }
        done
    }
}

impl Drop for DiskRequest {
    #[inline]
    fn drop(&mut self) {
        if let Some(number) = self.number {
            let done = self.queue.requests.borrow_mut().abandon(number);
            drop(done);
        }
    }
}

impl Queue {
    /// Hands a request to the channel, or holds it until there is room. A call of its own: where it
    /// is inlined, the request is copied once more.
    #[inline(never)]
    fn send(&self, mut io: Io) -> u32 {
        let number = self.requests.borrow_mut().insert();
        io.tag = u64::from(number);
        self.gathered.set(true);
        let mut held = self.held.borrow_mut();
        if !held.is_empty() {
            held.push_back(io);
        } else if let Err(io) = self.channel.borrow_mut().submit(io) {
            held.push_back(io);
        }
        number
    }

    /// Sends what was held, as far as there is room now.
    #[cold]
    fn send_held(&self) {
        let mut held = self.held.borrow_mut();
        while let Some(io) = held.pop_front() {
            if self.requests.borrow_mut().forget_if_abandoned(io.tag as u32) {
                continue;
            }
            if let Err(io) = self.channel.borrow_mut().submit(io) {
                held.push_front(io);
                return;
            }
            self.gathered.set(true);
        }
    }

    /// Notes a completion, wakes who waits for it, and drops what nobody waits for.
    #[inline]
    fn settle(&self, completion: Completion) {
        let settled = self.requests.borrow_mut().settle(completion);
        match settled {
            Settled::Unseen => {}
            Settled::Awaited(waker) => waker.wake(),
            Settled::Abandoned(completion) => drop(completion),
        }
    }
}

impl Polled for Queue {
    fn flush(&self) {
        if !self.held.borrow().is_empty() {
            self.send_held();
        }
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
