//! What is known of each block: one atomic word.
//!
//! From the lowest bit: `known` (1), `conflict` (1: writes overlapped since the block was last
//! quiet), writers in flight (12), a version that grows with every write begun (18), the checksum
//! (32). A word of zero is a block of which nothing is known.

use std::io;
use std::ops::Range;
use std::sync::atomic::Ordering;

use crate::block::mem::LazyWords;

/// The most writes in flight to one block: a channel is full where a write would exceed it.
pub const VERIFY_WRITERS_MAX: u64 = (1 << 12) - 1;

const KNOWN: u64 = 1;
const CONFLICT: u64 = 1 << 1;
const WRITER: u64 = 1 << 2;
const WRITERS: u64 = VERIFY_WRITERS_MAX << 2;
const VERSION_SHIFT: u32 = 14;
const VERSION: u64 = ((1 << 18) - 1) << VERSION_SHIFT;
const CRC_SHIFT: u32 = 32;

/// A version that no block has: the block was being written.
pub(super) const BEING_WRITTEN: u32 = u32::MAX;

/// How a write ended for a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It holds bytes with this checksum.
    Wrote(u32),
    /// It holds what it held.
    Unchanged,
    /// It holds anything.
    Unknown,
}

#[derive(Debug)]
pub(super) struct Table {
    words: LazyWords,
    block_len: u32,
    zeroes_crc: u32,
}

impl Table {
    pub(super) fn new(size: u64, block_len: u32) -> io::Result<Table> {
        let words = LazyWords::new(size / u64::from(block_len))?;
        let zeroes_crc = crc32c::crc32c(&vec![0; block_len as usize]);
        Ok(Table { words, block_len, zeroes_crc })
    }

    pub(super) fn block_len(&self) -> u32 {
        self.block_len
    }

    /// The checksum of a block of zeroes.
    pub(super) fn zeroes_crc(&self) -> u32 {
        self.zeroes_crc
    }

    /// The blocks of the table that `len` bytes at `offset` touch.
    pub(super) fn touched(&self, offset: u64, len: u64) -> Range<u64> {
        let block_len = u64::from(self.block_len);
        let end = offset.saturating_add(len).div_ceil(block_len).min(self.words.len() as u64);
        let first = (offset / block_len).min(end);
        if len == 0 { first..first } else { first..end }
    }

    /// True where the bytes are whole blocks of the table.
    pub(super) fn is_whole(&self, offset: u64, len: u64) -> bool {
        let block_len = u64::from(self.block_len);
        let end = offset.checked_add(len);
        (offset | len).is_multiple_of(block_len)
            && end.is_some_and(|end| end / block_len <= self.words.len() as u64)
    }

    /// The version of a block for a read that begins, or [`BEING_WRITTEN`].
    pub(super) fn version(&self, block: u64) -> u32 {
        let word = self.words[block as usize].load(Ordering::Acquire);
        if word & WRITERS != 0 { BEING_WRITTEN } else { version_of(word) }
    }

    /// The checksum that a read must find, where the block is known and nobody wrote since
    /// `version` was taken.
    pub(super) fn expected(&self, block: u64, version: u32) -> Option<u32> {
        let word = self.words[block as usize].load(Ordering::Acquire);
        let is_quiet = word & WRITERS == 0 && version_of(word) == version;
        (is_quiet && word & KNOWN != 0).then_some((word >> CRC_SHIFT) as u32)
    }

    /// Notes that a write to `blocks` begins; false, and nothing noted, where one of them has
    /// [`VERIFY_WRITERS_MAX`] writes already.
    pub(super) fn begin(&self, blocks: Range<u64>) -> bool {
        for block in blocks.clone() {
            let word = &self.words[block as usize];
            if word.fetch_update(Ordering::AcqRel, Ordering::Acquire, begun).is_err() {
                self.end(blocks.start..block, |_| Ending::Unchanged);
                return false;
            }
        }
        true
    }

    /// Notes how the write to `blocks` ended.
    pub(super) fn end(&self, blocks: Range<u64>, ending: impl Fn(u64) -> Ending) {
        for block in blocks {
            let how = ending(block);
            let update = |word| Some(ended(word, how));
            let word = &self.words[block as usize];
            word.fetch_update(Ordering::AcqRel, Ordering::Acquire, update)
                .expect("the update is never refused");
        }
    }

    /// Forgets all blocks from the byte `size` on.
    pub(super) fn forget_from(&self, size: u64) {
        let first = (size / u64::from(self.block_len)).min(self.words.len() as u64);
        for word in &self.words[first as usize..] {
            if word.load(Ordering::Relaxed) & KNOWN != 0 {
                word.fetch_and(!KNOWN, Ordering::AcqRel);
            }
        }
    }
}

fn version_of(word: u64) -> u32 {
    ((word & VERSION) >> VERSION_SHIFT) as u32
}

fn begun(word: u64) -> Option<u64> {
    if word & WRITERS == WRITERS {
        return None;
    }
    let conflict = if word & WRITERS != 0 { CONFLICT } else { 0 };
    let version = word.wrapping_add(1 << VERSION_SHIFT) & VERSION;
    Some(((word & !VERSION) | version | conflict) + WRITER)
}

fn ended(word: u64, ending: Ending) -> u64 {
    debug_assert!(word & WRITERS != 0, "a write ended that had not begun");
    let low = u64::from(u32::MAX);
    let left = word - WRITER;
    let left = match ending {
        Ending::Wrote(crc) if word & CONFLICT == 0 => {
            (left & low) | KNOWN | u64::from(crc) << CRC_SHIFT
        }
        Ending::Unchanged => left,
        _ => left & !KNOWN,
    };
    if left & WRITERS == 0 { left & !CONFLICT } else { left }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table::new(4096, 512).unwrap()
    }

    #[test]
    fn overlapping_writes_leave_a_block_unknown_until_it_is_written_alone() {
        let table = table();
        assert!(table.begin(0..2) && table.begin(1..3));
        table.end(0..2, |_| Ending::Wrote(7));
        assert_eq!(table.version(1), BEING_WRITTEN);
        table.end(1..3, |_| Ending::Wrote(8));
        let expected = |block| table.expected(block, table.version(block));
        assert_eq!([0, 1, 2, 3].map(expected), [Some(7), None, Some(8), None]);
        assert!(table.begin(1..2));
        table.end(1..2, |_| Ending::Wrote(9));
        assert_eq!(expected(1), Some(9));
    }

    #[test]
    fn a_version_taken_before_a_write_does_not_fit_after_it() {
        let table = table();
        let before = table.version(5);
        assert!(table.begin(5..6));
        table.end(5..6, |_| Ending::Wrote(1));
        assert_eq!(table.expected(5, before), None);
        assert_eq!(table.expected(5, table.version(5)), Some(1));
    }

    #[test]
    fn too_many_writers_are_refused_and_leave_no_trace() {
        let table = table();
        for _ in 0..VERIFY_WRITERS_MAX {
            assert!(table.begin(1..2));
        }
        assert!(!table.begin(0..2));
        assert_ne!(table.version(0), BEING_WRITTEN);
        (0..VERIFY_WRITERS_MAX).for_each(|_| table.end(1..2, |_| Ending::Unknown));
        assert_ne!(table.version(1), BEING_WRITTEN);
    }
}
