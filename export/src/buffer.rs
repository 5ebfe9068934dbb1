//! The memory of one task: leases that go to the device and through the stream, or a few bytes of
//! an answer.
//!
//! Invariants: all chunks have `chunk_len` bytes but the last; a chunk is in one of three places: here,
//! on its way through the stream in parts, or with the device. Write data arrive in the order of
//! their offsets, which the session guarantees. Memory is taken as a whole or not at all, so that
//! nobody holds some and waits for more.

use byway_engine::block::Payload;
use byway_engine::core::Core;
use byway_engine::memory::{Segment, Strip};

/// One lease of a task.
#[derive(Debug, Default)]
enum Chunk {
    /// With the device.
    #[default]
    Away,
    Here(Payload),
    InParts(Strip),
}

/// What a task reads into or is written from.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    chunks: Vec<Chunk>,
    chunk_len: u32,
    len: u32,
    /// Bytes of write data that have arrived, kept or not.
    received: u32,
    /// An answer that is not blocks.
    bytes: Vec<u8>,
}

impl Buffer {
    /// Takes `len` bytes in leases of at most `chunk_len`; false, and nothing taken, where there is
    /// not so much memory.
    #[inline]
    pub(crate) fn take(&mut self, core: &Core, len: u32, chunk_len: u32) -> bool {
        debug_assert!(self.chunks.is_empty(), "a task's memory is taken once");
        (self.len, self.chunk_len, self.received) = (len, chunk_len, 0);
        let mut left = len;
        while left > 0 {
            let part = left.min(chunk_len);
            let Some(lease) = core.lease(part) else {
                self.free();
                return false;
            };
            self.chunks.push(Chunk::Here(lease.into()));
            left -= part;
        }
        true
    }

    /// Gives everything back.
    #[inline]
    pub(crate) fn free(&mut self) {
        self.chunks.clear();
        self.bytes.clear();
        (self.len, self.received) = (0, 0);
    }

    /// Bytes of the leases.
    #[inline]
    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    /// Segments that `len` bytes may lie in.
    #[inline]
    pub(crate) fn segments_of(&self, len: u32) -> usize {
        (len / self.chunk_len) as usize + 2
    }

    /// Leases.
    #[inline]
    pub(crate) fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// First byte and length of a chunk.
    #[inline]
    pub(crate) fn chunk_range(&self, at: usize) -> (u32, u32) {
        let start = at as u32 * self.chunk_len;
        (start, self.chunk_len.min(self.len - start))
    }

    /// Hands a chunk to the device.
    ///
    /// # Panics
    /// When it is elsewhere: a bug of the caller.
    #[inline]
    pub(crate) fn lend(&mut self, at: usize) -> Payload {
        match std::mem::take(&mut self.chunks[at]) {
            Chunk::Here(payload) => payload,
            Chunk::InParts(strip) => strip.whole().into(),
            Chunk::Away => panic!("a chunk is with the device once"),
        }
    }

    /// A chunk is back from the device.
    #[inline]
    pub(crate) fn put_back(&mut self, at: usize, payload: Payload) {
        debug_assert!(matches!(self.chunks[at], Chunk::Away), "a chunk comes back once");
        self.chunks[at] = Chunk::Here(payload);
    }

    /// Cuts off what is behind the first `len` bytes.
    #[inline]
    pub(crate) fn truncate(&mut self, len: u32) {
        if len >= self.len {
            return;
        }
        let chunks = len.div_ceil(self.chunk_len) as usize;
        self.chunks.truncate(chunks);
        self.len = len;
        if chunks > 0 {
            let (_, last) = self.chunk_range(chunks - 1);
            let mut payload = self.lend(chunks - 1);
            payload.segments_mut()[0].set_len(last);
            self.put_back(chunks - 1, payload);
        }
    }

    /// Write data that arrived: copied; what is beyond the memory is forgotten.
    #[inline]
    pub(crate) fn fill(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.received < self.len {
            let (at, room) = self.place();
            let (part, rest) = bytes.split_at(bytes.len().min(room as usize));
            let within = u64::from(self.received % self.chunk_len);
            match &mut self.chunks[at] {
                Chunk::Here(payload) => payload.copy_from(within, part),
                Chunk::InParts(strip) => strip.fill(part),
                Chunk::Away => panic!("data arrive before the device has the memory"),
            }
            self.received += part.len() as u32;
            bytes = rest;
        }
        self.received = self.received.saturating_add(bytes.len() as u32);
    }

    /// Where the next byte goes, and how many have room in that chunk.
    #[inline]
    fn place(&self) -> (usize, u32) {
        let at = self.received / self.chunk_len;
        let end = ((at + 1) * self.chunk_len).min(self.len);
        (at as usize, end - self.received)
    }

    /// Memory for at most `len` bytes that are received straight into it; nothing beyond the end.
    pub(crate) fn part(&mut self, len: u32) -> Option<Segment> {
        if self.received >= self.len {
            return None;
        }
        let (at, room) = self.place();
        let within = self.received % self.chunk_len;
        Some(self.strip(at, within).take(len.min(room)))
    }

    /// The memory that [`Buffer::part`] gave, `used` bytes of which were filled.
    pub(crate) fn put_part(&mut self, segment: Segment, used: u32) {
        let (at, _) = self.place();
        let within = self.received % self.chunk_len;
        self.strip(at, within).put(segment, used);
        self.received += used;
    }

