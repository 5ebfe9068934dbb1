//! Numerical keys: bursts, counts, times, levels. A number outside the key's range is illegal.

use alloc::string::{String, ToString};

use crate::iscsi::text::parse_number;

pub(super) fn parse(text: &str, low: u32, high: u32) -> Option<u32> {
    let value = u32::try_from(parse_number(text)?).ok()?;
    (low..=high).contains(&value).then_some(value)
}

pub(super) fn format(value: u32) -> String {
    value.to_string()
}
