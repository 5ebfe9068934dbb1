//! What leaves on one connection: PDUs of the session into batches, and batches back.
//!
//! Invariants: a PDU taken from the session is sent, in order: what does not fit waits as `staged`
//! or, where it is long and copied, as `carry`. Short data are copied and their memory is free at
//! once; long data leave as they are, and their memory is free when the batch is back.

use std::rc::Rc;

use byway_engine::block::{Payload, SEGMENTS_MAX};
use byway_engine::core::Core;
use byway_engine::memory::Crc32c;
use byway_engine::net::{OUTBOX_COPY_MAX, Outbox};
use byway_proto::iscsi::framing::DIGEST_LEN;
use byway_proto::iscsi::pdu::{BHS_LEN, Bhs, padding};
use byway_proto::iscsi::target::{Session, TaskId, Transmit, TransmitData};

use super::faults::Mischief;
use super::ledger::{CHUNK_MIN, Ledger};
use super::slot::{Slot, Stage};

/// Data of a task up to this length are copied.
pub(crate) const COPY_MAX: u32 = 16 << 10;
/// Copied bytes of a batch of a connection that says little.
const SMALL_LEN: u32 = 32 << 10;
/// A batch is sent when it has this many bytes, so that the peer works while the next is filled.
const BATCH_MAX: u64 = 1 << 20;
/// Tasks above which a connection gets the larger memory.
const FEW_TASKS: usize = 2;
/// Data segments are cut to this, whatever the peer takes: a batch has room for one in the smallest
/// pieces.
pub(crate) const SEND_SEGMENT_MAX: u32 = 256 << 10;
const _: () = assert!(2 * (SEND_SEGMENT_MAX / CHUNK_MIN + 2) + 1 < SEGMENTS_MAX as u32);
/// Bytes around the data of a PDU at most.
const AROUND_MAX: u32 = (BHS_LEN + 2 * DIGEST_LEN + 3) as u32;

/// The sending half of a connection.
pub(crate) struct Outgoing {
    core: Rc<Core>,
    outbox: Option<Outbox>,
    staged: Option<Transmit>,
    carry: Vec<u8>,
    carried: usize,
    /// Tasks whose last PDU is in the batch that is filled, and in the one on its way.
    ending: Vec<TaskId>,
    away: Vec<TaskId>,
    header_digest: bool,
    data_digest: bool,
    /// The memory is too small for what there is to say; it is exchanged when it is empty.
    is_tight: bool,
}

impl Outgoing {
    pub(crate) fn new(core: &Rc<Core>, header_digest: bool, data_digest: bool) -> Outgoing {
        Outgoing {
            core: Rc::clone(core),
            outbox: None,
            staged: None,
            carry: Vec::new(),
            carried: 0,
            ending: Vec::new(),
            away: Vec::new(),
            header_digest,
            data_digest,
            is_tight: false,
        }
    }

    /// Puts what the session has to say into the batch, as far as there is room.
    #[inline]
    pub(crate) fn fill(
        &mut self,
        session: &mut Session,
        slots: &mut [Slot],
        ledger: &mut Ledger,
        mut mischief: Option<&mut Mischief>,
    ) {
        while !self.is_tight && self.put_carry() {
            if self.outbox.as_ref().is_some_and(|outbox| outbox.len() >= BATCH_MAX) {
                return;
            }
            let is_staged = self.staged.is_some();
            let Some(mut transmit) = self.staged.take().or_else(|| session.poll_transmit()) else {
                return;
            };
            if let Some(mischief) = mischief.as_deref_mut().filter(|_| !is_staged) {
                mischief.change(&mut transmit);
            }
            let flip = mischief.as_deref_mut().and_then(Mischief::flip);
            if let Err(transmit) = self.put(transmit, slots, ledger, session.live_tasks(), flip) {
                self.staged = Some(transmit);
                return;
            }
        }
    }

