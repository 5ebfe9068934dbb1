//! The one source of chance in a simulated run.
//!
//! Over the engine's own SplitMix64, because a seed that found a bug must find it again after every
//! update of a library. Integers alone: no platform rounds them differently.

use std::ops::Range;

use crate::block::wrap::SplitMix64;

/// Parts per million, the unit of every probability here.
pub const PPM: u32 = 1_000_000;

/// A seeded stream of numbers.
#[derive(Clone, Debug)]
pub struct Rng {
    numbers: SplitMix64,
}

impl Rng {
    /// The stream of `seed`; neighbouring seeds start far from each other.
    pub fn new(seed: u64) -> Rng {
        Rng { numbers: SplitMix64::new(SplitMix64::new(seed).next_u64()) }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.numbers.next_u64()
    }

    /// A stream of its own, so that one part's number of draws does not shift another's.
    #[must_use]
    pub fn fork(&mut self) -> Rng {
        Rng::new(self.next_u64())
    }

    /// A number below `n`, or zero where `n` is zero.
    pub fn below(&mut self, n: u64) -> u64 {
        self.numbers.below(n)
    }

    /// A number in `range`, or its start where it is empty.
    pub fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + self.below(range.end.saturating_sub(range.start))
    }

    /// True with a probability of `ppm` parts per million.
    pub fn chance(&mut self, ppm: u32) -> bool {
        self.below(u64::from(PPM)) < u64::from(ppm)
    }

    /// One of `items`.
    ///
    /// # Panics
    /// When there are none.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize]
    }

    /// Brings `items` into a random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        self.numbers.shuffle(items);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_names_one_stream() {
        let draws = |seed| {
            let mut rng = Rng::new(seed);
            std::array::from_fn::<u64, 8, _>(|_| rng.next_u64())
        };
        assert_eq!(draws(1), draws(1));
        assert_ne!(draws(1), draws(2));
    }

    #[test]
    fn draws_stay_within_their_bounds_and_reach_them() {
        let mut rng = Rng::new(3);
        let mut seen = [false; 5];
        (0..200).for_each(|_| seen[rng.within(10..15) as usize - 10] = true);
        assert_eq!(seen, [true; 5]);
        assert_eq!((rng.below(0), rng.within(7..7)), (0, 7));
        assert!((0..1000).all(|_| rng.chance(PPM) && !rng.chance(0)));
    }

    #[test]
    fn a_shuffle_keeps_every_item() {
        let mut items: Vec<u32> = (0..20).collect();
        Rng::new(5).shuffle(&mut items);
        assert_ne!(items, (0..20).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..20).collect::<Vec<_>>());
    }
}
