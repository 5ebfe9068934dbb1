//! One key and its value: what both may look like, and how long they may be.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{TextError, items};

/// Longest key, in bytes.
pub const KEY_LEN_MAX: usize = 63;
/// Longest simple value, in bytes; each item of a list is one.
pub const VALUE_LEN_MAX: usize = 255;
/// Longest list, and longest value of the keys that carry large binary values, in bytes.
pub const LARGE_VALUE_LEN_MAX: usize = 8192;
/// The keys that carry large binary values (RFC 7143 section 12).
const LARGE_KEYS: [&str; 6] = ["CHAP_C", "CHAP_R", "KRB_AP_REQ", "KRB_AP_REP", "SRP_A", "SRP_B"];

/// A key and its value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pair {
    /// Letters, digits and `.-+@_#`; at most [`KEY_LEN_MAX`].
    pub key: String,
    /// UTF-8 without a zero byte.
    pub value: String,
}

impl Pair {
    fn parse(bytes: &[u8]) -> Result<Pair, TextError> {
        let equal_sign = bytes.iter().position(|byte| *byte == b'=');
        let (key, value) = bytes.split_at(equal_sign.ok_or(TextError::NoEqualSign)?);
        let text = |bytes| core::str::from_utf8(bytes).map_err(|_| TextError::NotUtf8);
        let (key, value) = (text(key)?, text(&value[1..])?);
        check_key(key)?;
        check_value(key, value)?;
        Ok(Pair { key: key.to_string(), value: value.to_string() })
    }
}

/// RFC 7143 has a capital letter first, but itself names a key `iSCSIProtocolLevel`, and vendor keys
/// may begin with `X#`.
pub(super) fn check_key(key: &str) -> Result<(), TextError> {
    if key.len() > KEY_LEN_MAX {
        return Err(TextError::KeyTooLong);
    }
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b".-+@_#".contains(&byte);
    let begins_well = key.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    if begins_well && key.bytes().all(is_legal) {
        return Ok(());
    }
    Err(TextError::BadKey(key.to_string()))
}

pub(super) fn check_value(key: &str, value: &str) -> Result<(), TextError> {
    let item_len_max = if LARGE_KEYS.contains(&key) { LARGE_VALUE_LEN_MAX } else { VALUE_LEN_MAX };
    let fits =
        value.len() <= LARGE_VALUE_LEN_MAX && items(value).all(|item| item.len() <= item_len_max);
    if fits { Ok(()) } else { Err(TextError::ValueTooLong(key.to_string())) }
}

/// Reads a whole text. Empty pairs are skipped, as several zero bytes may close one.
///
/// # Errors
/// The first pair that breaks the format; a last pair without its zero byte, which may be cut.
pub fn parse_pairs(text: &[u8]) -> Result<Vec<Pair>, TextError> {
    if text.last().is_some_and(|byte| *byte != 0) {
        return Err(TextError::Unterminated);
    }
    text.split(|byte| *byte == 0).filter(|pair| !pair.is_empty()).map(Pair::parse).collect()
}

/// In a negotiation every key appears once; a list of targets repeats them.
///
/// # Errors
/// The first key that is there twice.
pub fn check_unique(pairs: &[Pair]) -> Result<(), TextError> {
    let mut seen = BTreeSet::new();
    match pairs.iter().find(|pair| !seen.insert(&pair.key)) {
        Some(pair) => Err(TextError::Duplicate(pair.key.clone())),
        None => Ok(()),
    }
}
