//! Which blocks a reader will want next.
//!
//! ```text
//! Random ── a read follows the one before ──> Sequential{window: MIN}
//! Sequential ── half of what was fetched is read ──> fetch a window, which doubles up to MAX
//! Sequential ── a read elsewhere ──> Random
//! ```

use std::ops::Range;

/// The first window in blocks: 64 KiB.
pub const READ_AHEAD_BLOCKS_MIN: u64 = 16;
/// The largest window in blocks: 1 MiB.
pub const READ_AHEAD_BLOCKS_MAX: u64 = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pattern {
    Random,
    Sequential {
        /// What is fetched next time, in blocks.
        window: u64,
        /// The block behind what was fetched.
        fetched: u64,
    },
}

/// One reader of one file.
#[derive(Clone, Copy, Debug)]
pub struct ReadAhead {
    /// The block that a sequential reader reads next.
    next: u64,
    pattern: Pattern,
}

impl Default for ReadAhead {
    fn default() -> ReadAhead {
        // A reader that begins with the file's first block is taken for a sequential one.
        ReadAhead { next: 0, pattern: Pattern::Random }
    }
}

impl ReadAhead {
    /// Blocks are read; gives those to be fetched beside, before `end`, the file's last block.
    pub fn on_read(&mut self, blocks: Range<u64>, end: u64) -> Option<Range<u64>> {
        let follows = blocks.start == self.next || blocks.start + 1 == self.next;
        self.next = blocks.end;
        if !follows {
            self.pattern = Pattern::Random;
            return None;
        }
        let (window, fetched) = match self.pattern {
            Pattern::Random => (READ_AHEAD_BLOCKS_MIN, blocks.end),
            Pattern::Sequential { window, fetched } => (window, fetched.max(blocks.end)),
        };
        let is_short = fetched - blocks.end <= window / 4;
        let wanted = fetched..(fetched + window).min(end.max(fetched));
        if !is_short || wanted.is_empty() {
            self.pattern = Pattern::Sequential { window, fetched };
            return None;
        }
        let larger = (2 * window).min(READ_AHEAD_BLOCKS_MAX);
        self.pattern = Pattern::Sequential { window: larger, fetched: wanted.end };
        Some(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequential_reader_gets_windows_that_double_up_to_the_limit() {
        let mut ahead = ReadAhead::default();
        let mut fetched = 1;
        let mut widths = Vec::new();
        for block in 0..4096 {
            if let Some(blocks) = ahead.on_read(block..block + 1, 4096) {
                assert_eq!(blocks.start, fetched.max(block + 1), "nothing is fetched twice");
                fetched = blocks.end;
                widths.push(blocks.end - blocks.start);
            }
        }
        assert_eq!(fetched, 4096, "and nothing beyond the end");
        assert_eq!(&widths[..5], [16, 32, 64, 128, 256]);
        assert!(widths.iter().all(|width| *width <= READ_AHEAD_BLOCKS_MAX));
    }

    #[test]
    fn a_random_reader_fetches_nothing() {
        let mut ahead = ReadAhead::default();
        let blocks = (1..500u64).map(|n| n * 7919 % 5000 + 2);
        assert!(blocks.into_iter().all(|b| ahead.on_read(b..b + 1, 1 << 20).is_none()));
    }

    #[test]
    fn a_jump_begins_again_with_the_smallest_window() {
        let mut ahead = ReadAhead::default();
        for block in 0..400 {
            ahead.on_read(block..block + 1, 1 << 20);
        }
        assert_eq!(ahead.on_read(9000..9001, 1 << 20), None);
        assert_eq!(ahead.on_read(9001..9002, 1 << 20), Some(9002..9018));
    }
}
