//! Rates of an open loop, in operations per second: `50k`, `50k:poisson`, `10k..200k`.

use super::{WordError, scaled, split_unit};

/// The highest rate of one job, per second.
pub const RATE_MAX: u64 = 100_000_000;
const REMEDY: &str = "write operations per second, such as 50k, 1.5m or 50k:poisson";

/// How intended starts are spaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrivals {
    /// Evenly.
    Uniform,
    /// With exponential gaps, as from many independent users.
    Poisson,
}

/// A rate of an open loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Operations per second, 1 to [`RATE_MAX`].
    pub per_second: u64,
    /// How they are spaced.
    pub arrivals: Arrivals,
}

impl Rate {
    /// The word that means this rate.
    pub fn word(&self) -> String {
        match self.arrivals {
            Arrivals::Uniform => self.per_second.to_string(),
            Arrivals::Poisson => format!("{}:poisson", self.per_second),
        }
    }
}

/// A rate word: a number with `k` (1000) or `m` behind it, and `:poisson` for exponential gaps.
pub fn rate(word: &str) -> Result<Rate, WordError> {
    let error = |problem: &str| WordError::new(format!("'{word}'"), problem, REMEDY);
    let (number, arrivals) = match word.split_once(':') {
        None => (word, Arrivals::Uniform),
        Some((number, "poisson")) => (number, Arrivals::Poisson),
        Some((number, "uniform")) => (number, Arrivals::Uniform),
        Some(_) => return Err(error("the part after ':' is neither poisson nor uniform")),
    };
    let per_second = per_second(number).ok_or_else(|| error("not a rate"))?;
    if !(1..=RATE_MAX).contains(&per_second) {
        return Err(error("outside of 1 to 100m per second"));
    }
    Ok(Rate { per_second, arrivals })
}

fn per_second(number: &str) -> Option<u64> {
    let (number, unit) = split_unit(number);
    let factor = match unit {
        "" => 1,
        "k" | "K" => 1_000,
        "m" | "M" => 1_000_000,
        _ => return None,
    };
    scaled(number, factor)
}

/// The two ends of a sweep: `10k..200k`, with `:poisson` behind where it is wanted.
pub fn rate_range(word: &str) -> Result<(Rate, Rate), WordError> {
    let remedy = "write the lowest and the highest rate, such as 10k..200k or 10k..200k:poisson";
    let error = |problem: &str| WordError::new(format!("'{word}'"), problem, remedy);
    let (low, high) = word.split_once("..").ok_or_else(|| error("not a range of rates"))?;
    let high = rate(high)?;
    let low = Rate { arrivals: high.arrivals, ..rate(low)? };
    if low.per_second >= high.per_second {
        return Err(error("the first rate is not below the second"));
    }
    Ok((low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_powers_of_1000() {
        let uniform = |per_second| Rate { per_second, arrivals: Arrivals::Uniform };
        assert_eq!(rate("50k"), Ok(uniform(50_000)));
        assert_eq!(rate("1.5m:uniform"), Ok(uniform(1_500_000)));
        let poisson = Rate { per_second: 7, arrivals: Arrivals::Poisson };
        assert_eq!(rate("7:poisson"), Ok(poisson));
        assert_eq!(rate(&poisson.word()), Ok(poisson));
    }

    #[test]
    fn nonsense_is_named() {
        for word in ["", "0", "50q", "50k:", "50k:normal", "101m", "0.1"] {
            let message = rate(word).unwrap_err().to_string();
            assert!(message.contains(&format!("'{word}'")), "{message}");
        }
    }

    #[test]
    fn a_range_rises() {
        let (low, high) = rate_range("10k..0.2m:poisson").unwrap();
        assert_eq!((low.per_second, high.per_second), (10_000, 200_000));
        assert_eq!(low.arrivals, Arrivals::Poisson);
        for word in ["10k", "10k..10k", "..", "2k..1k", "1k..x"] {
            assert!(rate_range(word).is_err(), "{word}");
        }
    }
}
