//! Where a journal lies, and where in it a position of its ring is.
//!
//! Positions count blocks of the ring on and on, so that a lap is never taken for another.

use std::ops::Range;

use crate::format::{Header, JOURNAL_HEADS, Kind, MAGIC};
use crate::store::Want;

/// One journal on a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalPlace {
    /// The volume.
    pub uuid: [u8; 16],
    /// The slot whose journal it is.
    pub slot: u16,
    /// Its first block.
    pub start: u64,
    /// Its blocks, heads included.
    pub blocks: u32,
}

impl JournalPlace {
    /// Blocks of the ring.
    pub fn ring(&self) -> u64 {
        u64::from(self.blocks) - JOURNAL_HEADS
    }

    /// The block of a ring position.
    pub fn bno(&self, pos: u64) -> u64 {
        self.start + JOURNAL_HEADS + pos % self.ring()
    }

    /// The block of the head that is written as number `seq`.
    pub fn head_bno(&self, seq: u64) -> u64 {
        self.start + seq % JOURNAL_HEADS
    }

    /// What a block of this journal must be.
    pub fn want(&self, kind: Kind) -> Want {
        Want::new(kind, u64::from(self.slot))
    }

    /// Cuts ring positions into pieces that are contiguous on the disk and at most `most` long.
    pub fn pieces(&self, range: Range<u64>, most: u64) -> Vec<Range<u64>> {
        let mut pieces = Vec::new();
        let mut at = range.start;
        while at < range.end {
            let lap_end = at - at % self.ring() + self.ring();
            let end = range.end.min(lap_end).min(at + most);
            pieces.push(at..end);
            at = end;
        }
        pieces
    }

    /// The header of a block of this journal.
    pub(super) fn header(&self, bno: u64, kind: Kind, version: u64) -> Header {
        Header {
            magic: MAGIC.into(),
            crc: 0.into(),
            uuid: self.uuid,
            bno: bno.into(),
            owner: u64::from(self.slot).into(),
            version: version.into(),
            kind: kind.code().into(),
            level: 0.into(),
            epoch: 0.into(),
            slot: self.slot.into(),
            reserved: [0; 6],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_cut_at_the_end_of_a_lap_and_at_the_longest_request() {
        let place = JournalPlace { uuid: [1; 16], slot: 0, start: 1000, blocks: 12 };
        assert_eq!(place.pieces(7..13, 100), [7..10, 10..13]);
        assert_eq!(place.pieces(10..20, 4), [10..14, 14..18, 18..20]);
        assert_eq!(place.bno(10), 1002);
        assert_eq!(place.bno(19), 1011);
    }
}
