//! One connection in its transmission phase: its requests, and who waits for what.
//!
//! Invariants: a connection stays in its node until the last request at a device has come back, so
//! that a completion always finds its slot. Whoever makes something ready to be sent calls
//! [`Connection::advance`], which fills the batch and wakes the sender.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use byway_engine::block::Payload;
use byway_engine::core::PollMode;
use byway_proto::nbd::server::Session;

use super::export::Export;
use super::node::Node;
use super::outgoing::Outgoing;
use super::rhythm::Rhythm;
use super::slot::{Slot, Slots, Stage};
use super::stats::ConnectionCounts;
use super::succession::Claim;
use super::wire::Wire;
use crate::watch::Watch;

/// How far a connection is from its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Life {
    Open,
    /// No more requests; what was asked for is answered, then it ends.
    Closing,
    /// Nothing leaves any more.
    Dead,
}

/// What changes while it is served.
pub(crate) struct Inner {
    pub(crate) slots: Slots,
    /// Requests whose replies wait for room, in the order they were done.
    pub(crate) ready: VecDeque<u16>,
    pub(crate) out: Outgoing,
    /// Bytes of the arena that requests hold.
    pub(crate) charged: u64,
    /// Requests at the device.
    pub(crate) at_device: u32,
    pub(crate) counts: ConnectionCounts,
}

/// One connection.
pub(crate) struct Connection {
    pub(crate) index: u32,
    pub(crate) node: Rc<Node>,
    pub(crate) export: Rc<Export>,
    pub(crate) session: Session,
    pub(crate) wire: Wire,
    pub(crate) peer: String,
    /// Of a client that has a name.
    pub(crate) claim: Option<Claim>,
    pub(crate) inner: RefCell<Inner>,
    pub(crate) life: Cell<Life>,
    /// It is on the node's list of those to be advanced.
    pub(crate) is_dirty: Cell<bool>,
    /// Whether requests come one by one.
    pub(crate) rhythm: RefCell<Rhythm>,
    /// When something last arrived or left.
    pub(crate) active_at: Cell<u64>,
    /// The receiving task is to exchange its memory for less.
    pub(crate) is_to_shrink: Cell<bool>,
    pub(crate) has_large_inbox: Cell<bool>,
    /// The sender waits here.
    pub(crate) sender: Watch,
    /// The receiver waits here for anything but bytes.
    pub(crate) receiver: Watch,
}

impl Inner {
    /// Gives the memory of a slot back.
    #[inline]
    pub(crate) fn free_memory(&mut self, node: &Node, at: u16) {
        let slot = &mut self.slots[at];
        free(slot, &mut self.charged, node);
    }
}

/// Gives the memory of a slot back.
#[inline]
pub(crate) fn free(slot: &mut Slot, charged: &mut u64, node: &Node) {
    let len = std::mem::take(&mut slot.charged);
    if len > 0 {
        slot.buffer.free();
        *charged -= u64::from(len);
        node.freed(len);
    }
}

impl Connection {
    /// Fills the batch, and wakes the sender and the receiver where they wait.
    #[inline]
    pub(crate) fn advance(&self) {
        let mut inner = self.inner.borrow_mut();
        Outgoing::fill(self, &mut inner);
        drop(inner);
        self.sender.changed();
        self.receiver.changed();
    }

    /// To be advanced at the end of this turn of the device's queue.
    #[inline]
    pub(crate) fn touch(&self) {
        if !self.is_dirty.replace(true) {
            self.node.dirty.borrow_mut().push(self.index);
        }
    }

    /// The next batch to send; nothing, for good, where the connection is at its end.
    pub(crate) fn next_batch(&self) -> Option<Option<Payload>> {
        if self.life.get() == Life::Dead {
            return Some(None);
        }
        let mut inner = self.inner.borrow_mut();
        if let Some(batch) = inner.out.take() {
            return Some(Some(batch));
        }
        (self.life.get() == Life::Closing && inner.slots.used() == 0).then_some(None)
    }

    /// A batch has been sent.
    pub(crate) fn batch_sent(&self, batch: Payload) {
        self.active_at.set(self.node.core.now());
        let len = batch.len();
        let mut inner = self.inner.borrow_mut();
        let Inner { slots, out, charged, .. } = &mut *inner;
        out.sent(batch, slots, |slot| free(slot, charged, &self.node));
        let in_flight = slots.used();
        drop(inner);
        self.keep_rhythm(len, in_flight);
        self.advance();
        self.node.memory_changed();
        if self.node.is_stopping.get() {
            self.node.changed.changed();
        }
    }

    /// A core that spins before it sleeps needs no earlier wake-up.
    fn keep_rhythm(&self, len: u64, in_flight: u16) {
        if self.node.core.config().poll_mode == PollMode::Never {
            let start = || self.wire.watch_reading();
            self.rhythm.borrow_mut().sent(len, in_flight, start);
        }
    }

    /// Answers what is in flight, takes nothing more, and ends.
    pub(crate) fn close(&self) {
        if self.life.get() == Life::Open {
            self.life.set(Life::Closing);
            self.sender.changed();
            self.receiver.changed();
        }
    }

    /// Cuts the connection: what waits to be sent is not.
    pub(crate) fn kill(&self) {
        if self.life.replace(Life::Dead) != Life::Dead {
            self.wire.shutdown();
            self.sender.changed();
            self.receiver.changed();
            self.node.changed.changed();
        }
    }

    /// True where a request is under way.
    pub(crate) fn is_busy(&self) -> bool {
        self.inner.borrow().slots.used() > 0
    }

    /// Forgets requests of a connection that is over.
    pub(crate) fn forget_requests(&self) {
        let mut inner = self.inner.borrow_mut();
        let Inner { slots, charged, out, ready, .. } = &mut *inner;
        assert!(slots.living().all(|(_, slot)| slot.stage != Stage::Working), "they are back");
        out.clear();
        ready.clear();
        slots.living().for_each(|(_, slot)| free(slot, charged, &self.node));
        drop(inner);
        self.node.memory_changed();
    }
}
