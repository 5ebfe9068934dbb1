//! The bytes of a disk in two layers: what reads see, and what a power loss leaves.
//!
//! Invariants: `front` is `durable` with every pending effect applied in order; an effect leaves
//! the pending list by becoming durable, by being overwritten durably, or at a power loss. A loss
//! decides each atomic unit of each pending effect by itself, so later writes may survive where
//! earlier ones do not.

use std::collections::VecDeque;

use super::super::{PPM, Rng};
use super::ranges::{Piece, RangeMap};

/// Parts that one effect is torn into at most: larger effects tear at multiples of the unit.
const TEAR_PARTS_MAX: u64 = 1024;

/// How much of what is not durable a power loss keeps, in parts per million; one is drawn per loss,
/// so that "everything lost" and "nearly everything kept" are as usual as the middle.
const KEEP_PPM: [u32; 5] = [0, PPM / 10, PPM / 2, PPM / 10 * 9, PPM];

/// A change that is visible and not durable.
#[derive(Clone, Debug)]
struct Effect {
    /// Its number in the order of application.
    nth: u64,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
pub(super) struct Medium {
    front: RangeMap,
    durable: RangeMap,
    pending: VecDeque<Effect>,
    applied: u64,
    atomic_len: u64,
}

impl Medium {
    pub(super) fn new(atomic_len: u32) -> Medium {
        Medium {
            front: RangeMap::default(),
            durable: RangeMap::default(),
            pending: VecDeque::new(),
            applied: 0,
            atomic_len: u64::from(atomic_len),
        }
    }

    pub(super) fn front(&self) -> &RangeMap {
        &self.front
    }

    pub(super) fn durable(&self) -> &RangeMap {
        &self.durable
    }

    /// The number of the last applied effect: what a flush submitted now has to make durable.
    pub(super) fn applied(&self) -> u64 {
        self.applied
    }

    /// Makes pieces visible, not durable.
    pub(super) fn apply(&mut self, pieces: Vec<Piece>) {
        if pieces.is_empty() {
            return;
        }
        pieces.iter().for_each(|piece| self.front.put(piece.clone()));
        self.applied += 1;
        self.pending.push_back(Effect { nth: self.applied, pieces });
    }

    /// Makes pieces visible and durable. What lies pending under them is overwritten in the cache
    /// as well, and will not come back.
    pub(super) fn apply_durably(&mut self, pieces: Vec<Piece>) {
        for piece in pieces {
            self.drop_pending(piece.start, piece.end());
            self.front.put(piece.clone());
            self.durable.put(piece);
        }
    }

    fn drop_pending(&mut self, start: u64, end: u64) {
        for effect in &mut self.pending {
            let pieces = std::mem::take(&mut effect.pieces);
            let around = |p: Piece| [p.part(0, start), p.part(end, u64::MAX)];
            effect.pieces = pieces.into_iter().flat_map(around).flatten().collect();
        }
        self.pending.retain(|effect| !effect.pieces.is_empty());
    }

    /// Makes durable what was applied up to the effect `nth`. A part for which `stays` is true
    /// remains in the cache.
    pub(super) fn flush(&mut self, nth: u64, mut stays: impl FnMut(&Piece) -> bool) {
        let mut kept = VecDeque::new();
        while self.pending.front().is_some_and(|effect| effect.nth <= nth) {
            let Some(effect) = self.pending.pop_front() else { break };
            let units = effect.pieces.iter().flat_map(|p| split(p, self.atomic_len));
            let (behind, done): (Vec<_>, Vec<_>) = units.partition(&mut stays);
            done.into_iter().for_each(|piece| self.durable.put(piece));
            if !behind.is_empty() {
                kept.push_back(Effect { nth: effect.nth, pieces: behind });
            }
        }
        kept.append(&mut self.pending);
        self.pending = kept;
    }

    /// Loses what is not durable, save what chance keeps; `in_flight` are writes that had not
    /// completed, each as a list of units that live or die together.
    pub(super) fn lose_power(&mut self, in_flight: Vec<Vec<Piece>>, rng: &mut Rng) {
        let keep_ppm = rng.pick(&KEEP_PPM);
        let pending = std::mem::take(&mut self.pending);
        let units = pending.iter().flat_map(|effect| &effect.pieces);
        for unit in units.flat_map(|p| split(p, self.atomic_len)) {
            if rng.chance(keep_ppm) {
                self.durable.put(unit);
            }
        }
        for unit in in_flight {
            if rng.chance(keep_ppm) {
                unit.into_iter().for_each(|piece| self.durable.put(piece));
            }
        }
        self.front = self.durable.clone();
    }

    /// Cuts everything off from `size` on.
    pub(super) fn truncate(&mut self, size: u64) {
        self.front.clear(size, u64::MAX);
        self.durable.clear(size, u64::MAX);
        self.drop_pending(size, u64::MAX);
    }

    /// The atomic units of some pieces.
    pub(super) fn units(&self, pieces: &[Piece]) -> Vec<Piece> {
        pieces.iter().flat_map(|piece| split(piece, self.atomic_len)).collect()
    }
}

/// The parts of a piece that a power loss decides about one by one.
fn split(piece: &Piece, atomic_len: u64) -> Vec<Piece> {
    let step = piece.len.div_ceil(TEAR_PARTS_MAX).max(atomic_len).next_multiple_of(atomic_len);
    let first = piece.start / step;
    let last = piece.end().div_ceil(step);
    (first..last).filter_map(|n| piece.part(n * step, (n + 1) * step)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::ranges::Content;
    use super::*;

    fn piece(start: u64, len: u64, value: u8) -> Piece {
        let data = vec![value; len as usize].into();
        Piece { start, len, content: Content::Bytes { data, at: 0 } }
    }

    fn byte(map: &RangeMap, at: u64) -> u8 {
        let mut byte = [0];
        map.read(at, &mut byte);
        byte[0]
    }

    #[test]
    fn units_are_aligned_and_large_pieces_tear_coarsely() {
        let lens = |start, len| {
            let units = split(&piece(start, len, 0), 4096);
            units.iter().map(|p| p.len).collect::<Vec<_>>()
        };
        assert_eq!(lens(512, 8192), [3584, 4096, 512]);
        let zeroes = Piece { start: 0, len: 1 << 40, content: Content::Zero };
        assert_eq!(split(&zeroes, 4096).len() as u64, TEAR_PARTS_MAX);
    }

    #[test]
    fn a_durable_write_is_not_undone_by_an_older_one_in_the_cache() {
        let mut medium = Medium::new(512);
        medium.apply(vec![piece(0, 1024, 1)]);
        medium.apply_durably(vec![piece(0, 512, 2)]);
        medium.flush(medium.applied(), |_| false);
        assert_eq!((byte(medium.durable(), 0), byte(medium.durable(), 512)), (2, 1));
        assert!(medium.pending.is_empty());
    }

    #[test]
    fn a_loss_may_keep_the_later_write_and_lose_the_earlier() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let mut medium = Medium::new(512);
            medium.apply(vec![piece(0, 512, 1)]);
            medium.apply(vec![piece(512, 512, 2)]);
            medium.lose_power(vec![vec![piece(1024, 512, 3)]], &mut Rng::new(seed));
            seen.insert([0, 512, 1024].map(|at| byte(medium.front(), at)));
        }
        assert_eq!(seen.len(), 8, "every subset survives some loss: {seen:?}");
    }
}
