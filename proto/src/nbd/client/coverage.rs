//! Which bytes of a read have arrived: the chunks of a reply may come in any order, but must not
//! overlap and must leave no gap (NBD, 'Structured reply chunk message').
//!
//! Invariant: the pieces are sorted, apart from each other and never empty.

use alloc::vec::Vec;

/// The most pieces with gaps between them that one reply may consist of at a time.
pub const PIECES_MAX: usize = 4096;

/// Why a piece is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Misfit {
    /// It overlaps one that has arrived.
    Overlap,
    /// There are too many with gaps between them.
    TooMany,
}

/// The pieces of one read that have arrived. Its memory is used again for the next one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Coverage {
    pieces: Vec<(u64, u64)>,
}

impl Coverage {
    pub(super) fn clear(&mut self) {
        self.pieces.clear();
    }

    /// Adds the bytes from `start` to `end`, which must be more than none.
    pub(super) fn add(&mut self, start: u64, end: u64) -> Result<(), Misfit> {
        let at = self.pieces.partition_point(|(piece, _)| *piece < start);
        let is_full = self.pieces.len() == PIECES_MAX;
        let (before, behind) = self.pieces.split_at_mut(at);
        let before = before.last_mut();
        let behind = behind.first_mut();
        let is_clear = before.as_ref().is_none_or(|piece| piece.1 <= start)
            && behind.as_ref().is_none_or(|piece| end <= piece.0);
        if !is_clear {
            return Err(Misfit::Overlap);
        }
        let before = before.filter(|piece| piece.1 == start);
        let behind = behind.filter(|piece| piece.0 == end);
        match (before, behind) {
            (Some(before), Some(behind)) => {
                before.1 = behind.1;
                self.pieces.remove(at);
            }
            (Some(before), None) => before.1 = end,
            (None, Some(behind)) => behind.0 = start,
            (None, None) if is_full => return Err(Misfit::TooMany),
            (None, None) => self.pieces.insert(at, (start, end)),
        }
        Ok(())
    }

    /// True where all of `len` bytes are there.
    pub(super) fn is_whole(&self, len: u64) -> bool {
        match self.pieces.as_slice() {
            [] => len == 0,
            pieces => pieces == [(0, len)],
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pieces_join_and_never_overlap() {
        let mut coverage = Coverage::default();
        assert!(!coverage.is_whole(10));
        assert_eq!(coverage.add(4, 6), Ok(()));
        assert_eq!(coverage.add(8, 10), Ok(()));
        for (start, end) in [(0, 5), (4, 6), (5, 6), (5, 7), (3, 9), (9, 12)] {
            assert_eq!(coverage.add(start, end), Err(Misfit::Overlap), "{start}..{end}");
        }
        assert_eq!(coverage.add(6, 8), Ok(()));
        assert_eq!(coverage.add(0, 4), Ok(()));
        assert!(coverage.is_whole(10) && !coverage.is_whole(9) && !coverage.is_whole(11));
    }

    #[test]
    fn too_many_pieces_are_refused() {
        let mut coverage = Coverage::default();
        (0..PIECES_MAX as u64).for_each(|n| assert_eq!(coverage.add(n * 2, n * 2 + 1), Ok(())));
        assert_eq!(coverage.add(1 << 40, (1 << 40) + 1), Err(Misfit::TooMany));
        assert_eq!(coverage.add(1, 2), Ok(()), "what joins two is always taken");
    }

    proptest! {
        #[test]
        fn it_is_a_set_of_bytes(pieces in prop::collection::vec((0u64..40, 1u64..12), 0..12)) {
            let (mut coverage, mut set) = (Coverage::default(), [false; 52]);
            for (start, len) in pieces {
                let range = start as usize..(start + len) as usize;
                let is_new = set[range.clone()].iter().all(|byte| !byte);
                prop_assert_eq!(coverage.add(start, start + len).is_ok(), is_new);
                if is_new {
                    set[range].fill(true);
                }
            }
            let len = set.iter().take_while(|byte| **byte).count();
            let is_whole = set[len..].iter().all(|byte| !byte);
            prop_assert_eq!(coverage.is_whole(len as u64), is_whole);
        }
    }
}