    /// True where nothing of a long copied PDU is left.
    #[inline]
    fn put_carry(&mut self) -> bool {
        self.carry.is_empty() || self.put_some_carry()
    }

    fn put_some_carry(&mut self) -> bool {
        let Some(outbox) = &mut self.outbox else { return false };
        while self.carried < self.carry.len() && outbox.has_room(COPY_MAX) {
            let end = self.carry.len().min(self.carried + COPY_MAX as usize);
            outbox.put(&self.carry[self.carried..end]);
            self.carried = end;
        }
        if self.carried < self.carry.len() {
            return false;
        }
        self.carry.clear();
        self.carried = 0;
        true
    }

    /// Puts one PDU, or gives it back where there is no room.
    #[inline]
    fn put(
        &mut self,
        transmit: Transmit,
        slots: &mut [Slot],
        ledger: &mut Ledger,
        live: usize,
        flip: Option<Flip>,
    ) -> Result<(), Transmit> {
        if !self.has_room(&transmit.data, slots, live) {
            return Err(transmit);
        }
        let outbox = self.outbox.as_mut().expect("there is room");
        match transmit.data {
            TransmitData::None => put_head(outbox, &transmit.bhs, self.header_digest, flip),
            TransmitData::Task { task, offset, len } => {
                let slot = &mut slots[usize::from(task.slot())];
                let bytes = slot.buffer.bytes();
                if !bytes.is_empty() {
                    let data = &bytes[offset as usize..][..len as usize];
                    self.put_bytes(&transmit.bhs, data, flip);
                } else {
                    put_head(outbox, &transmit.bhs, self.header_digest, flip);
                    self.put_blocks(task, slot, offset, len, flip);
                }
                if transmit.ends.is_some() && slot.buffer.len() <= COPY_MAX {
                    ledger.free(slot);
                }
            }
            TransmitData::Bytes(bytes) => self.put_bytes(&transmit.bhs, &bytes, flip),
        }
        self.ending.extend(transmit.ends);
        Ok(())
    }

    /// Room for a PDU; takes memory where there is none yet.
    #[inline]
    fn has_room(&mut self, data: &TransmitData, slots: &[Slot], live: usize) -> bool {
        let (copied, segments) = match data {
            TransmitData::Task { task, len, .. } => {
                let buffer = &slots[usize::from(task.slot())].buffer;
                match buffer.len() > COPY_MAX {
                    true => (0, buffer.segments_of(*len)),
                    false => ((*len).min(COPY_MAX), 1),
                }
            }
            TransmitData::Bytes(bytes) => ((bytes.len() as u32).min(COPY_MAX), 1),
            TransmitData::None => (0, 1),
        };
        if self.outbox.is_none() {
            let len = if live > FEW_TASKS { OUTBOX_COPY_MAX } else { SMALL_LEN };
            self.outbox = Outbox::with_len(&self.core, len)
                .or_else(|| Outbox::with_len(&self.core, SMALL_LEN));
        }
        let Some(outbox) = &self.outbox else { return false };
        let has_room = outbox.has_room_for(copied + AROUND_MAX, segments);
        self.is_tight = !has_room && self.is_small();
        has_room
    }

    fn is_small(&self) -> bool {
        self.outbox.as_ref().is_some_and(|outbox| outbox.copy_max() < OUTBOX_COPY_MAX)
    }

    /// Data of an answer that are not blocks: short ones at once, long ones by and by.
    fn put_bytes(&mut self, bhs: &Bhs, data: &[u8], flip: Option<Flip>) {
        let outbox = self.outbox.as_mut().expect("there is room");
        put_head(outbox, bhs, self.header_digest, flip);
        let pad = &[0; 3][..padding(data.len() as u32) as usize];
        let digest = self.data_digest.then(|| {
            let mut crc = Crc32c::new();
            crc.update(data);
            crc.update(pad);
            flipped(crc.value(), flip, Flip::Data).to_le_bytes()
        });
        let digest = digest.as_ref().map_or(&[][..], |digest| digest);
        if data.len() as u32 <= COPY_MAX {
            [data, pad, digest].into_iter().for_each(|part| outbox.put(part));
        } else {
            self.carry.extend(data.iter().chain(pad).chain(digest));
            self.put_some_carry();
        }
    }

