//! One connection in full-feature phase: the session machine, its tasks, and who waits for what.
//!
//! Invariants: a connection stays in its node until the last request at a device has come back, so
//! that a completion always finds its task. Whoever changes what is to be sent calls
//! [`Connection::advance`], which hands events out, fills the batch and wakes the sender.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use byway_engine::block::Payload;
use byway_proto::iscsi::negotiate::SessionParams;
use byway_proto::iscsi::pdu::Isid;
use byway_proto::iscsi::target::{Reply, Session, TaskId};
use byway_proto::scsi::unit::NexusId;

use super::faults::Mischief;
use super::ledger::Ledger;
use super::node::Node;
use super::outgoing::Outgoing;
use super::slot::{Slot, Stage};
use super::stats::SessionCounts;
use crate::watch::Watch;

/// What makes two logins the same session (RFC 7143 section 4.4.3.1): a login with the key of a
/// living session takes its place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SessionKey {
    pub(crate) initiator: String,
    pub(crate) isid: Isid,
    pub(crate) portal_group: u16,
    /// Discovery sessions are none of the target's.
    pub(crate) is_discovery: bool,
}

/// How far a connection is from its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Life {
    Open,
    /// What is queued leaves, then it ends.
    Closing,
    /// Nothing leaves any more.
    Dead,
}

/// What changes while it is served.
pub(crate) struct Inner {
    pub(crate) session: Session,
    pub(crate) slots: Vec<Slot>,
    pub(crate) out: Outgoing,
    pub(crate) ledger: Ledger,
    pub(crate) mischief: Option<Box<Mischief>>,
    pub(crate) counts: SessionCounts,
}

impl Inner {
    /// The slot of a task, which begins its life where the task is new.
    #[inline]
    pub(crate) fn slot(&mut self, task: TaskId) -> &mut Slot {
        let at = usize::from(task.slot());
        if at >= self.slots.len() {
            self.slots.resize_with(at + 1, Slot::default);
        }
        let slot = &mut self.slots[at];
        if slot.stage == Stage::Free {
            slot.begin(task);
        }
        debug_assert_eq!(slot.task, Some(task), "a slot lives one life at a time");
        slot
    }

    /// A task ended without an answer.
    pub(crate) fn drop_task(&mut self, task: TaskId) {
        let Some(slot) = self.slots.get_mut(usize::from(task.slot())) else { return };
        if slot.task == Some(task) && slot.stage != Stage::Free {
            self.ledger.free(slot);
            slot.stage = Stage::Free;
        }
    }
}

/// One connection, which is one session: MaxConnections is 1.
pub(crate) struct Connection {
    pub(crate) index: u32,
    pub(crate) node: Rc<Node>,
    pub(crate) key: SessionKey,
    pub(crate) nexus: NexusId,
    pub(crate) tsih: u16,
    pub(crate) params: SessionParams,
    pub(crate) peer: String,
    pub(crate) inner: RefCell<Inner>,
    pub(crate) life: Cell<Life>,
    /// It is on the node's list of those to be advanced.
    pub(crate) is_dirty: Cell<bool>,
    /// Tasks that the machine counts as executing.
    pub(crate) executing: Cell<u32>,
    /// When something last arrived.
    pub(crate) active_at: Cell<u64>,
    /// The receiving task is to exchange its memory for less.
    pub(crate) is_to_shrink: Cell<bool>,
    pub(crate) has_large_inbox: Cell<bool>,
    /// The sender waits here.
    pub(crate) sender: Watch,
    /// The receiver waits here for anything but bytes.
    pub(crate) receiver: Watch,
}

impl Connection {
    /// Hands out what the session says, fills the batch, and wakes the sender.
    #[inline]
    pub(crate) fn advance(self: &Rc<Self>) {
        let mut inner = self.inner.borrow_mut();
        self.handle_events(&mut inner);
        let Inner { session, slots, out, ledger, mischief, .. } = &mut *inner;
        out.fill(session, slots, ledger, mischief.as_deref_mut());
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
        (self.life.get() == Life::Closing && inner.out.is_quiet()).then_some(None)
    }

    /// A batch has been sent.
    pub(crate) fn batch_sent(self: &Rc<Self>, batch: Payload) {
        let mut inner = self.inner.borrow_mut();
        let Inner { session, slots, out, ledger, .. } = &mut *inner;
        out.sent(batch, session, slots, ledger);
        drop(inner);
        self.advance();
        self.node.memory_changed();
    }

    /// Answers a command that was executed; the session may have aborted it meanwhile.
    #[inline]
    pub(crate) fn complete(&self, inner: &mut Inner, task: TaskId, reply: Reply<'_>) {
        let slot = &mut inner.slots[usize::from(task.slot())];
        debug_assert!(slot.task == Some(task), "a task is completed in its life");
        slot.stage = Stage::Answered;
        self.executing.set(self.executing.get() - 1);
        inner.counts.commands += 1;
        inner.counts.failed += u64::from(reply.status != byway_proto::scsi::Status::Good);
        inner.session.complete(task, reply);
        if self.node.is_draining.get() > 0 || self.life.get() == Life::Dead {
            self.node.changed.changed();
        }
    }

    /// Cuts the connection: its tasks are aborted, what waits to be sent is not.
    pub(crate) fn kill(self: &Rc<Self>) {
        if self.life.get() != Life::Dead {
            self.die(&mut self.inner.borrow_mut());
            self.advance();
        }
    }
}
