//! What leaves on one connection: replies into batches, and batches back.
//!
//! Invariants: replies leave in the order in which their requests were done. Short data are copied and
//! their memory is free at once, while it is warm; long data leave from the memory that the device
//! filled, which is free when the batch is back.

use std::rc::Rc;

use byway_engine::block::{ExtentKind, Payload, SEGMENTS_MAX};
use byway_engine::core::Core;
use byway_engine::net::{OUTBOX_COPY_MAX, Outbox};
use byway_proto::nbd::extent::Extent;
use byway_proto::nbd::flags::ExtentFlags;
use byway_proto::nbd::limits::PAYLOAD_LEN_MAX;
use byway_proto::nbd::server::{ReplyTo, Session};

use super::connection::{Connection, Inner, free};
use super::slot::{Slot, Slots, Stage, Work};

/// Data of a read up to this length are copied: for less than a page a piece of its own in the send
/// costs more than the copy. A page that is not copied brings 5 to 30 % more reads at depth 32.
const COPY_MAX: u32 = 1 << 10;
/// Copied bytes of a batch of a connection that says little.
const SMALL_LEN: u32 = 32 << 10;
/// A batch is sent when it has this many bytes, so that the peer works while the next is filled.
const BATCH_MAX: u64 = 1 << 20;
/// Requests above which a connection gets the larger memory.
const FEW_REQUESTS: u16 = 2;
/// Bytes of a head at most.
const HEAD_MAX: u32 = 64;
/// Bytes of the text of an error at most.
const TEXT_MAX: usize = 512;
/// Extents of one reply at most.
pub(crate) const EXTENTS_MAX: usize = 1024;
/// Bytes of a reply with extents at most.
const STATUS_MAX: u32 = HEAD_MAX + 16 * EXTENTS_MAX as u32;
/// The least piece of a request's memory for a request of `len` bytes, so that a batch holds it.
pub(crate) const fn piece_min(len: u32) -> u32 {
    let least = len.div_ceil(PIECES_MAX).next_power_of_two();
    if least < 4096 { 4096 } else { least }
}
const PIECES_MAX: u32 = 96;
/// The key of memory that a device lends: it goes back by being dropped.
const LENT: u64 = u64::MAX;
const _: () = assert!(2 * (PAYLOAD_LEN_MAX / piece_min(PAYLOAD_LEN_MAX) + 2) < SEGMENTS_MAX as u32);
const _: () = assert!(STATUS_MAX < SMALL_LEN && COPY_MAX + HEAD_MAX < SMALL_LEN);

/// The sending half of a connection.
pub(crate) struct Outgoing {
    core: Rc<Core>,
    outbox: Option<Outbox>,
    /// Requests whose replies, with their memory, are in the batch that is filled, and in the one on
    /// its way.
    ending: Vec<u16>,
    away: Vec<u16>,
    /// A reply with extents is put together here.
    status: Vec<u8>,
    /// The memory is too small for what there is to say; it is exchanged when it is empty.
    is_tight: bool,
}

impl Outgoing {
    pub(crate) fn new(core: &Rc<Core>) -> Outgoing {
        Outgoing {
            core: Rc::clone(core),
            outbox: None,
            ending: Vec::new(),
            away: Vec::new(),
            status: Vec::new(),
            is_tight: false,
        }
    }

    /// Puts what is ready into the batch, as far as there is room.
    #[inline]
    pub(crate) fn fill(connection: &Connection, inner: &mut Inner) {
        let Inner { slots, ready, out, charged, .. } = inner;
        while let Some(&at) = ready.front() {
            if !out.has_room(&slots[at], slots.used()) {
                return;
            }
            ready.pop_front();
            let is_leaving = out.put(&connection.session, at, &mut slots[at]);
            if is_leaving {
                slots[at].stage = Stage::Leaving;
                out.ending.push(at);
            } else {
                free(&mut slots[at], charged, &connection.node);
                slots.put_back(at);
            }
        }
    }

    /// Room for a reply; takes memory where there is none yet.
    #[inline]
    fn has_room(&mut self, slot: &Slot, used: u16) -> bool {
        if self.outbox.is_none() {
            let len = if used > FEW_REQUESTS { OUTBOX_COPY_MAX } else { SMALL_LEN };
            self.outbox = Outbox::with_len(&self.core, len)
                .or_else(|| Outbox::with_len(&self.core, SMALL_LEN));
        }
        let Some(outbox) = &self.outbox else { return false };
        if outbox.len() >= BATCH_MAX || self.is_tight {
            return false;
        }
        let (copied, segments) = match slot.work {
            Work::Read if slot.fault.is_none() && slot.len <= COPY_MAX.into() => {
                (slot.len as u32 + HEAD_MAX, 1)
            }
            Work::Read if slot.lent.is_some() => (HEAD_MAX, 1),
            Work::Read if slot.fault.is_none() => {
                (HEAD_MAX, slot.buffer.segments_of(slot.len as u32))
            }
            Work::Status { .. } => (STATUS_MAX, 1),
            _ => (HEAD_MAX + TEXT_MAX as u32, 1),
        };
        let has_room = outbox.has_room_for(copied, segments);
        self.is_tight = !has_room && outbox.copy_max() < OUTBOX_COPY_MAX;
        has_room
    }

