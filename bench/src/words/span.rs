//! Spans of time: `10s`, `500ms`, `2m`, `1h`.

use super::{WordError, scaled, split_unit};

/// The longest span: a year.
pub const SPAN_MAX_NS: u64 = 365 * 24 * 3600 * 1_000_000_000;

/// Nanoseconds of a span word. A bare number is refused, since nobody agrees on its unit.
pub fn span_ns(word: &str) -> Result<u64, WordError> {
    let remedy = "write a number with us, ms, s, m or h behind it, such as 500ms or 10s";
    let error = |problem: &str| WordError::new(format!("'{word}'"), problem, remedy);
    let (number, unit) = split_unit(word);
    let factor = match unit {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60 * 1_000_000_000,
        "h" => 3600 * 1_000_000_000,
        "" => return Err(error("a span of time without its unit")),
        _ => return Err(error("not a span of time")),
    };
    let ns = scaled(number, factor).ok_or_else(|| error("not a span of time"))?;
    if ns > SPAN_MAX_NS {
        return Err(error("longer than a year"));
    }
    Ok(ns)
}

/// A time for people: three digits and a unit.
pub fn show_ns(ns: f64) -> String {
    let (value, unit) = match ns {
        n if n < 1e3 => (n, "ns"),
        n if n < 1e6 => (n / 1e3, "us"),
        n if n < 1e9 => (n / 1e6, "ms"),
        n => (n / 1e9, "s"),
    };
    let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    let digits = if unit == "ns" { 0 } else { digits };
    format!("{value:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_need_a_unit() {
        assert_eq!(span_ns("10s"), Ok(10_000_000_000));
        assert_eq!(span_ns("1.5ms"), Ok(1_500_000));
        assert_eq!(span_ns("2m"), Ok(120_000_000_000));
        for word in ["10", "s", "", "10d", "9999h", "-1s"] {
            let message = span_ns(word).unwrap_err().to_string();
            assert!(message.contains(&format!("'{word}'")), "{message}");
        }
    }

    #[test]
    fn times_are_shown_with_three_digits() {
        let shown: Vec<_> = [0.4, 999.0, 1500.0, 42_100.0, 2e8, 1e9].map(show_ns).into();
        assert_eq!(shown, ["0 ns", "999 ns", "1.50 us", "42.1 us", "200 ms", "1.00 s"]);
    }
}
