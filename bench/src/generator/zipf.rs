//! Zipf's distribution in constant time, whatever the number of elements.
//!
//! Rejection inversion: W. Hörmann and G. Derflinger, "Rejection-inversion to generate variates
//! from monotone discrete distributions", ACM TOMACS 6(3), 1996. Names follow the paper: `h` is
//! the hat function's density `x^-exponent`, `big_h` its integral.

use super::Rng;

/// Ranks 1 to `n`, rank `k` with a probability in proportion to `k` to the `-exponent`.
#[derive(Clone, Debug)]
pub struct Zipf {
    n: u64,
    exponent: f64,
    big_h_x1: f64,
    big_h_n: f64,
    s: f64,
}

impl Zipf {
    /// Ranks up to `n` (at least one) with an exponent above zero.
    pub fn new(n: u64, exponent: f64) -> Zipf {
        assert!(n > 0 && exponent > 0.0, "a distribution over something, and falling");
        let big_h_x1 = big_h(1.5, exponent) - 1.0;
        let big_h_n = big_h(n as f64 + 0.5, exponent);
        let s = 2.0 - big_h_inverse(big_h(2.5, exponent) - h(2.0, exponent), exponent);
        Zipf { n, exponent, big_h_x1, big_h_n, s }
    }

    /// A rank from 1 to `n`.
    #[inline]
    pub fn sample(&self, rng: &mut Rng) -> u64 {
        loop {
            let u = self.big_h_n + rng.unit() * (self.big_h_x1 - self.big_h_n);
            let x = big_h_inverse(u, self.exponent);
            let k = ((x + 0.5) as u64).clamp(1, self.n);
            let near = k as f64 - x <= self.s;
            if near || u >= big_h(k as f64 + 0.5, self.exponent) - h(k as f64, self.exponent) {
                return k;
            }
        }
    }
}

fn h(x: f64, exponent: f64) -> f64 {
    (-exponent * x.ln()).exp()
}

/// The integral of `h`: `(x^(1 - exponent) - 1) / (1 - exponent)`, and `ln x` for an exponent of 1.
fn big_h(x: f64, exponent: f64) -> f64 {
    let log_x = x.ln();
    expm1_over((1.0 - exponent) * log_x) * log_x
}

fn big_h_inverse(x: f64, exponent: f64) -> f64 {
    let t = (x * (1.0 - exponent)).max(-1.0);
    (ln_1p_over(t) * x).exp()
}

/// `(e^x - 1) / x`, by its series near zero.
fn expm1_over(x: f64) -> f64 {
    if x.abs() > 1e-8 { x.exp_m1() / x } else { 1.0 + x * 0.5 * (1.0 + x / 3.0) }
}

/// `ln(1 + x) / x`, by its series near zero.
fn ln_1p_over(x: f64) -> f64 {
    if x.abs() > 1e-8 { x.ln_1p() / x } else { 1.0 - x * (0.5 - x / 3.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares with the probabilities themselves, summed over all ranks.
    fn compare(n: u64, exponent: f64) {
        let (zipf, mut rng) = (Zipf::new(n, exponent), Rng::new(17));
        let draws = 200_000;
        let mut counts = vec![0u64; n as usize + 1];
        (0..draws).for_each(|_| counts[zipf.sample(&mut rng) as usize] += 1);
        let weight = |k: u64| (k as f64).powf(-exponent);
        let sum: f64 = (1..=n).map(weight).sum();
        for k in [1, 2, 3, 5, 10, n] {
            let p = weight(k) / sum;
            let sigma = (p * (1.0 - p) / f64::from(draws)).sqrt();
            let seen = counts[k as usize] as f64 / f64::from(draws);
            assert!((seen - p).abs() < 5.0 * sigma + 1e-5, "rank {k} of {n}, {exponent}: {seen}");
        }
        assert_eq!(counts[0], 0);
    }

    #[test]
    fn ranks_come_as_often_as_the_law_says() {
        for exponent in [0.2, 0.99, 1.0, 1.1, 2.0, 5.0] {
            compare(1000, exponent);
        }
        compare(10, 1.1);
    }

    #[test]
    fn one_element_is_always_the_first() {
        let (zipf, mut rng) = (Zipf::new(1, 1.1), Rng::new(1));
        assert!((0..1000).all(|_| zipf.sample(&mut rng) == 1));
    }
}
