//! A server that breaks a rule by plan, so that checkers can prove that they notice.
//!
//! A plan is an argument of [`Server::start_broken`](super::Server::start_broken) alone.

use std::cell::Cell;

use super::connection::{Connection, Inner};
use super::slot::Work;

/// Occasions from one loss or leak to the next, so that a client gets far enough to be harmed.
const STRIDE: u32 = 8;

/// A rule that a server breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// A write is answered while the device is at it.
    WriteEarly,
    /// A flush is answered before the writes that it covers are stable.
    FlushEarly,
    /// A request ends without an answer.
    RequestLost,
    /// With a request goes the place of another, for good.
    SlotLeaked,
    /// The place of a connection is not given back when it is over.
    ConnectionLeaked,
}

/// What a server breaks, and how often it could have.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) mutation: Option<Mutation>,
    occasions: Cell<u32>,
}

impl Plan {
    pub(crate) fn new(mutation: Option<Mutation>) -> Plan {
        Plan { mutation, occasions: Cell::new(0) }
    }

    /// True where the rule is broken on this occasion.
    #[inline]
    pub(crate) fn breaks(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation) && self.is_due()
    }

    #[cold]
    fn is_due(&self) -> bool {
        let occasion = self.occasions.get() + 1;
        self.occasions.set(occasion % STRIDE);
        occasion == STRIDE
    }
}

impl Connection {
    /// Answers a request that goes to the device now, where the plan has it so, by a slot that has
    /// nothing but the answer. The request itself ends without a word.
    #[cold]
    pub(crate) fn answer_early(&self, inner: &mut Inner, at: u16) {
        let is_early = match inner.slots[at].work {
            Work::Write { .. } => self.node.plan.mutation == Some(Mutation::WriteEarly),
            Work::Flush => self.node.plan.mutation == Some(Mutation::FlushEarly),
            _ => false,
        };
        if !is_early {
            return;
        }
        let Some(twin) = inner.slots.take() else { return };
        let slot = &mut inner.slots[at];
        slot.is_unheard = true;
        let (cookie, offset, begun_at, work) = (slot.cookie, slot.offset, slot.begun_at, slot.work);
        let answer = &mut inner.slots[twin];
        (answer.cookie, answer.offset, answer.len) = (cookie, offset, 0);
        (answer.begun_at, answer.work) = (begun_at, work);
        self.finish(inner, twin, begun_at);
    }

    /// Ends a request without an answer, where the plan has it so; true then.
    #[cold]
    pub(crate) fn ends_unheard(&self, inner: &mut Inner, at: u16) -> bool {
        let plan = &self.node.plan;
        if plan.breaks(Mutation::SlotLeaked) {
            let _leaked = inner.slots.take();
        }
        let is_unheard = std::mem::take(&mut inner.slots[at].is_unheard);
        if is_unheard || plan.breaks(Mutation::RequestLost) {
            inner.free_memory(&self.node, at);
            inner.slots.put_back(at);
            return true;
        }
        false
    }
}
