//! The stamp of a block: its record, its filling, and its check.
//!
//! The record stands at the start of the block in little-endian: magic, offset, generation, seed,
//! crc32c. The crc covers the whole block, with its own field as zero. The rest of the block is
//! filled from the record, so that no two blocks are alike.

use std::fmt;

use crate::generator::split_mix;

/// Bytes of the record: magic 8, offset 8, seed 8, generation 4, crc 4.
pub const STAMP_LEN: usize = 32;
/// Tells a stamped block from any other: "BYWAYBLK".
const MAGIC: u64 = u64::from_le_bytes(*b"BYWAYBLK");
const CRC_AT: usize = 28;

/// What a block says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Where it was written: finds misdirected writes and reads.
    pub offset: u64,
    /// The run it belongs to: finds remains of other runs.
    pub seed: u64,
    /// How often it was written in this run: finds lost writes.
    pub generation: u32,
}

/// Why a block is not the one that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StampFault {
    /// No stamp at all.
    Missing,
    /// The bytes do not fit the stamp: a torn or damaged block.
    Crc {
        /// The crc in the stamp.
        stored: u32,
        /// The crc of the bytes.
        found: u32,
    },
    /// A whole block, but another one.
    Other {
        /// The stamp that was expected.
        expected: Stamp,
        /// The stamp that was found.
        found: Stamp,
    },
}

impl fmt::Display for StampFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StampFault::Missing => f.write_str("no stamp where one was written"),
            StampFault::Crc { stored, found } => {
                write!(f, "crc32c is {found:08x}, the stamp says {stored:08x}")
            }
            StampFault::Other { expected, found } => write!(
                f,
                "expected generation {} of offset {} (seed {}), found generation {} of offset {} \
                 (seed {})",
                expected.generation,
                expected.offset,
                expected.seed,
                found.generation,
                found.offset,
                found.seed
            ),
        }
    }
}

impl Stamp {
    /// Fills `block` (at least [`STAMP_LEN`] bytes) with this stamp and bytes made from it.
    pub fn write(&self, block: &mut [u8]) {
        let (record, body) = block.split_at_mut(STAMP_LEN);
        record[..8].copy_from_slice(&MAGIC.to_le_bytes());
        record[8..16].copy_from_slice(&self.offset.to_le_bytes());
        record[16..24].copy_from_slice(&self.seed.to_le_bytes());
        record[24..CRC_AT].copy_from_slice(&self.generation.to_le_bytes());
        record[CRC_AT..].fill(0);
        let mut state = self.offset ^ self.seed.rotate_left(32) ^ u64::from(self.generation);
        for chunk in body.chunks_mut(8) {
            chunk.copy_from_slice(&split_mix(&mut state).to_le_bytes()[..chunk.len()]);
        }
        let crc = crc32c::crc32c(block);
        block[CRC_AT..STAMP_LEN].copy_from_slice(&crc.to_le_bytes());
    }

    /// The stamp of `block`, if it has one and its bytes fit it. `Ok(None)` where there is none.
    pub fn read(block: &[u8]) -> Result<Option<Stamp>, StampFault> {
        let word = |at: usize| u64_at(block, at);
        if block.len() < STAMP_LEN || word(0) != MAGIC {
            return Ok(None);
        }
        let stored = word(24) >> 32;
        let before = crc32c::crc32c(&block[..CRC_AT]);
        let blank = crc32c::crc32c_append(before, &[0; 4]);
        let found = crc32c::crc32c_append(blank, &block[STAMP_LEN..]);
        if stored as u32 != found {
            return Err(StampFault::Crc { stored: stored as u32, found });
        }
        Ok(Some(Stamp { offset: word(8), seed: word(16), generation: word(24) as u32 }))
    }

    /// Checks that `block` is exactly the one this stamp was written to.
    pub fn check(&self, block: &[u8]) -> Result<(), StampFault> {
        match Stamp::read(block)? {
            Some(found) if found == *self => Ok(()),
            Some(found) => Err(StampFault::Other { expected: *self, found }),
            None => Err(StampFault::Missing),
        }
    }
}

fn u64_at(block: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&block[at..at + 8]);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STAMP: Stamp = Stamp { offset: 8192, seed: 7, generation: 3 };

    #[test]
    fn a_block_without_a_stamp_is_told_from_a_wrong_one() {
        assert_eq!(Stamp::read(&[0; 512]), Ok(None));
        assert_eq!(Stamp::read(&[0; 8]), Ok(None));
        assert_eq!(STAMP.check(&[0; 512]), Err(StampFault::Missing));
    }

    #[test]
    fn another_offset_seed_or_generation_is_found() {
        let mut block = vec![0; 4096];
        STAMP.write(&mut block);
        assert_eq!(STAMP.check(&block), Ok(()));
        for other in [
            Stamp { offset: 0, ..STAMP },
            Stamp { seed: 8, ..STAMP },
            Stamp { generation: 2, ..STAMP },
        ] {
            assert_eq!(
                other.check(&block),
                Err(StampFault::Other { expected: other, found: STAMP })
            );
        }
    }

    proptest! {
        #[test]
        fn every_flipped_bit_is_found(len in STAMP_LEN..600, at: prop::sample::Index, bit in 0u32..8) {
            let mut block = vec![0; len];
            STAMP.write(&mut block);
            block[at.index(len)] ^= 1u8 << bit;
            prop_assert!(STAMP.check(&block).is_err());
        }

        #[test]
        fn a_stamp_reads_back(offset: u64, seed: u64, generation: u32, len in STAMP_LEN..600) {
            let stamp = Stamp { offset, seed, generation };
            let mut block = vec![0xa5; len];
            stamp.write(&mut block);
            prop_assert_eq!(Stamp::read(&block), Ok(Some(stamp)));
        }

        #[test]
        fn no_bytes_panic(block in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = Stamp::read(&block);
        }
    }
}
