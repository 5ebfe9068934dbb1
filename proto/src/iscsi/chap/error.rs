//! What can be wrong with an authentication. No error holds a secret, a challenge or a response.

use core::fmt;

use super::{CHALLENGE_LEN_MAX, SECRET_LEN_MAX, SECRET_LEN_MIN};

/// Why an authentication failed or cannot be tried.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ChapError {
    /// A secret of our own configuration has fewer than 96 bits.
    SecretTooShort {
        /// Its length in bytes.
        len: usize,
    },
    /// A secret of our own configuration is longer than `SECRET_LEN_MAX`.
    SecretTooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// Our own configuration has one secret for both directions.
    EqualSecrets,
    /// Our own configuration has a name that is empty, above 255 bytes, or has a zero byte.
    BadOwnName,
    /// Our own configuration allows no algorithm at all.
    NoAlgorithms,
    /// The peer left out a key that belongs to this step.
    Missing {
        /// The key.
        key: &'static str,
    },
    /// The peer sent a key that does not belong to this step.
    Unexpected {
        /// The key.
        key: &'static str,
    },
    /// A value is neither hexadecimal nor base64, or is empty, or no number from 0 to 255.
    BadValue {
        /// The key.
        key: &'static str,
    },
    /// A value is longer than `CHALLENGE_LEN_MAX` bytes.
    TooLong {
        /// The key.
        key: &'static str,
    },
    /// Nothing the initiator offered is allowed here.
    NoCommonAlgorithm,
    /// The target chose an algorithm that was not offered.
    AlgorithmNotOffered,
    /// The peer calls itself by a name that is not the configured one.
    WrongName,
    /// The peer does not know the secret.
    WrongResponse,
    /// The peer sent the response that we would send: it reflects ours, or has our secret.
    ReflectedResponse,
    /// The peer challenges us with our own challenge.
    ReusedChallenge,
    /// The initiator wants proof from a target that has no credentials of its own.
    MutualNotConfigured,
}

impl fmt::Display for ChapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use ChapError::*;
        match self {
            SecretTooShort { len } => write!(
                f,
                "the CHAP secret has {len} bytes, at least {SECRET_LEN_MIN} are needed (96 bits)"
            ),
            SecretTooLong { len } => {
                write!(f, "the CHAP secret has {len} bytes, at most {SECRET_LEN_MAX} are possible")
            }
            Missing { key } => write!(f, "the peer left out {key}"),
            Unexpected { key } => write!(f, "the peer sent {key} where it does not belong"),
            BadValue { key } => write!(f, "the value of {key} cannot be read"),
            TooLong { key } => {
                write!(f, "the value of {key} has more than {CHALLENGE_LEN_MAX} bytes")
            }
            plain => f.write_str(plain.sentence()),
        }
    }
}

impl ChapError {
    fn sentence(&self) -> &'static str {
        use ChapError::*;
        match self {
            EqualSecrets => "both directions have the same CHAP secret: choose a second one",
            BadOwnName => "our own CHAP name is empty, above 255 bytes, or has a zero byte",
            NoAlgorithms => "no CHAP algorithm is allowed: name at least one",
            NoCommonAlgorithm => "no CHAP algorithm is allowed on both sides",
            AlgorithmNotOffered => "the target chose a CHAP algorithm that was not offered",
            WrongName => "the peer has another CHAP name than the configured one",
            WrongResponse => "the peer does not know the CHAP secret",
            ReflectedResponse => "the peer sent our own CHAP response back",
            ReusedChallenge => "the peer sent our own CHAP challenge back",
            MutualNotConfigured => "the initiator asks for mutual CHAP, which has no secret here",
            _ => "CHAP failed",
        }
    }
}

impl core::error::Error for ChapError {}
