//! Which operation comes next: pure, seeded, and the same few nanoseconds for each.
//!
//! Invariants: offsets are multiples of the block within the thread's own part of the range; the
//! same seed gives the same operations; no step divides except the Zipf permutation.

mod rng;
mod zipf;

pub use rng::Rng;
pub(crate) use rng::split_mix;
pub use zipf::Zipf;

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Block number within the thread's part.
    pub block: u64,
    /// A write; else a read.
    pub write: bool,
}

/// How blocks are chosen.
#[derive(Clone, Debug)]
enum Order {
    Sequential { next: u64 },
    Uniform,
    Zipf(Box<Scattered>),
}

/// A Zipf distribution whose ranks are scattered over the blocks, so that the hot ones are not
/// neighbours. `multiplier` has no factor in common with the number of blocks: a permutation.
#[derive(Clone, Debug)]
struct Scattered {
    zipf: Zipf,
    multiplier: u64,
}

/// A stream of operations without end.
#[derive(Clone, Debug)]
pub struct Generator {
    rng: Rng,
    order: Order,
    blocks: u64,
    /// A draw of 32 bits below this is a read; 2 to the 32 for reads alone.
    reads_below: u64,
}

impl Generator {
    /// Operations on `blocks` blocks (at least one) of which `read_percent` of a hundred read.
    pub fn new(
        seed: u64,
        blocks: u64,
        sequential: bool,
        zipf: Option<f64>,
        read_percent: u8,
    ) -> Generator {
        assert!(blocks > 0, "a workload has at least one block");
        let order = match zipf {
            _ if sequential => Order::Sequential { next: 0 },
            None => Order::Uniform,
            Some(exponent) => Order::Zipf(Box::new(Scattered {
                zipf: Zipf::new(blocks, exponent),
                multiplier: coprime_near_golden(blocks),
            })),
        };
        let reads_below = (u64::from(read_percent) << 32) / 100;
        Generator { rng: Rng::new(seed), order, blocks, reads_below }
    }

    /// The next operation.
    #[inline]
    pub fn step(&mut self) -> Step {
        let write = self.draw_write();
        let block = match &mut self.order {
            Order::Uniform => self.rng.below(self.blocks),
            Order::Sequential { next } => {
                let block = *next;
                *next = if block + 1 == self.blocks { 0 } else { block + 1 };
                block
            }
            Order::Zipf(scattered) => {
                let rank = scattered.zipf.sample(&mut self.rng) - 1;
                scatter(rank, scattered.multiplier, self.blocks)
            }
        };
        Step { block, write }
    }

    /// Pure workloads draw no number for it.
    #[inline]
    fn draw_write(&mut self) -> bool {
        match self.reads_below {
            0 => true,
            all if all == 1 << 32 => false,
            below => u64::from(self.rng.next_u32()) >= below,
        }
    }
}

#[inline]
fn scatter(rank: u64, multiplier: u64, blocks: u64) -> u64 {
    match rank.checked_mul(multiplier) {
        Some(product) => product % blocks,
        None => ((u128::from(rank) * u128::from(multiplier)) % u128::from(blocks)) as u64,
    }
}

/// A number near `n` times the golden ratio that has no factor in common with `n`.
fn coprime_near_golden(n: u64) -> u64 {
    let golden = ((u128::from(n) * 0x9e37_79b9_7f4a_7c15) >> 64) as u64;
    (golden.max(1)..).find(|m| gcd(*m, n) == 1).expect("one more than a multiple of n is coprime")
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counts(mut generator: Generator, blocks: usize, n: usize) -> Vec<u64> {
        let mut counts = vec![0; blocks];
        (0..n).for_each(|_| counts[generator.step().block as usize] += 1);
        counts
    }

    #[test]
    fn the_same_seed_gives_the_same_operations() {
        let steps = |seed| {
            let mut generator = Generator::new(seed, 1000, false, None, 70);
            (0..100).map(|_| generator.step()).collect::<Vec<_>>()
        };
        assert_eq!(steps(5), steps(5));
        assert_ne!(steps(5), steps(6));
    }

    #[test]
    fn a_sequential_job_wraps_around() {
        let mut generator = Generator::new(1, 3, true, None, 100);
        let blocks: Vec<_> = (0..7).map(|_| generator.step().block).collect();
        assert_eq!(blocks, [0, 1, 2, 0, 1, 2, 0]);
    }

    #[test]
    fn a_random_job_is_uniform() {
        let (blocks, n) = (64, 64_000);
        let counts = counts(Generator::new(3, blocks, false, None, 100), blocks as usize, n);
        let expected = n as f64 / blocks as f64;
        let chi2: f64 = counts.iter().map(|&c| (c as f64 - expected).powi(2) / expected).sum();
        // 63 degrees of freedom: beyond 117 once in 30,000 seeds; this seed is fixed.
        assert!(chi2 < 117.0, "chi square {chi2}");
    }

    #[test]
    fn the_mix_is_what_was_asked_for() {
        for percent in [0u8, 1, 50, 70, 100] {
            let mut generator = Generator::new(9, 1000, false, None, percent);
            let reads = (0..100_000).filter(|_| !generator.step().write).count() as f64 / 1000.0;
            assert!((reads - f64::from(percent)).abs() < 0.6, "{reads} % of {percent} %");
        }
    }

    #[test]
    fn zipf_scatters_without_losing_a_block() {
        for blocks in [1u64, 2, 10, 4096, 99_991] {
            let multiplier = coprime_near_golden(blocks);
            let mut seen = vec![false; blocks as usize];
            (0..blocks).for_each(|r| seen[scatter(r, multiplier, blocks) as usize] = true);
            assert!(seen.iter().all(|s| *s), "{blocks}");
        }
        let mut counts = counts(Generator::new(4, 1000, false, Some(1.0), 100), 1000, 100_000);
        let neighbour = counts[1];
        counts.sort_unstable();
        assert!(counts[999] > 10 * neighbour, "the hottest is {} times hit", counts[999]);
    }

    proptest! {
        #[test]
        fn every_step_stays_inside(seed: u64, blocks in 1u64..=u64::MAX >> 9,
                                   zipf in prop::option::of(0.01f64..10.0), sequential: bool) {
            let mut generator = Generator::new(seed, blocks, sequential, zipf, 50);
            for _ in 0..50 {
                prop_assert!(generator.step().block < blocks);
            }
        }
    }
}
