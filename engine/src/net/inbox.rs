//! What has arrived on a stream and is not used up: staging memory, and a way around it.
//!
//! Invariants: while a receive is under way the memory is with it (`prepare` gives it out,
//! `finish` takes it back); bytes come out in the order they came in. Long runs of payload go
//! straight into their owner's segment: it stands in front of the staging memory in one receive.

use std::rc::Rc;

use crate::block::{Payload, SegmentList};
use crate::core::Core;
use crate::memory::{Lease, Segment};

/// Bytes of staging memory.
pub const INBOX_LEN: u32 = 256 << 10;
/// From this length on a run of payload is worth a receive of its own, in bytes.
const LONG_LEN: u32 = 64 << 10;
/// Bytes of staging memory beside a long run: room for the next header, so that the payload behind
/// it goes straight to its owner too instead of being copied.
const BESIDE_LONG_LEN: u32 = 4 << 10;

/// Bytes of a stream, as they come.
pub struct Inbox {
    staging: Option<Lease>,
    start: usize,
    end: usize,
    list: Option<Box<SegmentList>>,
    /// Bytes of the segment in front of the staging memory of the receive under way.
    direct: u32,
    /// Bytes of the staging memory.
    len: u32,
    /// A long run of payload is at its end: another one may follow its header.
    was_long: bool,
}

impl Inbox {
    /// An empty inbox; `None` where the core's arena has no memory left.
    pub fn new(core: &Rc<Core>) -> Option<Inbox> {
        Inbox::with_len(core, INBOX_LEN)
    }

    /// As [`Inbox::new`], with `len` bytes of staging memory: for many idle connections.
    pub fn with_len(core: &Rc<Core>, len: u32) -> Option<Inbox> {
        let list = Some(Box::new(SegmentList::with_capacity(2)));
        let staging = Some(core.lease(len)?);
        Some(Inbox { staging, start: 0, end: 0, list, direct: 0, len, was_long: false })
    }

