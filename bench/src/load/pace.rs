//! The intended starts of an open loop: fixed by the rate alone, never by completions.

use crate::generator::Rng;
use crate::words::{Arrivals, Rate};

/// Fractions of a nanosecond that are kept, so that rates do not drift: 16 bits.
const FRACTION_BITS: u32 = 16;
const ONE_NS: f64 = (1u64 << FRACTION_BITS) as f64;

/// A clock of intended starts.
#[derive(Clone, Debug)]
pub struct Pace {
    /// The next intended start, in fractions of a nanosecond.
    next: u64,
    /// The gap between starts, in the same unit.
    gap: u64,
    arrivals: Arrivals,
    rng: Rng,
}

impl Pace {
    /// The starts of thread `index` of `threads` that share `rate`, from time 0 on. Threads start
    /// evenly shifted, so that together they keep the rate's spacing.
    pub fn new(rate: Rate, index: u32, threads: u32, seed: u64) -> Pace {
        let gap = 1e9 * f64::from(threads) / rate.per_second as f64;
        let first = gap * f64::from(index) / f64::from(threads);
        let mut pace = Pace {
            next: (first * ONE_NS) as u64,
            gap: ((gap * ONE_NS) as u64).max(1),
            arrivals: rate.arrivals,
            rng: Rng::new(seed),
        };
        if rate.arrivals == Arrivals::Poisson {
            pace.next = pace.next_gap();
        }
        pace
    }

    /// The next intended start in nanoseconds, not yet taken.
    #[inline]
    pub fn next_start(&self) -> u64 {
        self.next >> FRACTION_BITS
    }

    /// Takes the next intended start, and moves on to the one after it.
    #[inline]
    pub fn take(&mut self) -> u64 {
        let start = self.next_start();
        self.next = self.next.saturating_add(self.next_gap());
        start
    }

    #[inline]
    fn next_gap(&mut self) -> u64 {
        match self.arrivals {
            Arrivals::Uniform => self.gap,
            Arrivals::Poisson => (-(1.0 - self.rng.unit()).ln() * self.gap as f64) as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(per_second: u64, arrivals: Arrivals) -> Rate {
        Rate { per_second, arrivals }
    }

    fn starts_within(pace: &mut Pace, end: u64) -> Vec<u64> {
        std::iter::from_fn(|| (pace.next_start() < end).then(|| pace.take())).collect()
    }

    #[test]
    fn even_starts_do_not_drift() {
        let mut pace = Pace::new(rate(3_000_000, Arrivals::Uniform), 0, 1, 1);
        let starts = starts_within(&mut pace, 1_000_000_000);
        assert!((starts.len() as i64 - 3_000_000).abs() < 50, "{}", starts.len());
        assert_eq!(&starts[..4], [0, 333, 666, 999]);
    }

    #[test]
    fn threads_share_the_rate_and_its_spacing() {
        let of = |index| Pace::new(rate(1000, Arrivals::Uniform), index, 4, 1);
        let mut all: Vec<_> = (0..4).flat_map(|i| starts_within(&mut of(i), 10_000_000)).collect();
        all.sort_unstable();
        let expected: Vec<u64> = (0..10).map(|i| i * 1_000_000).collect();
        assert_eq!(all, expected);
    }

    #[test]
    fn poisson_gaps_have_the_mean_and_the_spread_of_the_law() {
        let mut pace = Pace::new(rate(1_000_000, Arrivals::Poisson), 0, 1, 5);
        let starts = starts_within(&mut pace, 200_000_000);
        let gaps: Vec<f64> = starts.windows(2).map(|w| (w[1] - w[0]) as f64).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let var = gaps.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((mean - 1000.0).abs() < 10.0, "mean {mean}");
        assert!((var.sqrt() - 1000.0).abs() < 20.0, "deviation {}", var.sqrt());
    }
}
