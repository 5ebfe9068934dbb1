//! Walks the segments of a payload once, from front to back, in pieces of any length.
//!
//! `Payload::copy_from` looks for its place from the first segment on, which is the right thing for
//! one copy and the wrong one for the many small copies of a large request.

use crate::memory::Segment;

/// A place in a list of segments.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cursor {
    segment: usize,
    /// Bytes of that segment that are behind the cursor.
    at: u32,
}

impl Cursor {
    /// Copies `bytes` into `segments` from here on, and moves behind them.
    ///
    /// # Panics
    /// When they do not fit: a bug of the device.
    #[inline]
    pub(crate) fn put(&mut self, segments: &mut [Segment], mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let segment = segments.get_mut(self.segment).expect("the payload takes the bytes");
            let room = (segment.len() - self.at) as usize;
            let (now, later) = bytes.split_at(bytes.len().min(room));
            segment.copy_from(self.at, now);
            self.step(now.len(), room);
            bytes = later;
        }
    }

    /// Fills `to` from `segments` from here on, and moves behind what was taken.
    ///
    /// # Panics
    /// When there are not enough bytes: a bug of the device.
    #[inline]
    pub(crate) fn take(&mut self, segments: &[Segment], mut to: &mut [u8]) {
        while !to.is_empty() {
            let segment = segments.get(self.segment).expect("the payload has the bytes");
            let left = (segment.len() - self.at) as usize;
            let here = to.len().min(left);
            let (now, later) = to.split_at_mut(here);
            segment.copy_to(self.at, now);
            self.step(now.len(), left);
            to = later;
        }
    }

    fn step(&mut self, moved: usize, room: usize) {
        if moved == room {
            *self = Cursor { segment: self.segment + 1, at: 0 };
        } else {
            self.at += moved as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Arena, ArenaConfig};

    #[test]
    fn pieces_of_any_length_cross_segments() {
        let arena = Arena::new(ArenaConfig { len: 2 << 20, huge: false }).unwrap();
        let lens = [1, 512, 3, 100];
        let mut segments: Vec<Segment> =
            lens.iter().map(|len| arena.lease(*len).unwrap().into()).collect();
        let bytes: Vec<u8> = (0..616u32).map(|i| i as u8).collect();
        let mut cursor = Cursor::default();
        bytes.chunks(7).for_each(|piece| cursor.put(&mut segments, piece));
        let mut back = vec![0; 616];
        let mut cursor = Cursor::default();
        back.chunks_mut(50).for_each(|piece| cursor.take(&segments, piece));
        assert_eq!(back, bytes);
    }
}
