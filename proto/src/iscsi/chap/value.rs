//! Binary values in text: `0x` and hexadecimal digits, or `0b` and base64 (RFC 7143 section 6.1).
//! Both are understood; hexadecimal is sent, which every peer understands.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;
use core::hint::black_box;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::{CHALLENGE_LEN_MAX, ChapError};

/// Padding is optional: peers disagree about it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Writes bytes as a hexadecimal constant.
pub(super) fn to_hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 + 2 * bytes.len());
    text.push_str("0x");
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a string takes what is written");
    }
    text
}

/// Reads a binary value of 1 to `CHALLENGE_LEN_MAX` bytes; `key` is for the error.
pub(super) fn parse(key: &'static str, text: &str) -> Result<Vec<u8>, ChapError> {
    // No encoding needs more than two characters for a byte.
    if text.len() > 2 + 2 * CHALLENGE_LEN_MAX {
        return Err(ChapError::TooLong { key });
    }
    let bytes = match text.split_at_checked(2) {
        Some(("0x" | "0X", digits)) => parse_hex(digits),
        Some(("0b" | "0B", digits)) => BASE64.decode(digits).ok(),
        _ => None,
    };
    match bytes {
        Some(bytes) if bytes.len() > CHALLENGE_LEN_MAX => Err(ChapError::TooLong { key }),
        Some(bytes) if !bytes.is_empty() => Ok(bytes),
        _ => Err(ChapError::BadValue { key }),
    }
}

/// Digits from the end in pairs: an odd count has a leading zero left out.
fn parse_hex(digits: &str) -> Option<Vec<u8>> {
    let nibble = |digit: u8| char::from(digit).to_digit(16).map(|value| value as u8);
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(nibble(*high)? << 4 | nibble(*low)?),
        [low] => nibble(*low),
        _ => None,
    };
    let (first, rest) = digits.as_bytes().split_at(digits.len() % 2);
    first.chunks(1).chain(rest.chunks(2)).map(pair).collect()
}

/// Reads a number from 0 to 255: decimal or hexadecimal (RFC 7143 section 6.1).
pub(super) fn parse_number(key: &'static str, text: &str) -> Result<u8, ChapError> {
    let number = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u8::from_str_radix(digits, 16),
        None => text.parse(),
    };
    number.map_err(|_| ChapError::BadValue { key })
}

/// Compares without telling by its time where the first difference is.
pub(super) fn equal_in_constant_time(one: &[u8], other: &[u8]) -> bool {
    let mut difference = u8::from(one.len() != other.len());
    for (a, b) in one.iter().zip(other) {
        difference = black_box(difference | (a ^ b));
    }
    difference == 0
}
