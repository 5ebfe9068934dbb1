//! Binary values: hexadecimal after `0x`, base64 after `0b` (RFC 7143 section 6.1).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Reads a binary value of at most `len_max` bytes. An odd number of hexadecimal digits lacks a zero
/// in front. Nothing for anything else.
#[must_use]
pub fn decode_binary(text: &str, len_max: usize) -> Option<Vec<u8>> {
    let (prefix, digits) = text.split_at_checked(2)?;
    let bytes = match prefix {
        "0x" | "0X" => decode_hex(digits.as_bytes())?,
        "0b" | "0B" => STANDARD.decode(digits).ok()?,
        _ => return None,
    };
    (!bytes.is_empty() && bytes.len() <= len_max).then_some(bytes)
}

fn decode_hex(digits: &[u8]) -> Option<Vec<u8>> {
    let (first, pairs) = digits.split_at(digits.len() % 2);
    let mut bytes = Vec::with_capacity(digits.len().div_ceil(2));
    for digits in first.chunks(1).chain(pairs.chunks(2)) {
        bytes.push(digits.iter().try_fold(0, |byte, digit| Some(byte << 4 | nibble(*digit)?))?);
    }
    Some(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

/// `0x` and two lower-case digits for each byte.
#[must_use]
pub fn encode_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::from("0x"), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes any text");
        text
    })
}

/// `0b` and base64 with padding.
#[must_use]
pub fn encode_base64(bytes: &[u8]) -> String {
    let mut text = String::from("0b");
    STANDARD.encode_string(bytes, &mut text);
    text
}
