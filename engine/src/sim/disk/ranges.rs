//! The bytes of a simulated disk: runs of one content each, so that what is not written costs
//! nothing and zeroing a terabyte is one entry.
//!
//! Invariants: runs do not overlap and are not empty; a place without a run is a hole.

use std::collections::BTreeMap;
use std::sync::Arc;

/// What a run holds.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// Nothing is stored; reads as zeroes.
    Hole,
    /// Zeroes that were written.
    Zero,
    /// The bytes of `data` from `at` on. Shared: copies of a disk share what they agree on.
    Bytes { data: Arc<[u8]>, at: usize },
}

impl Content {
    fn skip(&self, bytes: u64) -> Content {
        match self {
            Content::Bytes { data, at } => {
                Content::Bytes { data: Arc::clone(data), at: at + bytes as usize }
            }
            other => other.clone(),
        }
    }
}

/// A stretch of the disk with one content.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) start: u64,
    pub(super) len: u64,
    pub(super) content: Content,
}

impl Piece {
    pub(super) fn end(&self) -> u64 {
        self.start + self.len
    }

    /// The part of the piece in `start..end`, where there is one.
    pub(super) fn part(&self, start: u64, end: u64) -> Option<Piece> {
        let (start, end) = (start.max(self.start), end.min(self.end()));
        let content = (start < end).then(|| self.content.skip(start - self.start))?;
        Some(Piece { start, len: end - start, content })
    }
}

#[derive(Clone, Debug)]
struct Run {
    len: u64,
    content: Content,
}

/// A disk's content by place.
#[derive(Clone, Debug, Default)]
pub(super) struct RangeMap {
    runs: BTreeMap<u64, Run>,
}

impl RangeMap {
    /// Puts a piece over whatever was there.
    pub(super) fn put(&mut self, piece: Piece) {
        self.clear(piece.start, piece.end());
        if piece.len > 0 && !matches!(piece.content, Content::Hole) {
            self.runs.insert(piece.start, Run { len: piece.len, content: piece.content });
        }
    }

    /// Makes a hole of `start..end`.
    pub(super) fn clear(&mut self, start: u64, end: u64) {
        self.cut(start);
        self.cut(end);
        while let Some((&at, _)) = self.runs.range(start..end.max(start)).next() {
            self.runs.remove(&at);
        }
    }

    /// Splits the run across `at`, where there is one.
    fn cut(&mut self, at: u64) {
        let Some((&start, run)) = self.runs.range_mut(..at).next_back() else { return };
        let head = at - start;
        if run.len > head {
            let tail = Run { len: run.len - head, content: run.content.skip(head) };
            run.len = head;
            self.runs.insert(at, tail);
        }
    }

    /// The pieces of `start..end` in order, holes included.
    pub(super) fn pieces(&self, start: u64, end: u64) -> Vec<Piece> {
        let before = self.runs.range(..start).next_back();
        let after = self.runs.range(start..end.max(start));
        let mut pieces = Vec::new();
        let mut at = start;
        for (&run_start, run) in before.into_iter().chain(after) {
            let whole = Piece { start: run_start, len: run.len, content: run.content.clone() };
            let Some(piece) = whole.part(start, end) else { continue };
            pieces.extend(hole(at, piece.start));
            at = piece.end();
            pieces.push(piece);
        }
        pieces.extend(hole(at, end));
        pieces
    }

    /// Fills `to` with the bytes from `start` on.
    pub(super) fn read(&self, start: u64, to: &mut [u8]) {
        for piece in self.pieces(start, start + to.len() as u64) {
            let from = (piece.start - start) as usize;
            let to = &mut to[from..from + piece.len as usize];
            match &piece.content {
                Content::Bytes { data, at } => to.copy_from_slice(&data[*at..*at + to.len()]),
                _ => to.fill(0),
            }
        }
    }
}

fn hole(start: u64, end: u64) -> Option<Piece> {
    (start < end).then(|| Piece { start, len: end - start, content: Content::Hole })
}

#[cfg(test)]
mod tests {
    use super::super::super::Rng;
    use super::*;

    fn bytes(start: u64, bytes: &[u8]) -> Piece {
        let content = Content::Bytes { data: bytes.into(), at: 0 };
        Piece { start, len: bytes.len() as u64, content }
    }

    #[test]
    fn a_piece_in_the_middle_leaves_both_ends() {
        let mut map = RangeMap::default();
        map.put(bytes(10, &[1; 10]));
        map.put(Piece { start: 13, len: 4, content: Content::Zero });
        let mut all = [9; 14];
        map.read(8, &mut all);
        assert_eq!(all, [0, 0, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0]);
        let starts: Vec<_> = map.pieces(8, 22).iter().map(|p| (p.start, p.len)).collect();
        assert_eq!(starts, [(8, 2), (10, 3), (13, 4), (17, 3), (20, 2)]);
    }

    #[test]
    fn the_map_reads_as_an_array_would() {
        let (mut map, mut array) = (RangeMap::default(), [0u8; 64]);
        let mut rng = Rng::new(1);
        for round in 0..2000 {
            let start = rng.below(64);
            let len = rng.within(0..65 - start);
            let (from, to) = (start as usize, (start + len) as usize);
            if rng.chance(300_000) {
                map.clear(start, start + len);
                array[from..to].fill(0);
            } else {
                let new: Vec<u8> = (0..len).map(|i| (round + i) as u8).collect();
                map.put(bytes(start, &new));
                array[from..to].copy_from_slice(&new);
            }
            let mut read = [1u8; 64];
            map.read(0, &mut read);
            assert_eq!(read, array);
            let pieces = map.pieces(0, 64);
            assert_eq!(pieces.iter().map(|p| p.len).sum::<u64>(), 64);
            assert!(pieces.iter().all(|p| p.len > 0));
        }
    }

    #[test]
    fn a_terabyte_of_zeroes_is_one_entry() {
        let mut map = RangeMap::default();
        map.put(Piece { start: 0, len: 1 << 40, content: Content::Zero });
        assert_eq!(map.runs.len(), 1);
        map.clear(4096, 1 << 40);
        assert_eq!(map.pieces(0, 1 << 40).len(), 2);
    }
}