    /// Puts a reply; true where the memory of the request is in it.
    #[inline]
    fn put(&mut self, session: &Session, at: u16, slot: &mut Slot) -> bool {
        let outbox = self.outbox.as_mut().expect("there is room");
        let to = ReplyTo { cookie: slot.cookie, offset: slot.offset };
        if let Some(fault) = &slot.fault {
            let text = cut(&fault.text);
            let (head, text) = session.error(to, fault.errno, text);
            outbox.put(head.as_bytes());
            outbox.put(text);
            return false;
        }
        match slot.work {
            Work::Read if slot.len > 0 => {
                let len = slot.len as u32;
                outbox.put(session.data(to, slot.offset, len, true).as_bytes());
                if let Some(segment) = slot.lent.take() {
                    outbox.put_segment(LENT, segment);
                    return false;
                }
                return put_data(outbox, at, slot, len);
            }
            Work::Status { is_one } => {
                let extents = slot.extents.iter().map(extent_of).collect::<Vec<_>>();
                self.status.clear();
                session.block_status(to, &extents, slot.len, is_one, &mut self.status);
                outbox.put(&self.status);
            }
            _ => outbox.put(session.done(to).as_bytes()),
        }
        false
    }

    /// The next batch, where there is one and none is on its way.
    pub(crate) fn take(&mut self) -> Option<Payload> {
        let batch = self.outbox.as_mut()?.take()?;
        std::mem::swap(&mut self.ending, &mut self.away);
        Some(batch)
    }

    /// A batch is back: its requests are over, and the memory that it carried is theirs again.
    pub(crate) fn sent(
        &mut self,
        batch: Payload,
        slots: &mut Slots,
        mut free: impl FnMut(&mut Slot),
    ) {
        let outbox = self.outbox.as_mut().expect("a batch comes from here");
        outbox.sent(batch, |key, segment| {
            if key == LENT {
                return;
            }
            let (slot, chunk) = ((key >> 32) as u16, (key & 0xffff_ffff) as usize);
            slots[slot].buffer.put_sent(chunk, segment);
        });
        if outbox.is_empty() && self.is_tight {
            self.outbox = None;
            self.is_tight = false;
        }
        for at in self.away.drain(..) {
            free(&mut slots[at]);
            slots.put_back(at);
        }
    }

    /// True where everything has left.
    pub(crate) fn is_quiet(&self) -> bool {
        self.outbox.as_ref().is_none_or(|outbox| outbox.is_empty() && !outbox.is_away())
    }

    /// Gives the memory back where nothing is to be said.
    pub(crate) fn shrink(&mut self) {
        if self.is_quiet() {
            self.outbox = None;
            self.status = Vec::new();
        }
    }

    /// Forgets what never left: the connection is gone.
    pub(crate) fn clear(&mut self) {
        self.outbox = None;
        self.ending.clear();
        self.away.clear();
    }
}

/// Puts the data of a read; true where its memory itself is in the batch.
#[inline]
fn put_data(outbox: &mut Outbox, slot_at: u16, slot: &mut Slot, len: u32) -> bool {
    let is_copied = len <= COPY_MAX;
    let mut at = 0;
    while at < len {
        if is_copied {
            let (payload, within, n) = slot.buffer.read(at, len - at);
            outbox.put_copy(payload, within.into(), n);
            at += n;
        } else {
            let (chunk, segment) = slot.buffer.piece(at, len - at);
            at += segment.len();
            outbox.put_segment(u64::from(slot_at) << 32 | chunk as u64, segment);
        }
    }
    !is_copied
}

fn extent_of(extent: &byway_engine::block::Extent) -> Extent {
    let flags = match extent.kind {
        ExtentKind::Data => ExtentFlags::NONE,
        ExtentKind::Hole => ExtentFlags::HOLE.with(ExtentFlags::ZERO),
        ExtentKind::Zero => ExtentFlags::ZERO,
    };
    Extent { len: extent.len, flags }
}

/// As much of the text as is told.
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_MAX)]
}

/// The longest data of a request whose memory is in pieces of `chunk_len`, so that a batch holds it.
pub(crate) fn payload_max(chunk_len: u32) -> u32 {
    PAYLOAD_LEN_MAX.min(chunk_len.saturating_mul(PIECES_MAX))
}
