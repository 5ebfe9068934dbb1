//! What ends a connection at once.

use core::fmt;

use crate::nbd::WireError;
use crate::nbd::limits::{OPTION_SKIP_MAX, OPTIONS_MAX, PAYLOAD_SKIP_MAX};

/// Why a handshake cannot go on: the peer broke a rule, and no reply can say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HandshakeError {
    /// Bytes that break a format.
    Wire(WireError),
    /// The client set flags that it was not offered.
    ClientFlags {
        /// All flags that it set.
        flags: u32,
    },
    /// An option with more data than is skipped.
    OptionLength {
        /// Length of the data, in bytes.
        len: u32,
    },
    /// More options than any client needs.
    TooManyOptions,
    /// The client does not understand replies, and asked for something that needs one.
    NotFixed {
        /// The option.
        option: u32,
    },
    /// `EXPORT_NAME` where only TLS would do, and no reply is possible.
    TlsRequired,
    /// `EXPORT_NAME` while the server goes away, and no reply is possible.
    Shutdown,
}

impl From<WireError> for HandshakeError {
    fn from(error: WireError) -> HandshakeError {
        HandshakeError::Wire(error)
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HandshakeError::Wire(error) => write!(f, "the client broke the protocol: {error}"),
            HandshakeError::ClientFlags { flags } => {
                write!(f, "the client set flags that it was not offered: {flags:#x}")
            }
            HandshakeError::OptionLength { len } => {
                write!(f, "the client sent an option of {len} bytes; {OPTION_SKIP_MAX} are skipped")
            }
            HandshakeError::TooManyOptions => {
                write!(f, "the client sent more than {OPTIONS_MAX} options")
            }
            HandshakeError::NotFixed { option } => {
                write!(f, "the client sent option {option} without fixed newstyle negotiation")
            }
            HandshakeError::TlsRequired => {
                write!(f, "the client named an export without TLS; turn on TLS at the client")
            }
            HandshakeError::Shutdown => write!(f, "the server is shutting down"),
        }
    }
}

impl core::error::Error for HandshakeError {}

/// Why a transmission cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SessionError {
    /// Bytes that are no request: where the next one begins is lost.
    Wire(WireError),
    /// A request with a payload that is longer than what is skipped.
    PayloadLength {
        /// Length of the payload, in bytes.
        len: u64,
    },
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SessionError::Wire(error) => write!(f, "the client broke the protocol: {error}"),
            SessionError::PayloadLength { len } => write!(
                f,
                "the client announced a payload of {len} bytes; {PAYLOAD_SKIP_MAX} are skipped"
            ),
        }
    }
}

impl core::error::Error for SessionError {}
