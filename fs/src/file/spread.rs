//! A payload that goes out in pieces, in any order back, and becomes whole again.
//!
//! Invariants: pieces are cut from the front; every piece comes back once, with the bytes it had;
//! the whole has the segments that it had before. Memory of its lists is used again.

use byway_engine::block::{Payload, SEGMENTS_MAX, SegmentList};
use byway_engine::memory::Segment;

/// The payload of one request that is served in pieces.
#[derive(Default)]
pub(super) struct Spread {
    /// The list that the segments came in, where it was one.
    list: Option<Box<SegmentList>>,
    /// How long the segments were.
    lens: Vec<u32>,
    /// What was not cut off yet, the front last.
    rest: Vec<Segment>,
    /// Bytes cut off so far.
    cut: u64,
    /// What came back: the place in the payload, and the segment.
    back: Vec<(u64, Segment)>,
}

/// Lists of segments that are used again.
pub(super) type Lists = Vec<Box<SegmentList>>;

impl Spread {
    /// Takes a payload; one from before was given out whole.
    pub(super) fn fill(&mut self, payload: Payload) {
        debug_assert!(self.rest.is_empty() && self.back.is_empty(), "one payload at a time");
        self.cut = 0;
        match payload {
            Payload::One(segment) => self.rest.push(segment),
            Payload::Many(mut list) => {
                self.rest.extend(list.drain().rev());
                self.list = Some(list);
            }
            _ => {}
        }
        self.lens.extend(self.rest.iter().rev().map(Segment::len));
    }

    /// Cuts the next `len` bytes off; `len` is at most what is left. Segments of no bytes go along.
    pub(super) fn cut(&mut self, len: u64, lists: &mut Lists) -> (u64, Payload) {
        let at = self.cut;
        self.cut += len;
        let first = self.take(len);
        let mut left = len - u64::from(first.len());
        if left == 0 {
            return (at, Payload::One(first));
        }
        let fresh = || Box::new(SegmentList::with_capacity(SEGMENTS_MAX));
        let mut list = lists.pop().unwrap_or_else(fresh);
        let mut next = Some(first);
        while let Some(segment) = next {
            let refused = list.push(segment).is_err();
            assert!(!refused, "a piece has at most as many segments as its payload");
            next = (left > 0).then(|| self.take(left));
            left -= next.as_ref().map_or(0, |segment| u64::from(segment.len()));
        }
        (at, Payload::Many(list))
    }

    /// The next segment, of at most `len` bytes.
    fn take(&mut self, len: u64) -> Segment {
        let mut segment = self.rest.pop().expect("a piece lies within the payload");
        if u64::from(segment.len()) <= len {
            return segment;
        }
        let head = segment.split_to(len as u32);
        self.rest.push(segment);
        head
    }

    /// A piece is back: the one that was cut off at `at`.
    pub(super) fn put(&mut self, mut at: u64, payload: Payload, lists: &mut Lists) {
        match payload {
            Payload::One(segment) => self.back.push((at, segment)),
            Payload::Many(mut list) => {
                for segment in list.drain() {
                    let len = u64::from(segment.len());
                    self.back.push((at, segment));
                    at += len;
                }
                lists.push(list);
            }
            _ => {}
        }
    }

    /// The payload as it was, once every piece is back.
    pub(super) fn whole(&mut self) -> Payload {
        while let Some(segment) = self.rest.pop() {
            let at = self.cut;
            self.cut += u64::from(segment.len());
            self.back.push((at, segment));
        }
        self.back.sort_unstable_by_key(|(at, segment)| (*at, segment.len()));
        let mut parts = self.back.drain(..).map(|(_, segment)| segment);
        let mut joined = self.lens.drain(..).map(|len| join(&mut parts, len));
        match self.list.take() {
            None => joined.next().map_or(Payload::None, Payload::One),
            Some(mut list) => {
                joined.for_each(|segment| {
                    let refused = list.push(segment).is_err();
                    assert!(!refused, "the list held these segments before");
                });
                Payload::Many(list)
            }
        }
    }
}

/// Joins parts that follow each other to a segment of `len` bytes.
fn join(parts: &mut impl Iterator<Item = Segment>, len: u32) -> Segment {
    let mut whole = parts.next().expect("every piece is back");
    while whole.len() < len {
        let part = parts.next().expect("every piece is back");
        let refused = whole.rejoin(part).is_err();
        assert!(!refused, "parts of one segment follow each other");
    }
    whole
}

#[cfg(test)]
mod tests {
    use byway_engine::memory::{Arena, ArenaConfig};
    use proptest::prelude::*;

    use super::*;

    fn payload(arena: &Arena, lens: &[u32], as_list: bool) -> Payload {
        let mut list = SegmentList::with_capacity(lens.len());
        for len in lens {
            list.push(arena.lease(*len).unwrap()).unwrap();
        }
        if as_list {
            Payload::Many(Box::new(list))
        } else {
            Payload::One(list.drain().next().unwrap())
        }
    }

    proptest! {
        #[test]
        fn pieces_in_any_order_make_the_whole_again(
            lens in prop::collection::vec(1..5000u32, 1..6),
            cuts in prop::collection::vec(1..4000u64, 0..8),
            as_list: bool,
            order in any::<u64>(),
        ) {
            let arena = Arena::new(ArenaConfig { len: 32 << 20, huge: false }).unwrap();
            let mut given = payload(&arena, &lens, as_list);
            let bytes: Vec<u8> = (0..given.len()).map(|n| (n % 251) as u8).collect();
            given.copy_from(0, &bytes);
            let before: Vec<u32> = given.segments().iter().map(Segment::len).collect();
            let total = given.len();
            let (mut spread, mut lists) = (Spread::default(), Lists::new());
            spread.fill(given);
            let (mut pieces, mut left) = (Vec::new(), total);
            for cut in cuts {
                if cut < left {
                    pieces.push(spread.cut(cut, &mut lists));
                    left -= cut;
                }
            }
            if !pieces.is_empty() {
                let turn = order as usize % pieces.len();
                pieces.rotate_left(turn);
            }
            for (at, piece) in pieces {
                let mut seen = vec![0; piece.len() as usize];
                piece.copy_to(0, &mut seen);
                prop_assert_eq!(&seen[..], &bytes[at as usize..at as usize + seen.len()]);
                spread.put(at, piece, &mut lists);
            }
            let whole = spread.whole();
            let after: Vec<u32> = whole.segments().iter().map(Segment::len).collect();
            prop_assert_eq!(after, before);
            let mut seen = vec![0; total as usize];
            whole.copy_to(0, &mut seen);
            prop_assert_eq!(seen, bytes);
            prop_assert_eq!(matches!(whole, Payload::Many(_)), as_list);
        }
    }
}
