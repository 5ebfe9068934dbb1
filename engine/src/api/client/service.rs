//! The reactor's side of a client: takes requests off the ring and brings completions back.

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use super::slots::Shared;
use crate::block::{BlockDevice, Channel, Completions, Io, WaitSource};
use crate::core::{Core, Polled};
use crate::error::SetupError;

/// Requests taken off the ring in one turn.
const REQUESTS_PER_TURN_MAX: usize = 64;
/// How often a service that ends waits 100 ms for the device.
const DRAIN_ROUNDS_MAX: u32 = 50;

struct Service {
    shared: Arc<Shared>,
    core: Weak<Core>,
    inner: RefCell<Inner>,
}

struct Inner {
    channel: Box<dyn Channel>,
    /// A request that the full channel gave back.
    stash: Option<Io>,
    done: Completions,
    /// Slots that are with the device.
    with_device: Vec<bool>,
}

/// Opens `device` on `core` and serves `shared` until the last client or the core is gone.
pub(super) fn open(
    core: &Rc<Core>,
    device: &dyn BlockDevice,
    shared: Arc<Shared>,
) -> Result<(), SetupError> {
    let depth = shared.depth() as usize;
    let inner = Inner {
        channel: device.open_channel(core)?,
        stash: None,
        done: Vec::with_capacity(depth),
        with_device: vec![false; depth],
    };
    let service = Service { shared, core: Rc::downgrade(core), inner: RefCell::new(inner) };
    core.add_polled(Rc::new(service));
    Ok(())
}

impl Inner {
    fn take_requests(&mut self, shared: &Shared) -> usize {
        let mut taken = 0;
        while taken < REQUESTS_PER_TURN_MAX {
            let Some(io) = self.stash.take().or_else(|| shared.next_request()) else { break };
            let slot = io.tag as usize;
            if let Err(io) = self.channel.submit(io) {
                self.stash = Some(io);
                break;
            }
            self.with_device[slot] = true;
            taken += 1;
        }
        taken
    }

    fn bring_back(&mut self, shared: &Shared) -> usize {
        self.channel.poll(&mut self.done);
        let count = self.done.len();
        for completion in self.done.drain(..) {
            self.with_device[completion.tag as usize] = false;
            shared.complete(completion);
        }
        count
    }
}

impl Polled for Service {
    fn flush(&self) {
        let mut inner = self.inner.borrow_mut();
        if inner.take_requests(&self.shared) > 0 {
            inner.channel.flush_submissions();
        }
    }

    fn poll(&self, core: &Rc<Core>) -> usize {
        let count = self.inner.borrow_mut().bring_back(&self.shared);
        let alone = Arc::strong_count(&self.shared) == 1;
        if alone && self.inner.borrow().channel.in_flight() == 0 {
            core.remove_polled_by(|polled| std::ptr::addr_eq(polled, self));
        }
        count
    }

    fn wait_source(&self) -> Option<WaitSource> {
        let inner = self.inner.borrow();
        if self.shared.has_requests() {
            return Some(WaitSource::Poll);
        }
        (inner.channel.in_flight() > 0).then(|| inner.channel.wait_source())
    }

    fn arm(&self) -> bool {
        self.wait_source() != Some(WaitSource::Poll)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.shared.close();
        let inner = self.inner.get_mut();
        if let Some(io) = inner.stash.take() {
            self.shared.complete(super::gone(io));
        }
        if let Some(core) = self.core.upgrade() {
            for _ in 0..DRAIN_ROUNDS_MAX {
                inner.channel.flush_submissions();
                inner.bring_back(&self.shared);
                if inner.channel.in_flight() == 0 {
                    return;
                }
                core.drive_ring(Some(100_000_000));
            }
        }
        let left = inner.with_device.iter().enumerate().filter(|(_, with)| **with);
        left.for_each(|(slot, _)| self.shared.give_up(slot as u32));
    }
}