    /// Blocks of a task, with padding and digest.
    #[inline]
    fn put_blocks(&mut self, task: TaskId, slot: &mut Slot, at: u32, len: u32, flip: Option<Flip>) {
        let outbox = self.outbox.as_mut().expect("there is room");
        let mut crc = self.data_digest.then(Crc32c::new);
        let (mut at, mut left) = (at, len);
        while left > 0 {
            let n = if slot.buffer.len() <= COPY_MAX {
                let (payload, within, n) = slot.buffer.read(at, left);
                if let Some(crc) = &mut crc {
                    crc.update_payload(payload, within.into(), n.into());
                }
                outbox.put_copy(payload, within.into(), n);
                n
            } else {
                let (chunk, segment) = slot.buffer.piece(at, left);
                let n = segment.len();
                if let Some(crc) = &mut crc {
                    crc.update_segment(&segment, 0, n);
                }
                outbox.put_segment(key_of(task, chunk), segment);
                n
            };
            (at, left) = (at + n, left - n);
        }
        let pad = &[0; 3][..padding(len) as usize];
        if !pad.is_empty() {
            outbox.put(pad);
        }
        if let Some(crc) = &mut crc {
            crc.update(pad);
            outbox.put(&flipped(crc.value(), flip, Flip::Data).to_le_bytes());
        }
    }

    /// The next batch, where there is one and none is on its way.
    pub(crate) fn take(&mut self) -> Option<Payload> {
        let batch = self.outbox.as_mut()?.take()?;
        std::mem::swap(&mut self.ending, &mut self.away);
        Some(batch)
    }

    /// A batch is back: its tasks are over, and memory that it carried is its owner's again.
    pub(crate) fn sent(
        &mut self,
        batch: Payload,
        session: &mut Session,
        slots: &mut [Slot],
        ledger: &mut Ledger,
    ) {
        let outbox = self.outbox.as_mut().expect("a batch comes from here");
        outbox.sent(batch, |key, segment| {
            let (slot, chunk) = slot_of(key);
            slots[slot].buffer.put_sent(chunk, segment);
        });
        if outbox.is_empty() && self.is_tight {
            self.outbox = None;
            self.is_tight = false;
        }
        for task in self.away.drain(..) {
            let slot = &mut slots[usize::from(task.slot())];
            ledger.free(slot);
            slot.stage = Stage::Free;
            session.sent(task);
        }
    }

    /// True where everything has left.
    pub(crate) fn is_quiet(&self) -> bool {
        let is_empty = |outbox: &Outbox| outbox.is_empty() && !outbox.is_away();
        self.staged.is_none() && self.carry.is_empty() && self.outbox.as_ref().is_none_or(is_empty)
    }

    /// Gives the memory back where nothing is to be said.
    pub(crate) fn shrink(&mut self) {
        if self.is_quiet() {
            self.outbox = None;
            self.carry = Vec::new();
        }
    }
}

/// Which digest is to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flip {
    Header,
    Data,
}

fn flipped(crc: u32, flip: Option<Flip>, this: Flip) -> u32 {
    if flip == Some(this) { crc ^ 1 } else { crc }
}

#[inline]
fn put_head(outbox: &mut Outbox, bhs: &Bhs, digest: bool, flip: Option<Flip>) {
    outbox.put(bhs);
    if digest {
        outbox.put(&flipped(Crc32c::of(bhs), flip, Flip::Header).to_le_bytes());
    }
}

fn key_of(task: TaskId, chunk: usize) -> u64 {
    u64::from(task.slot()) << 32 | chunk as u64
}

fn slot_of(key: u64) -> (usize, usize) {
    ((key >> 32) as usize, (key & 0xffff_ffff) as usize)
}
