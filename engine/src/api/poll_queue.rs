//! The level without futures: the application's thread submits and polls.
//!
//! The thread that opens the queue is its core; no other thread is started. Nothing moves unless
//! `poll` or `wait` is called; they run the tasks of devices that have some.

use std::rc::Rc;

use crate::block::{
    BlockDevice, Channel, Completions, DeviceEvent, DeviceInfo, Io, IoResult, WaitSource,
};
use crate::core::{Core, CoreConfig};
use crate::error::SetupError;
use crate::memory::Lease;

/// A device, driven by the calling thread.
pub struct PollQueue {
    channel: Box<dyn Channel>,
    core: Rc<Core>,
    info: DeviceInfo,
}

impl PollQueue {
    /// Sets a core up on this thread and opens `device` on it.
    pub fn open(device: &dyn BlockDevice, config: &CoreConfig) -> Result<PollQueue, SetupError> {
        PollQueue::open_on(Core::new(config)?, device)
    }

    /// Opens `device` on a core of this thread, for instance to drive several devices.
    pub fn open_on(core: Rc<Core>, device: &dyn BlockDevice) -> Result<PollQueue, SetupError> {
        let channel = device.open_channel(&core)?;
        Ok(PollQueue { channel, core, info: device.info() })
    }

    /// The core: its clock, its memory, its counters.
    pub fn core(&self) -> &Rc<Core> {
        &self.core
    }

    /// Geometry and abilities as of the opening.
    pub fn info(&self) -> &DeviceInfo {
        &self.info
    }

    /// A lease of this core's memory.
    pub fn lease(&self, len: u32) -> Option<Lease> {
        self.core.lease(len)
    }

    /// Gathers a request, or gives it back while the queue is full: poll, then submit again.
    #[inline]
    pub fn submit(&mut self, io: Io) -> Result<(), Io> {
        self.channel.submit(io)
    }

    /// Sends what was gathered and appends what is done to `done`, without sleeping; tells how many
    /// that are.
    #[inline]
    pub fn poll(&mut self, done: &mut Completions) -> usize {
        let before = done.len();
        self.core.as_current(|| self.channel.flush_submissions());
        self.core.run_tasks();
        self.core.drive_ring(None);
        self.core.run_tasks();
        self.channel.poll(done);
        done.len() - before
    }

    /// As `poll`, but waits until something is done or `timeout_ns` is over. Sleeps or spins as the
    /// core is configured. Returns at once where nothing is in flight.
    pub fn wait(&mut self, done: &mut Completions, timeout_ns: u64) -> usize {
        let before = done.len();
        let deadline = self.core.now().saturating_add(timeout_ns);
        self.core.as_current(|| self.channel.flush_submissions());
        self.core.run_tasks();
        loop {
            let now = self.core.now();
            let (channel, core) = (&*self.channel, &*self.core);
            core.drive_ring_until(now, || wake_at(core, channel, deadline));
            self.core.run_tasks();
            self.channel.poll(done);
            let got = done.len() - before;
            self.core.note_poll(got > 0);
            if got > 0 || self.channel.in_flight() == 0 || now >= deadline {
                return got;
            }
        }
    }

    /// Requests in flight.
    pub fn in_flight(&self) -> u32 {
        self.channel.in_flight()
    }

    /// The next event of the device, once.
    pub fn take_event(&mut self) -> Option<DeviceEvent> {
        self.channel.take_event()
    }

    /// Submits one request and waits for its end: for tools that do one thing at a time.
    ///
    /// # Panics
    /// When other requests are in flight: a bug of the caller.
    pub fn run_one(&mut self, io: Io) -> (IoResult, crate::block::Payload) {
        assert_eq!(self.in_flight(), 0, "run_one is for one request at a time");
        let refused = self.submit(io).is_err();
        assert!(!refused, "an idle channel takes a request");
        let mut done = Completions::with_capacity(1);
        while done.is_empty() {
            self.wait(&mut done, 1_000_000_000);
        }
        let completion = done.swap_remove(0);
        (completion.result, completion.payload)
    }
}

/// Until when the channel and the core's tasks let the core sleep; `None` for not at all.
fn wake_at(core: &Core, channel: &dyn Channel, deadline: u64) -> Option<u64> {
    let due = core.next_due().unwrap_or(u64::MAX).min(deadline);
    match channel.wait_source() {
        _ if core.has_work() => None,
        WaitSource::Poll => None,
        WaitSource::Until(ns) => Some(ns.min(due)),
        WaitSource::Ring => Some(due),
    }
}
