//! The seeds to run: one, or a range with both ends.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// One seed (`7`) or a range of them, both ends included (`1..200`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seeds(RangeInclusive<u64>);

impl Seeds {
    /// The seeds in order.
    pub fn iter(&self) -> RangeInclusive<u64> {
        self.0.clone()
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        (self.0.end() - self.0.start()).saturating_add(1)
    }
}

/// A text that names no seeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotSeeds(String);

impl fmt::Display for NotSeeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` names no seeds: write 7, or 1..200 for both and all between", self.0)
    }
}

impl std::error::Error for NotSeeds {}

impl FromStr for Seeds {
    type Err = NotSeeds;

    fn from_str(text: &str) -> Result<Seeds, NotSeeds> {
        let wrong = || NotSeeds(text.to_owned());
        let (first, last) = text.split_once("..").unwrap_or((text, text));
        let last = last.strip_prefix('=').unwrap_or(last);
        let first: u64 = first.trim().parse().map_err(|_| wrong())?;
        let last: u64 = last.trim().parse().map_err(|_| wrong())?;
        if first > last { Err(wrong()) } else { Ok(Seeds(first..=last)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_both_ends() {
        let seeds: Seeds = "3..5".parse().unwrap();
        assert_eq!(seeds.iter().collect::<Vec<_>>(), [3, 4, 5]);
        assert_eq!((seeds.count(), "7".parse::<Seeds>().unwrap().count()), (3, 1));
        assert_eq!("1..=2".parse::<Seeds>(), "1..2".parse());
        assert_eq!("0..18446744073709551615".parse::<Seeds>().unwrap().count(), u64::MAX);
    }

    #[test]
    fn what_names_no_seeds_is_refused_with_the_remedy() {
        for text in ["", "..", "1..", "5..3", "-1", "a", "1...3", "1-3"] {
            let error = text.parse::<Seeds>().unwrap_err().to_string();
            assert!(error.contains("1..200"), "{error}");
        }
    }
}