    /// The bytes that are there.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        self.staging.as_ref().map_or(&[], |staging| &staging[self.start..self.end])
    }

    /// Drops the first `n` bytes.
    ///
    /// # Panics
    /// When there are not so many: a bug of the caller.
    #[inline]
    pub fn consume(&mut self, n: usize) {
        assert!(n <= self.end - self.start, "consumed more than there is");
        self.start += n;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// What the next receive fills: the free part of the staging memory, behind `direct` where
    /// given. A direct segment asks for an empty inbox, as its bytes come next.
    ///
    /// # Panics
    /// When a receive is under way, when the staging memory is full, or when bytes are there and a
    /// segment is given: bugs of the caller.
    pub fn prepare(&mut self, direct: Option<Segment>) -> Payload {
        let mut staging = self.staging.take().expect("one receive at a time");
        if self.start > 0 {
            staging.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        assert!(self.end < staging.len(), "what has arrived is used before more is received");
        let Some(segment) = direct else {
            return self.prepare_staging(staging);
        };
        assert_eq!(self.end, 0, "direct bytes come next");
        self.direct = segment.len();
        self.was_long = self.direct >= LONG_LEN;
        if self.was_long {
            staging.set_len(self.len.min(BESIDE_LONG_LEN));
        }
        let mut list = self.list.take().expect("the list is here while no receive is under way");
        let refused = list.push(segment).is_err() || list.push(staging).is_err();
        assert!(!refused, "a list has room for two");
        Payload::Many(list)
    }

    /// The free part alone; the filled part, if any, waits beside it.
    fn prepare_staging(&mut self, mut staging: Lease) -> Payload {
        let was_long = std::mem::take(&mut self.was_long);
        if self.end == 0 {
            staging.set_len(if was_long { self.len.min(BESIDE_LONG_LEN) } else { self.len });
            return Payload::from(staging);
        }
        let filled = staging.split_to(self.end as u32);
        self.staging = Some(filled);
        Payload::from(staging)
    }

    /// Takes the memory back after a receive of `n` bytes; gives the direct segment back with the
    /// number of bytes that it got.
    ///
    /// # Panics
    /// When the payload is not what `prepare` gave out: a bug of the caller.
    pub fn finish(&mut self, payload: Payload, n: usize) -> Option<(Segment, u32)> {
        match payload {
            Payload::Many(mut list) => {
                let mut segments = list.drain();
                let direct = segments.next().expect("the direct segment");
                let staging = segments.next().expect("the staging memory");
                drop(segments);
                self.list = Some(list);
                self.staging = staging.into_lease().ok();
                self.restore();
                let got = std::mem::take(&mut self.direct).min(n as u32);
                self.end = n - got as usize;
                Some((direct, got))
            }
            other => {
                let lease = other.into_lease().expect("what prepare gave out");
                self.staging = Some(match self.staging.take() {
                    Some(filled) => joined(filled, lease),
                    None => lease,
                });
                self.restore();
                self.end += n;
                None
            }
        }
    }

    /// All of the staging memory counts again.
    fn restore(&mut self) {
        if let Some(staging) = &mut self.staging {
            staging.set_len(self.len);
        }
    }
}

fn joined(mut filled: Lease, rest: Lease) -> Lease {
    let refused = filled.rejoin(rest).is_err();
    assert!(!refused, "the parts of a lease follow each other");
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A receive that brings `bytes`.
    fn receive(inbox: &mut Inbox, direct: Option<Segment>, bytes: &[u8]) -> Option<(Segment, u32)> {
        let mut payload = inbox.prepare(direct);
        payload.copy_from(0, bytes);
        inbox.finish(payload, bytes.len())
    }

    #[test]
    fn bytes_come_out_as_they_came_in() {
        let core = Core::standalone().unwrap();
        let mut inbox = Inbox::with_len(&core, 4096).unwrap();
        assert!(receive(&mut inbox, None, b"abcdef").is_none());
        inbox.consume(2);
        assert!(receive(&mut inbox, None, b"ghi").is_none());
        assert_eq!(inbox.bytes(), b"cdefghi");
        inbox.consume(7);
        assert!(inbox.bytes().is_empty());
        assert!(receive(&mut inbox, None, &[7; 4096]).is_none(), "all of the memory is free again");
        assert_eq!(inbox.bytes(), &[7; 4096]);
    }

    #[test]
    fn direct_bytes_go_around_the_staging_memory() {
        let core = Core::standalone().unwrap();
        let mut inbox = Inbox::with_len(&core, 4096).unwrap();
        let segment = Segment::from(core.lease(512).unwrap());
        let (segment, got) = receive(&mut inbox, Some(segment), &[1; 100]).unwrap();
        assert_eq!((segment.len(), got), (512, 100));
        assert!(inbox.bytes().is_empty());
        let long: Vec<u8> = (0..600u32).map(|n| n as u8).collect();
        let (segment, got) = receive(&mut inbox, Some(segment), &long).unwrap();
        assert_eq!((segment.len(), got), (512, 512));
        assert_eq!(inbox.bytes(), &long[512..]);
    }

    #[test]
    fn beside_a_long_run_there_is_room_for_a_header() {
        let core = Core::standalone().unwrap();
        let mut inbox = Inbox::with_len(&core, 16 << 10).unwrap();
        let segment = Segment::from(core.lease(LONG_LEN).unwrap());
        let payload = inbox.prepare(Some(segment));
        assert_eq!(payload.len(), u64::from(LONG_LEN + BESIDE_LONG_LEN));
        inbox.finish(payload, LONG_LEN as usize).unwrap();
        let payload = inbox.prepare(None);
        assert_eq!(payload.len(), u64::from(BESIDE_LONG_LEN), "the next header");
        inbox.finish(payload, 48);
        let payload = inbox.prepare(None);
        assert_eq!(payload.len(), (16 << 10) - 48, "no long run followed it");
        inbox.finish(payload, 2);
        assert_eq!(inbox.bytes().len(), 50);
    }
}
