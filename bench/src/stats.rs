//! Medians, and how sure one can be of them: the bootstrap (B. Efron, 1979), and its form for
//! series whose neighbours are alike, the moving blocks (H. Künsch, 1989). Pure and seeded.

use crate::generator::Rng;

/// Resamples of a bootstrap.
const RESAMPLES: usize = 2000;
/// The seed of the resampling, so that the same figures give the same interval.
const SEED: u64 = 20;

/// An estimate with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Estimate {
    /// The estimate itself.
    pub value: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// The median; the mean of the middle two of an even number. Zero for no values.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    match (sorted.len(), sorted.len() / 2) {
        (0, _) => 0.0,
        (n, half) if n % 2 == 1 => sorted[half],
        (_, half) => (sorted[half - 1] + sorted[half]) / 2.0,
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// The median of independent values; none for no values.
pub fn median_estimate(values: &[f64]) -> Option<Estimate> {
    if values.is_empty() {
        return None;
    }
    let mut rng = Rng::new(SEED);
    let mut drawn = vec![0.0; values.len()];
    let resamples = (0..RESAMPLES).map(|_| {
        drawn.fill_with(|| values[rng.below(values.len() as u64) as usize]);
        median(&drawn)
    });
    Some(interval(median(values), resamples.collect()))
}

/// The ratio of the means of two series in time, `b` over `a`; none where one is too short for a
/// spread or `a` is zero.
pub fn series_ratio(a: &[f64], b: &[f64]) -> Option<Estimate> {
    if a.len() < 3 || b.len() < 3 || mean(a) <= 0.0 {
        return None;
    }
    let mut rng = Rng::new(SEED);
    let mut resample = |values: &[f64]| {
        let blocks = block_means(values, &mut rng);
        mean(&blocks)
    };
    let ratios = (0..RESAMPLES).map(|_| resample(b) / resample(a).max(f64::MIN_POSITIVE));
    Some(interval(mean(b) / mean(a), ratios.collect()))
}

/// The means of blocks drawn with replacement, as many as cover the series once.
fn block_means(values: &[f64], rng: &mut Rng) -> Vec<f64> {
    let len = ((values.len() as f64).cbrt().round() as usize).clamp(1, values.len());
    let starts = (values.len() - len + 1) as u64;
    let draw = |_| {
        let start = rng.below(starts) as usize;
        mean(&values[start..start + len])
    };
    (0..values.len().div_ceil(len)).map(draw).collect()
}

fn interval(value: f64, mut resamples: Vec<f64>) -> Estimate {
    resamples.sort_unstable_by(f64::total_cmp);
    let at = |q: f64| resamples[((resamples.len() - 1) as f64 * q).round() as usize];
    Estimate { value, low: at(0.025), high: at(0.975) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::generator::Rng;

    #[test]
    fn medians_are_in_the_middle() {
        assert_eq!(median(&[]), 0.0);
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn a_real_difference_is_outside_of_the_interval_of_one() {
        let noise = |rng: &mut Rng, base: f64| base * (0.95 + 0.1 * rng.unit());
        let mut rng = Rng::new(1);
        let a: Vec<_> = (0..100).map(|_| noise(&mut rng, 100.0)).collect();
        let same: Vec<_> = (0..100).map(|_| noise(&mut rng, 100.0)).collect();
        let faster: Vec<_> = (0..100).map(|_| noise(&mut rng, 110.0)).collect();
        let same = series_ratio(&a, &same).unwrap();
        assert!(same.low < 1.0 && same.high > 1.0, "{same:?}");
        let faster = series_ratio(&a, &faster).unwrap();
        assert!(faster.low > 1.08 && faster.high < 1.12, "{faster:?}");
    }

    #[test]
    fn the_interval_covers_the_truth_about_as_often_as_it_says() {
        let mut rng = Rng::new(3);
        let mut covered = 0;
        for _ in 0..100 {
            let sample: Vec<f64> = (0..25).map(|_| rng.unit()).collect();
            let estimate = median_estimate(&sample).unwrap();
            covered += u32::from(estimate.low <= 0.5 && 0.5 <= estimate.high);
        }
        assert!(covered >= 88, "{covered} of 100");
    }

    #[test]
    fn too_little_gives_no_estimate() {
        assert!(median_estimate(&[]).is_none());
        assert!(series_ratio(&[1.0, 2.0], &[1.0; 5]).is_none());
        assert!(series_ratio(&[0.0; 5], &[1.0; 5]).is_none());
    }

    proptest! {
        #[test]
        fn an_interval_lies_within_the_values(
            values in prop::collection::vec(0.1f64..1000.0, 1..12),
        ) {
            let estimate = median_estimate(&values).unwrap();
            let least = values.iter().copied().fold(f64::MAX, f64::min);
            let most = values.iter().copied().fold(0.0, f64::max);
            prop_assert!(least <= estimate.low && estimate.high <= most);
            prop_assert!(estimate.low <= estimate.value && estimate.value <= estimate.high);
        }
    }
}
