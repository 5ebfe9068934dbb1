//! Takes a part out of a payload of one segment, and puts it back: long runs of bytes travel without
//! being copied.
//!
//! Invariant: the payload is whole whenever no part is out.

use byway_engine::block::Payload;
use byway_engine::memory::Segment;

/// What stays behind while a part is out.
#[derive(Debug, Default)]
pub(crate) struct Carved {
    front: Option<Segment>,
    back: Option<Segment>,
    is_out: bool,
}

impl Carved {
    /// True while a part is out.
    pub(crate) fn is_out(&self) -> bool {
        self.is_out
    }

    /// Takes `len` bytes from `at` on out of a payload of one segment. Nothing of others, and where
    /// a part is out.
    pub(crate) fn take(&mut self, payload: &mut Payload, at: u64, len: u32) -> Option<Segment> {
        if self.is_out || !matches!(payload, Payload::One(_)) {
            return None;
        }
        let Payload::One(mut segment) = std::mem::take(payload) else { unreachable!("just seen") };
        let at = u32::try_from(at).expect("a segment is shorter than 4 GiB");
        self.front = (at > 0).then(|| segment.split_to(at));
        let is_all = len == segment.capacity();
        let part = if is_all { None } else { Some(segment.split_to(len)) };
        let (part, back) = match part {
            Some(part) => (part, Some(segment)),
            None => (segment, None),
        };
        (self.back, self.is_out) = (back, true);
        Some(part)
    }

    /// The part is back.
    ///
    /// # Panics
    /// Where it is not the one that was taken: a bug of the caller.
    pub(crate) fn put(&mut self, payload: &mut Payload, part: Segment) {
        let mut whole = match self.front.take() {
            Some(mut front) => {
                join(&mut front, part);
                front
            }
            None => part,
        };
        if let Some(back) = self.back.take() {
            join(&mut whole, back);
        }
        self.is_out = false;
        *payload = Payload::One(whole);
    }
}

fn join(front: &mut Segment, back: Segment) {
    let refused = front.rejoin(back).is_err();
    assert!(!refused, "parts of one segment follow each other");
}

#[cfg(test)]
mod tests {
    use byway_engine::memory::{Arena, ArenaConfig};

    use super::*;

    #[test]
    fn any_part_goes_out_and_comes_back() {
        let arena = Arena::new(ArenaConfig { len: 2 << 20, huge: false }).unwrap();
        for (at, len) in [(0, 4000), (0, 1), (1, 3999), (100, 200), (3999, 1)] {
            let mut lease = arena.lease(4000).unwrap();
            lease.fill(7);
            let (mut payload, mut carved) = (Payload::from(lease), Carved::default());
            let mut part = carved.take(&mut payload, at, len).unwrap();
            assert!(carved.is_out() && part.len() == len);
            assert!(carved.take(&mut payload, 0, 1).is_none());
            part.fill(8);
            carved.put(&mut payload, part);
            let lease = payload.into_lease().unwrap();
            let changed = lease.iter().filter(|byte| **byte == 8).count();
            assert_eq!((lease.len(), changed), (4000, len as usize));
            assert_eq!(lease[at as usize], 8);
        }
    }
}
