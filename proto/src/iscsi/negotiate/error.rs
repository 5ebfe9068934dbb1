//! How a negotiation fails.

use alloc::string::String;
use core::fmt;

use super::Key;

/// The peer broke the rules of RFC 7143 section 6.2, or its answers are not acceptable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NegotiationError {
    /// A key for the second time in one login.
    Renegotiated(Key),
    /// A value that the key cannot have, or an answer that the offer does not allow.
    IllegalValue {
        /// The key.
        key: Key,
        /// What the peer said.
        value: String,
    },
    /// A key that only the other side may send.
    WrongSender(Key),
    /// A key that has no place in a login.
    WrongPhase(Key),
    /// A key that has to be there is not (InitiatorName, TargetName).
    Missing(Key),
    /// More unknown keys in one text than are answered.
    TooManyKeys,
    /// The peer refused what this side does not do without.
    Required(Key),
}

impl fmt::Display for NegotiationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NegotiationError::Renegotiated(key) => write!(f, "{} was negotiated twice", key.name()),
            NegotiationError::IllegalValue { key, value } => {
                write!(f, "{}={value} is illegal", key.name())
            }
            NegotiationError::WrongSender(key) => {
                write!(f, "{} is not for this peer to send", key.name())
            }
            NegotiationError::WrongPhase(key) => {
                write!(f, "{} has no place in a login", key.name())
            }
            NegotiationError::Missing(key) => write!(f, "{} is missing", key.name()),
            NegotiationError::TooManyKeys => f.write_str("too many unknown keys"),
            NegotiationError::Required(key) => write!(f, "the peer refused {}", key.name()),
        }
    }
}

impl core::error::Error for NegotiationError {}
