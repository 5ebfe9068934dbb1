//! Gathers many messages into one send: small pieces are copied, large ones leave as they are.
//!
//! Invariants: bytes leave in the order in which they were put; one batch is filled while another
//! is on its way; a segment that was put comes back from [`Outbox::sent`] under its key, whether
//! the send succeeded or not, so its owner never loses it. In the steady state nothing is
//! allocated: two staging leases and two lists are used in turns.

use std::rc::Rc;

use crate::block::{Payload, SEGMENTS_MAX, SegmentList};
use crate::core::Core;
use crate::memory::{Lease, Segment};

/// Bytes that are copied into one batch at most.
pub const OUTBOX_COPY_MAX: u32 = 256 << 10;

/// What leaves next.
pub struct Outbox {
    core: Rc<Core>,
    /// The part of the staging memory that is not cut off yet; its length is what is filled.
    staging: Option<Lease>,
    list: Option<Box<SegmentList>>,
    keys: Vec<Option<u64>>,
    /// The keys of the batch on its way.
    away: Vec<Option<u64>>,
    spare: Option<(Lease, Box<SegmentList>)>,
    bytes: u64,
    is_away: bool,
    copy_max: u32,
}

impl Outbox {
    /// An empty outbox; `None` where the core's arena has no memory left.
    pub fn new(core: &Rc<Core>) -> Option<Outbox> {
        Outbox::with_len(core, OUTBOX_COPY_MAX)
    }

    /// As [`Outbox::new`], with `len` bytes to copy into one batch at most: for connections with
    /// little to say.
    pub fn with_len(core: &Rc<Core>, len: u32) -> Option<Outbox> {
        let list = || Box::new(SegmentList::with_capacity(SEGMENTS_MAX));
        let keys = || Vec::with_capacity(SEGMENTS_MAX);
        Some(Outbox {
            core: Rc::clone(core),
            staging: Some(empty_lease(core, len)?),
            list: Some(list()),
            keys: keys(),
            away: keys(),
            spare: Some((empty_lease(core, len)?, list())),
            bytes: 0,
            is_away: false,
            copy_max: len,
        })
    }

    /// Bytes that are copied into one batch at most.
    pub fn copy_max(&self) -> u32 {
        self.copy_max
    }

    /// Bytes that wait to leave.
    pub fn len(&self) -> u64 {
        self.bytes
    }

    /// True where nothing waits to leave.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// True where a batch is on its way.
    pub fn is_away(&self) -> bool {
        self.is_away
    }

    /// True where `len` copied bytes, or a segment and that many, still fit.
    pub fn has_room(&self, len: u32) -> bool {
        self.has_room_for(len, 1)
    }

    /// True where `len` copied bytes with `segments` among them still fit.
    #[inline]
    pub fn has_room_for(&self, len: u32, segments: usize) -> bool {
        let staging = self.staging.as_ref();
        let fits = staging.is_some_and(|s| s.capacity() - s.len() as u32 > len);
        fits && self.keys.len() + 2 * segments < SEGMENTS_MAX
    }

    /// Puts bytes, copied.
    ///
    /// # Panics
    /// Where `has_room` says no: a bug of the caller.
    pub fn put(&mut self, bytes: &[u8]) {
        self.grow(bytes.len() as u32).copy_from_slice(bytes);
    }

    /// Puts `len` bytes of a payload from `at` on, copied.
    ///
    /// # Panics
    /// As [`Outbox::put`].
    pub fn put_copy(&mut self, payload: &Payload, at: u64, len: u32) {
        payload.copy_to(at, self.grow(len));
    }

    /// Puts a segment as it is; it comes back from [`Outbox::sent`] with `key`.
    ///
    /// # Panics
    /// Where `has_room` says no: a bug of the caller.
    pub fn put_segment(&mut self, key: u64, segment: Segment) {
        self.cut();
        self.bytes += u64::from(segment.len());
        self.push(Some(key), segment);
    }

    /// The next batch, where there is one and none is on its way.
    pub fn take(&mut self) -> Option<Payload> {
        if self.is_away || self.bytes == 0 {
            return None;
        }
        self.cut();
        let rest = self.staging.take().expect("a batch that is filled has staging memory");
        self.push(None, rest.into());
        std::mem::swap(&mut self.keys, &mut self.away);
        let list = self.list.take().expect("a batch that is filled has a list");
        if let Some((staging, list)) = self.spare.take() {
            (self.staging, self.list) = (Some(staging), Some(list));
        }
        (self.bytes, self.is_away) = (0, true);
        Some(Payload::Many(list))
    }

    /// Takes a batch back when its send has ended; `returned` gets the segments with their keys.
    ///
    /// # Panics
    /// When the payload is not what `take` gave out: a bug of the caller.
    pub fn sent(&mut self, payload: Payload, mut returned: impl FnMut(u64, Segment)) {
        let Payload::Many(mut list) = payload else { panic!("a batch is a list of segments") };
        let mut staging: Option<Segment> = None;
        for (key, segment) in self.away.drain(..).zip(list.drain()) {
            match (key, &mut staging) {
                (Some(key), _) => returned(key, segment),
                (None, None) => staging = Some(segment),
                (None, Some(whole)) => join(whole, segment),
            }
        }
        let mut staging =
            staging.and_then(|whole| whole.into_lease().ok()).expect("cut of a lease");
        staging.set_len(0);
        self.is_away = false;
        if self.staging.is_none() {
            (self.staging, self.list) = (Some(staging), Some(list));
        } else {
            self.spare = Some((staging, list));
        }
    }

