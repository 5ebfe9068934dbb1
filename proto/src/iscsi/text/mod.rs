//! Text: lists of `key=value`, each closed by a zero byte (RFC 7143 section 6.1).
//!
//! A list may be cut over several PDUs at any byte; all but the last have the C bit. Both ends have
//! limits with names: what is offered stays below [`OFFER_LEN_MAX`], and up to [`TEXT_LEN_MAX`] is
//! accepted.

mod binary;
mod collector;
mod error;
mod name;
mod out;
mod pair;
#[cfg(test)]
mod tests;
mod value;

pub use binary::{decode_binary, encode_base64, encode_hex};
pub use collector::Collector;
pub use error::TextError;
pub use name::{ISCSI_NAME_LEN_MAX, IscsiName, NameError};
pub use out::{Part, TextOut};
pub use pair::{KEY_LEN_MAX, LARGE_VALUE_LEN_MAX, Pair, VALUE_LEN_MAX, check_unique, parse_pairs};
pub use value::{format_bool, items, parse_bool, parse_number, parse_range};

/// Longest text that one side may offer as a whole, in bytes.
pub const OFFER_LEN_MAX: usize = 8192;
/// Longest text that is accepted, over all of its PDUs, in bytes.
pub const TEXT_LEN_MAX: usize = 64 * 1024;
/// How many PDUs one text may be cut into.
pub const TEXT_PARTS_MAX: u32 = 1024;

/// The answer to a key that the responder does not know.
pub const NOT_UNDERSTOOD: &str = "NotUnderstood";
/// The answer to a key that has no meaning here.
pub const IRRELEVANT: &str = "Irrelevant";
/// The answer to a value that the responder does not take.
pub const REJECT: &str = "Reject";

/// True for the three values that refuse a key.
#[must_use]
pub fn is_refusal(value: &str) -> bool {
    [NOT_UNDERSTOOD, IRRELEVANT, REJECT].contains(&value)
}