    /// Makes a chunk one that goes in parts, the first `done` bytes of which are done.
    fn strip(&mut self, at: usize, done: u32) -> &mut Strip {
        let chunk = &mut self.chunks[at];
        if let Chunk::Here(payload) = chunk {
            let lease = std::mem::take(payload).into_lease().expect("a chunk is a lease");
            let mut strip = Strip::new(lease.into());
            if done > 0 {
                let part = strip.take(done);
                strip.put(part, done);
            }
            *chunk = Chunk::InParts(strip);
        }
        match chunk {
            Chunk::InParts(strip) => strip,
            _ => panic!("the chunk is with the device"),
        }
    }

    /// The next bytes to send, at most `len` of one chunk from `offset` on, as they are. Pieces are
    /// sent in the order of their offsets and come back by [`Buffer::put_sent`].
    pub(crate) fn piece(&mut self, offset: u32, len: u32) -> (usize, Segment) {
        let at = (offset / self.chunk_len) as usize;
        let (start, chunk_len) = self.chunk_range(at);
        let within = offset - start;
        (at, self.strip(at, within).take(len.min(chunk_len - within)))
    }

    /// A piece has been sent.
    pub(crate) fn put_sent(&mut self, at: usize, segment: Segment) {
        let len = segment.len();
        self.strip(at, 0).put(segment, len);
    }

    /// The payload that holds `offset`, the place in it, and how many of `len` bytes it has.
    #[inline]
    pub(crate) fn read(&self, offset: u32, len: u32) -> (&Payload, u32, u32) {
        let at = (offset / self.chunk_len) as usize;
        let (start, chunk_len) = self.chunk_range(at);
        let within = offset - start;
        match &self.chunks[at] {
            Chunk::Here(payload) => (payload, within, len.min(chunk_len - within)),
            _ => panic!("what is copied is here"),
        }
    }

    /// The first `len` bytes of write data, copied; fewer where fewer are there.
    pub(crate) fn copied(&mut self, len: u32) -> Vec<u8> {
        let len = len.min(self.len).min(self.received);
        let mut bytes = vec![0; len as usize];
        let (mut at, mut rest) = (0, &mut bytes[..]);
        while !rest.is_empty() {
            let payload = self.lend(at);
            let n = rest.len().min(payload.len() as usize);
            payload.copy_to(0, &mut rest[..n]);
            self.put_back(at, payload);
            (at, rest) = (at + 1, &mut rest[n..]);
        }
        bytes
    }

    /// An answer of a few bytes in place of leases, which are given back.
    pub(crate) fn set_bytes(&mut self, bytes: Vec<u8>) {
        self.chunks.clear();
        self.len = 0;
        self.bytes = bytes;
    }

    /// The bytes of [`Buffer::set_bytes`].
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(len: u32) -> Vec<u8> {
        (0..len).map(|n| (n * 7 % 251) as u8).collect()
    }

    #[test]
    fn write_data_arrive_by_copy_and_directly() {
        let core = Core::standalone().unwrap();
        let mut buffer = Buffer::default();
        assert!(buffer.take(&core, 10_000, 4096));
        let bytes = pattern(11_000);
        buffer.fill(&bytes[..1000]);
        let mut at = 1000;
        while let Some(mut part) = buffer.part(3000) {
            let used = part.len().min(2500);
            part.copy_from(0, &bytes[at..at + used as usize]);
            buffer.put_part(part, used);
            at += used as usize;
        }
        buffer.fill(&bytes[10_000..]);
        assert_eq!(buffer.copied(u32::MAX), &bytes[..10_000]);
        let payloads: Vec<_> = (0..buffer.chunks()).map(|at| buffer.lend(at)).collect();
        assert_eq!(payloads.iter().map(Payload::len).collect::<Vec<_>>(), [4096, 4096, 1808]);
    }

    #[test]
    fn what_is_sent_in_pieces_comes_back_whole() {
        let core = Core::standalone().unwrap();
        let mut buffer = Buffer::default();
        assert!(buffer.take(&core, 9000, 4096));
        let bytes = pattern(9000);
        buffer.fill(&bytes);
        let (mut pieces, mut sent, mut offset) = (Vec::new(), Vec::new(), 0);
        while offset < 9000 {
            let (at, segment) = buffer.piece(offset, 3000.min(9000 - offset));
            let mut copy = vec![0; segment.len() as usize];
            segment.copy_to(0, &mut copy);
            sent.extend(copy);
            offset += segment.len();
            pieces.push((at, segment));
        }
        assert_eq!(sent, bytes);
        pieces.into_iter().for_each(|(at, segment)| buffer.put_sent(at, segment));
        assert_eq!(buffer.copied(9000), bytes);
    }

    #[test]
    fn memory_is_taken_as_a_whole_or_not_at_all() {
        let core = Core::standalone().unwrap();
        let (mut one, mut other, mut rest) =
            (Buffer::default(), Buffer::default(), Buffer::default());
        // All but 8 MiB of the core's arena.
        let len = core.arena().stats().len as u32 - (8 << 20);
        assert!(rest.take(&core, len, 2 << 20));
        assert!(one.take(&core, 6 << 20, 2 << 20));
        assert!(!other.take(&core, 4 << 20, 2 << 20));
        assert!(other.take(&core, 2 << 20, 2 << 20), "nothing was kept");
        other.free();
        one.free();
        assert!(other.take(&core, 8 << 20, 2 << 20));
    }
}
