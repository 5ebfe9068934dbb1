//! The words of the command line and of job files: sizes, rates, spans of time, lists of cores.
//!
//! Pure. Every error names the word, what is wrong with it and what helps; nothing is guessed:
//! `4k` is 4096 bytes for sizes and 4000 per second for rates, as in fio.

mod cores;
mod rate;
mod size;
mod span;

pub use cores::{CORE_MAX, cores};
pub use rate::{Arrivals, RATE_MAX, Rate, rate, rate_range};
pub use size::{show_size, size};
pub use span::{SPAN_MAX_NS, show_ns, span_ns};

use std::fmt;

/// A word that means nothing here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WordError {
    /// The word as it was given, with the option or key it was given for.
    pub word: String,
    /// What is wrong with it.
    pub problem: String,
    /// What helps.
    pub remedy: String,
}

impl WordError {
    /// Names the word, what is wrong and what helps.
    pub fn new(
        word: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        WordError { word: word.into(), problem: problem.into(), remedy: remedy.into() }
    }

    /// The same error, with the option or key in front of the word.
    #[must_use]
    pub fn of(self, key: &str) -> Self {
        WordError { word: format!("{key} {}", self.word), ..self }
    }
}

impl fmt::Display for WordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.word, self.problem, self.remedy)
    }
}

impl std::error::Error for WordError {}

/// Splits a word into its number and the unit behind it.
fn split_unit(word: &str) -> (&str, &str) {
    let at = word.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(word.len());
    word.split_at(at)
}

/// The number times `factor`, rounded down; `None` where it is no number or beyond `u64`.
/// A fraction has at most nine digits, so that the result is exact.
fn scaled(number: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || number.ends_with('.') || fraction.len() > 9 {
        return None;
    }
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let whole = u128::from(whole.parse::<u64>().ok()?) * u128::from(factor);
    let parts = if fraction.is_empty() { 0 } else { fraction.parse::<u128>().ok()? };
    let parts = parts * u128::from(factor) / 10u128.pow(fraction.len() as u32);
    u64::try_from(whole + parts).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fractions_are_exact() {
        assert_eq!(scaled("1.5", 1024), Some(1536));
        assert_eq!(scaled("0.000000001", 1_000_000_000), Some(1));
        for bad in ["", ".", "1.", ".5", "1.2.3", "-1", "1.0000000001", "99999999999999999999"] {
            assert_eq!(scaled(bad, 1), None, "{bad}");
        }
        assert_eq!(scaled("18446744073709551615", 2), None);
    }

    proptest! {
        #[test]
        fn no_word_panics(word in "\\PC{0,24}") {
            let _ = (size(&word), rate(&word), span_ns(&word), cores(&word), rate_range(&word));
        }

        #[test]
        fn a_shown_size_reads_back(bytes in 0u64..=u64::MAX) {
            prop_assert_eq!(size(&show_size(bytes)), Ok(bytes));
        }
    }
}
