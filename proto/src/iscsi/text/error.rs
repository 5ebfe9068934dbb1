//! What can be wrong with a text.

use alloc::string::String;
use core::fmt;

/// A text that breaks the format of RFC 7143 section 6.1, or a limit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TextError {
    /// Longer than [`super::TEXT_LEN_MAX`], or in more PDUs than [`super::TEXT_PARTS_MAX`].
    Endless,
    /// The last pair has no zero byte.
    Unterminated,
    /// Not UTF-8.
    NotUtf8,
    /// A pair without `=`.
    NoEqualSign,
    /// A key that does not begin with a letter or has characters that keys do not have.
    BadKey(String),
    /// A key above [`super::KEY_LEN_MAX`].
    KeyTooLong,
    /// The value of this key is too long.
    ValueTooLong(String),
    /// The same key twice in one negotiation.
    Duplicate(String),
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TextError::Endless => f.write_str("text without end"),
            TextError::Unterminated => f.write_str("text without a closing zero byte"),
            TextError::NotUtf8 => f.write_str("text that is not UTF-8"),
            TextError::NoEqualSign => f.write_str("key without '='"),
            TextError::BadKey(key) => write!(f, "key {key:?} has characters that keys do not have"),
            TextError::KeyTooLong => f.write_str("key above 63 bytes"),
            TextError::ValueTooLong(key) => write!(f, "value of {key} is too long"),
            TextError::Duplicate(key) => write!(f, "key {key} is there twice"),
        }
    }
}

impl core::error::Error for TextError {}
