//! What ends a discovery.

use core::fmt;

use super::{DISCOVERED_ADDRESSES_MAX, DISCOVERED_TARGETS_MAX, DISCOVERY_PDUS_MAX};
use crate::iscsi::negotiate::NegotiationError;
use crate::iscsi::pdu::PduError;
use crate::iscsi::text::TextError;

/// Why a discovery failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DiscoveryError {
    /// The peer sent something else than the next step.
    NotText {
        /// First byte of its header.
        first_byte: u8,
    },
    /// A header that breaks the format.
    Pdu(PduError),
    /// Another task tag, transfer tag or number than the exchange has, or another length of data
    /// than announced.
    WrongTag,
    /// StatSN does not count responses.
    WrongStatSn,
    /// The peer spoke out of turn.
    OutOfTurn,
    /// Text that cannot be read.
    Text(TextError),
    /// Keys that have no place in full-feature phase.
    Negotiation(NegotiationError),
    /// Text came with the answer to a part, which must be empty.
    TextInsteadOfEmpty,
    /// A TargetName or TargetAddress that is none, or an address before any name.
    BadValue {
        /// The key.
        key: &'static str,
    },
    /// The target refuses to tell.
    Refused,
    /// More than `DISCOVERED_TARGETS_MAX` targets or `DISCOVERED_ADDRESSES_MAX` portals of one.
    TooMany,
    /// More than `DISCOVERY_PDUS_MAX` PDUs.
    Endless,
}

impl From<PduError> for DiscoveryError {
    fn from(error: PduError) -> DiscoveryError {
        DiscoveryError::Pdu(error)
    }
}

impl From<TextError> for DiscoveryError {
    fn from(error: TextError) -> DiscoveryError {
        DiscoveryError::Text(error)
    }
}

impl From<NegotiationError> for DiscoveryError {
    fn from(error: NegotiationError) -> DiscoveryError {
        DiscoveryError::Negotiation(error)
    }
}

impl fmt::Display for DiscoveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use DiscoveryError::*;
        match self {
            NotText { first_byte } => {
                write!(f, "the peer sent {first_byte:#04x} where text belongs")
            }
            Pdu(error) => write!(f, "{error}"),
            Text(error) => write!(f, "{error}"),
            Negotiation(error) => write!(f, "{error}"),
            WrongTag => f.write_str("the peer's header does not fit this exchange of text"),
            WrongStatSn => f.write_str("the target's StatSN does not count its responses"),
            OutOfTurn => f.write_str("the peer spoke out of turn"),
            TextInsteadOfEmpty => f.write_str("the peer answered a part with text of its own"),
            BadValue { key } => write!(f, "the target sent a {key} that means nothing"),
            Refused => f.write_str("the target does not tell which targets there are"),
            TooMany => write!(
                f,
                "more than {DISCOVERED_TARGETS_MAX} targets, or {DISCOVERED_ADDRESSES_MAX} portals of one"
            ),
            Endless => write!(f, "the list of targets takes more than {DISCOVERY_PDUS_MAX} PDUs"),
        }
    }
}

impl core::error::Error for DiscoveryError {}