    /// Takes back what was put and never left: the connection is gone.
    pub fn clear(&mut self, mut returned: impl FnMut(u64, Segment)) {
        assert!(!self.is_away, "a batch on its way comes back first");
        if let Some(payload) = self.take() {
            self.sent(payload, &mut returned);
        }
    }

    /// The core whose memory is used.
    pub fn core(&self) -> &Rc<Core> {
        &self.core
    }

    fn grow(&mut self, len: u32) -> &mut [u8] {
        let staging = self.staging.as_mut().expect("room was asked for");
        let start = staging.len();
        staging.set_len(start as u32 + len);
        self.bytes += u64::from(len);
        &mut staging[start..]
    }

    /// Makes what is filled of the staging memory a segment of its own.
    fn cut(&mut self) {
        let staging = self.staging.as_mut().expect("room was asked for");
        let filled = staging.len() as u32;
        if filled == 0 {
            return;
        }
        let piece = staging.split_to(filled);
        self.push(None, piece.into());
    }

    fn push(&mut self, key: Option<u64>, segment: Segment) {
        self.keys.push(key);
        let list = self.list.as_mut().expect("room was asked for");
        let refused = list.push(segment).is_err();
        assert!(!refused, "room was asked for");
    }
}

/// Joins the parts of a staging lease; a part that was not filled is cut to what it owns first.
fn join(whole: &mut Segment, part: Segment) {
    let refused = whole.rejoin(part).is_err();
    assert!(!refused, "the parts of a lease follow each other");
}

fn empty_lease(core: &Rc<Core>, len: u32) -> Option<Lease> {
    let mut lease = core.lease(len)?;
    lease.set_len(0);
    Some(lease)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of(payload: &Payload) -> Vec<u8> {
        let mut bytes = vec![0; payload.len() as usize];
        payload.copy_to(0, &mut bytes);
        bytes
    }

    fn segment(core: &Rc<Core>, text: &[u8]) -> Segment {
        let mut lease = core.lease(text.len() as u32).unwrap();
        lease.copy_from_slice(text);
        lease.into()
    }

    #[test]
    fn pieces_leave_in_order_and_segments_come_back_by_key() {
        let core = Core::standalone().unwrap();
        let mut outbox = Outbox::new(&core).unwrap();
        outbox.put(b"one ");
        outbox.put_segment(7, segment(&core, b"two "));
        outbox.put(b"three ");
        outbox.put_segment(8, segment(&core, b"four "));
        outbox.put_segment(9, segment(&core, b"five"));
        let batch = outbox.take().unwrap();
        assert_eq!(bytes_of(&batch), b"one two three four five");
        outbox.put(b"next");
        assert!(outbox.take().is_none(), "one batch at a time");
        let mut keys = Vec::new();
        outbox.sent(batch, |key, segment| keys.push((key, segment.len())));
        assert_eq!(keys, [(7, 4), (8, 5), (9, 4)]);
        assert_eq!(bytes_of(&outbox.take().unwrap()), b"next");
    }

    #[test]
    fn memory_is_whole_again_after_many_batches() {
        let core = Core::standalone().unwrap();
        let mut outbox = Outbox::new(&core).unwrap();
        for round in 0..1000u32 {
            let mut puts = 0u32;
            while outbox.has_room(4096) && puts < 60 {
                outbox.put(&[round as u8; 48]);
                outbox.put_segment(u64::from(puts), segment(&core, b"x"));
                puts += 1;
            }
            assert!(puts > 10);
            let batch = outbox.take().unwrap();
            let mut back = 0;
            outbox.sent(batch, |_, _| back += 1);
            assert_eq!(back, puts);
        }
    }

    #[test]
    fn what_never_left_comes_back_too() {
        let core = Core::standalone().unwrap();
        let mut outbox = Outbox::new(&core).unwrap();
        outbox.put_segment(1, segment(&core, b"data"));
        let mut back = Vec::new();
        outbox.clear(|key, _| back.push(key));
        assert_eq!(back, [1]);
        assert!(outbox.is_empty());
    }

    #[test]
    fn room_ends_with_the_staging_memory() {
        let core = Core::standalone().unwrap();
        let mut outbox = Outbox::new(&core).unwrap();
        let mut copied = 0;
        while outbox.has_room(4096) {
            outbox.put(&[1; 4096]);
            copied += 4096;
        }
        assert!(copied >= OUTBOX_COPY_MAX - 2 * 4096);
        let batch = outbox.take().unwrap();
        assert!(outbox.has_room(4096), "the other half is empty");
        outbox.sent(batch, |_, _| {});
    }
}
