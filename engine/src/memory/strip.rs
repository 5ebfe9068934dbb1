//! A segment that goes out in parts, front first, and becomes whole again as they come back.
//!
//! Invariants: parts come back in the order in which they went out; `done` is what came back, `rest`
//! what was never given out or came back unused, and both are parts of one segment.

use super::Segment;

/// One segment on its way through a stream, part by part.
#[derive(Debug)]
pub struct Strip {
    done: Option<Segment>,
    rest: Option<Segment>,
    /// Bytes given out and not back.
    away: u32,
}

impl Strip {
    /// All of `segment` is still to go.
    pub fn new(segment: Segment) -> Strip {
        Strip { done: None, rest: Some(segment), away: 0 }
    }

    /// Bytes that came back used.
    pub fn done_len(&self) -> u32 {
        self.done.as_ref().map_or(0, Segment::len)
    }

    /// Bytes that can still be given out.
    pub fn rest_len(&self) -> u32 {
        self.rest.as_ref().map_or(0, Segment::len)
    }

    /// True while a part is out.
    pub fn is_away(&self) -> bool {
        self.away > 0
    }

    /// The next `len` bytes.
    ///
    /// # Panics
    /// When fewer are left, or none is asked for: bugs of the caller.
    pub fn take(&mut self, len: u32) -> Segment {
        let mut rest = self.rest.take().expect("bytes are left");
        self.away += len;
        if len == rest.capacity() {
            return rest;
        }
        let part = rest.split_to(len);
        self.rest = Some(rest);
        part
    }

    /// A part is back; its first `used` bytes are done, the others go out again.
    ///
    /// # Panics
    /// When the part does not follow what came back before, or is not used up while a later one is
    /// out: bugs of the caller.
    pub fn put(&mut self, mut part: Segment, used: u32) {
        let len = part.len();
        self.away -= len;
        if used == 0 {
            return self.put_rest(part);
        }
        if used < len {
            let done = part.split_to(used);
            self.put_done(done);
            self.put_rest(part);
        } else {
            self.put_done(part);
        }
    }

    /// Copies bytes to the front of the rest, which are done by that.
    ///
    /// # Panics
    /// When fewer bytes are left: a bug of the caller.
    pub fn fill(&mut self, bytes: &[u8]) {
        let mut part = self.take(bytes.len() as u32);
        part.copy_from(0, bytes);
        self.put(part, bytes.len() as u32);
    }

    /// The whole segment again.
    ///
    /// # Panics
    /// While a part is out: a bug of the caller.
    pub fn whole(self) -> Segment {
        assert_eq!(self.away, 0, "a part is out");
        match (self.done, self.rest) {
            (Some(mut done), Some(rest)) => {
                join(&mut done, rest);
                done
            }
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => unreachable!("a segment is in one of the two"),
        }
    }

    fn put_done(&mut self, part: Segment) {
        match &mut self.done {
            Some(done) => join(done, part),
            None => self.done = Some(part),
        }
    }

    fn put_rest(&mut self, mut part: Segment) {
        assert_eq!(self.away, 0, "a part behind this one is out");
        if let Some(rest) = self.rest.take() {
            join(&mut part, rest);
        }
        self.rest = Some(part);
    }
}

fn join(front: &mut Segment, back: Segment) {
    let refused = front.rejoin(back).is_err();
    assert!(!refused, "parts of one segment follow each other");
}

#[cfg(test)]
mod tests {
    use super::super::{Arena, ArenaConfig, Lease};
    use super::*;

    fn lease(len: u32) -> Lease {
        let arena = Arena::new(ArenaConfig { len: 2 << 20, huge: false }).unwrap();
        arena.lease(len).unwrap()
    }

    #[test]
    fn parts_make_the_whole_again() {
        let mut lease = lease(4096);
        lease.iter_mut().enumerate().for_each(|(n, byte)| *byte = n as u8);
        let before = lease.to_vec();
        let mut strip = Strip::new(lease.into());
        let (first, second) = (strip.take(1000), strip.take(24));
        assert_eq!((first.len(), second.len(), strip.rest_len()), (1000, 24, 3072));
        strip.put(first, 1000);
        strip.put(second, 24);
        let last = strip.take(3072);
        assert!(strip.is_away());
        strip.put(last, 3072);
        assert_eq!(&strip.whole().into_lease().unwrap()[..], &before[..]);
    }

    #[test]
    fn what_was_not_used_goes_out_again() {
        let mut strip = Strip::new(lease(4096).into());
        let mut part = strip.take(2048);
        part.copy_from(0, &[1; 100]);
        strip.put(part, 100);
        assert_eq!((strip.done_len(), strip.rest_len()), (100, 3996));
        strip.fill(&[2; 50]);
        let rest = strip.take(3946);
        strip.put(rest, 0);
        let whole = strip.whole().into_lease().unwrap();
        assert_eq!((whole.len(), whole[99], whole[100], whole[149]), (4096, 1, 2, 2));
    }
}
