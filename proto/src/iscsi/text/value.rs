//! Simple values: numbers, ranges, booleans, lists (RFC 7143 section 6.1).

/// A decimal constant, or a hexadecimal one after `0x`. Nothing for anything else, above 64 bits, or
/// for a decimal with leading zeroes, which the RFC excludes.
#[must_use]
pub fn parse_number(text: &str) -> Option<u64> {
    if let Some(hex) = text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        let digits_only = hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        return if digits_only { u64::from_str_radix(hex, 16).ok() } else { None };
    }
    let digits_only = text.bytes().all(|byte| byte.is_ascii_digit());
    let is_padded = text.len() > 1 && text.starts_with('0');
    if digits_only && !is_padded { text.parse().ok() } else { None }
}

/// Two numbers with `~` between them, the first not above the second.
#[must_use]
pub fn parse_range(text: &str) -> Option<(u64, u64)> {
    let (low, high) = text.split_once('~')?;
    let (low, high) = (parse_number(low)?, parse_number(high)?);
    (low <= high).then_some((low, high))
}

/// `Yes` or `No`.
#[must_use]
pub fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "Yes" => Some(true),
        "No" => Some(false),
        _ => None,
    }
}

/// `Yes` or `No`.
#[must_use]
pub fn format_bool(value: bool) -> &'static str {
    if value { "Yes" } else { "No" }
}

/// The items of a list, in the order of preference.
pub fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
}
