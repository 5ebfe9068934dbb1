//! Spans of time as people write them on the command line: `90`, `60s`, `5m`, `2h`.

use std::time::Duration;

/// Parses a whole number of seconds, or one with the unit `s`, `m` or `h`.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(['s', 'm', 'h']);
    let unit_seconds = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(wrong(text)),
    };
    let number: u64 = digits.parse().map_err(|_| wrong(text))?;
    number.checked_mul(unit_seconds).map(Duration::from_secs).ok_or_else(|| wrong(text))
}

fn wrong(text: &str) -> String {
    format!("`{text}` is not a span of time: write 60s, 5m or 2h")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_seconds_minutes_and_hours() {
        let seconds = |text| parse(text).map(|span| span.as_secs());
        assert_eq!(seconds("90"), Ok(90));
        assert_eq!(seconds("60s"), Ok(60));
        assert_eq!(seconds("5m"), Ok(300));
        assert_eq!(seconds("2h"), Ok(7200));
    }

    #[test]
    fn what_is_no_span_is_refused_with_the_remedy() {
        for text in ["", "s", "1d", "-1s", "1.5h", "5ms", "99999999999999999999h"] {
            assert!(parse(text).unwrap_err().contains("write 60s"), "{text}");
        }
    }
}
