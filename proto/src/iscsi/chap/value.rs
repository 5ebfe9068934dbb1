//! The values of CHAP's keys: binary ones in hexadecimal or base64, small numbers. Hexadecimal is
//! sent, which every peer understands.

use alloc::vec::Vec;
use core::hint::black_box;

use super::{CHALLENGE_LEN_MAX, ChapError};
use crate::iscsi::text::{decode_binary, parse_number};

/// Reads a binary value of 1 to `CHALLENGE_LEN_MAX` bytes; `key` is for the error.
pub(super) fn binary(key: &'static str, text: &str) -> Result<Vec<u8>, ChapError> {
    // No encoding needs more than two characters for a byte.
    let text_len_max = 2 + 2 * CHALLENGE_LEN_MAX;
    if text.len() > text_len_max {
        return Err(ChapError::TooLong { key });
    }
    match decode_binary(text, text_len_max) {
        Some(bytes) if bytes.len() > CHALLENGE_LEN_MAX => Err(ChapError::TooLong { key }),
        Some(bytes) => Ok(bytes),
        None => Err(ChapError::BadValue { key }),
    }
}

/// Reads a number from 0 to 255.
pub(super) fn small_number(key: &'static str, text: &str) -> Result<u8, ChapError> {
    let number = parse_number(text).and_then(|number| u8::try_from(number).ok());
    number.ok_or(ChapError::BadValue { key })
}

/// Compares without telling by its time where the first difference is.
pub(super) fn equal_in_constant_time(one: &[u8], other: &[u8]) -> bool {
    let mut difference = u8::from(one.len() != other.len());
    for (a, b) in one.iter().zip(other) {
        difference = black_box(difference | (a ^ b));
    }
    difference == 0
}
