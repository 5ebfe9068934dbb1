//! CRC32C (Castagnoli) over bytes and over I/O memory, piece by piece.
//!
//! The polynomial of iSCSI's digests (RFC 7143 section 13.1) and of what is written to disk.

use crc_fast::{CrcAlgorithm, Digest};

use super::Segment;
use crate::block::Payload;

/// Bytes copied at once from memory that nobody may refer to.
const PIECE_LEN: usize = 4096;

/// A checksum under way.
#[derive(Clone, Copy)]
pub struct Crc32c(Digest);

impl Default for Crc32c {
    fn default() -> Crc32c {
        Crc32c::new()
    }
}

impl Crc32c {
    /// The checksum of nothing.
    pub fn new() -> Crc32c {
        Crc32c(Digest::new(CrcAlgorithm::Crc32Iscsi))
    }

    /// The checksum of `bytes`.
    pub fn of(bytes: &[u8]) -> u32 {
        crc_fast::checksum(CrcAlgorithm::Crc32Iscsi, bytes) as u32
    }

    /// Adds `bytes`.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Adds `len` bytes of a segment from `at` on.
    ///
    /// # Panics
    /// When the range ends beyond the segment: a bug of the caller.
    pub fn update_segment(&mut self, segment: &Segment, at: u32, len: u32) {
        let mut piece = [0; PIECE_LEN];
        let (mut at, end) = (at, at + len);
        while at < end {
            let part = &mut piece[..PIECE_LEN.min((end - at) as usize)];
            segment.copy_to(at, part);
            self.update(part);
            at += part.len() as u32;
        }
    }

    /// Adds `len` bytes of a payload from `at` on, across segments.
    ///
    /// # Panics
    /// When the range ends beyond the payload: a bug of the caller.
    pub fn update_payload(&mut self, payload: &Payload, mut at: u64, mut len: u64) {
        for segment in payload.segments() {
            let there = u64::from(segment.len());
            if len > 0 && at < there {
                let part = len.min(there - at);
                self.update_segment(segment, at as u32, part as u32);
                len -= part;
            }
            at = at.saturating_sub(there);
        }
        assert_eq!(len, 0, "a checksum beyond the payload");
    }

    /// The checksum of everything added.
    pub fn value(&self) -> u32 {
        self.0.finalize() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Arena, ArenaConfig};
    use super::*;
    use crate::block::SegmentList;

    #[test]
    fn the_check_values_of_the_standard_hold() {
        // RFC 3720, appendix B.4.
        assert_eq!(Crc32c::of(&[0; 32]), 0x8a91_36aa);
        assert_eq!(Crc32c::of(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(Crc32c::of(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn pieces_of_a_payload_make_the_same_sum() {
        let arena = Arena::new(ArenaConfig { len: 4 << 20, huge: false }).unwrap();
        let bytes: Vec<u8> = (0..20_000u32).map(|n| (n * 7 % 251) as u8).collect();
        let mut list = Box::new(SegmentList::with_capacity(3));
        for part in bytes.chunks(7_000) {
            let mut lease = arena.lease(part.len() as u32).unwrap();
            lease.copy_from_slice(part);
            list.push(lease).unwrap();
        }
        let payload = Payload::Many(list);
        let mut crc = Crc32c::new();
        crc.update_payload(&payload, 0, 6_999);
        crc.update_payload(&payload, 6_999, 9_001);
        crc.update_payload(&payload, 16_000, 4_000);
        assert_eq!(crc.value(), Crc32c::of(&bytes));
    }
}
