//! What ends a login, on either side.

use core::fmt;

use super::{LOGIN_ROUNDS_MAX, remedy};
use crate::iscsi::chap::ChapError;
use crate::iscsi::negotiate::NegotiationError;
use crate::iscsi::pdu::{LoginStatus, PduError};
use crate::iscsi::text::TextError;

/// A header field that does not say what it must say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mismatch {
    /// Initiator Task Tag: one for the whole login (RFC 7143 section 11.12.6 and 6.3).
    Itt,
    /// ISID: one for the whole login.
    Isid,
    /// TSIH: zero where a session must be named, or another session than the one asked for.
    Tsih,
    /// CID: one for the whole login.
    Cid,
    /// CmdSN: a login does not advance it.
    CmdSn,
    /// StatSN, or its acknowledgement: one step with each response.
    StatSn,
    /// Version-active, or a version that changes.
    Version,
    /// The length of the data segment is not the announced one.
    DataLen,
    /// CSG is not the stage that both sides have reached.
    Stage,
    /// T=1 where it was not asked for, or an NSG that was not asked for.
    Transit,
}

/// Why a login failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LoginError {
    /// The peer sent something else than the next step of a login.
    NotALogin {
        /// First byte of its header.
        first_byte: u8,
    },
    /// A header that breaks the format.
    Pdu(PduError),
    /// A header field with a value that does not fit this login.
    Mismatch(Mismatch),
    /// The peer spoke out of turn.
    OutOfTurn,
    /// Text came with the answer to a part, which must be empty.
    TextInsteadOfEmpty,
    /// Text that cannot be read.
    Text(TextError),
    /// More than `LOGIN_ROUNDS_MAX` rounds.
    TooManyRounds,
    /// The operational keys do not fit together.
    Negotiation(NegotiationError),
    /// Authentication failed; the error says at which end.
    Chap(ChapError),
    /// No way of authentication that both sides accept.
    NoAuthMethod,
    /// The target wants to go on before the proofs that were demanded are given.
    NotAuthenticated,
    /// A key that must be there is not.
    Missing {
        /// The key.
        key: &'static str,
    },
    /// A key has a value that means nothing.
    BadValue {
        /// The key.
        key: &'static str,
    },
    /// The target answers from another portal group than the expected one (RFC 7143 section 13.9).
    WrongPortalGroup {
        /// What the configuration or the discovery says.
        expected: u16,
        /// What the target says.
        told: u16,
    },
    /// The target sent its initiator round in circles.
    RedirectLoop,
    /// The target refused; on the target's side: this was refused.
    Refused(LoginStatus),
}

impl From<PduError> for LoginError {
    fn from(error: PduError) -> LoginError {
        LoginError::Pdu(error)
    }
}

impl From<ChapError> for LoginError {
    fn from(error: ChapError) -> LoginError {
        LoginError::Chap(error)
    }
}

impl From<TextError> for LoginError {
    fn from(error: TextError) -> LoginError {
        LoginError::Text(error)
    }
}

impl From<NegotiationError> for LoginError {
    fn from(error: NegotiationError) -> LoginError {
        LoginError::Negotiation(error)
    }
}

impl fmt::Display for LoginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use LoginError::*;
        match self {
            NotALogin { first_byte } => {
                write!(f, "the peer sent {first_byte:#04x} where a login belongs")
            }
            Pdu(error) => write!(f, "{error}"),
            Mismatch(field) => write!(f, "the peer's {field:?} does not fit this login"),
            Text(error) => write!(f, "{error}"),
            TooManyRounds => write!(f, "the login is not done after {LOGIN_ROUNDS_MAX} rounds"),
            Negotiation(error) => write!(f, "{error}"),
            Chap(error) => write!(f, "{error}"),
            Missing { key } => write!(f, "the peer left out {key}"),
            BadValue { key } => write!(f, "the peer sent a value for {key} that means nothing"),
            WrongPortalGroup { expected, told } => {
                write!(f, "the portal belongs to group {told}, expected was {expected}")
            }
            Refused(status) => write!(f, "{} (status {:#06x})", remedy(*status), status.code()),
            plain => f.write_str(plain.sentence()),
        }
    }
}

impl LoginError {
    fn sentence(&self) -> &'static str {
        use LoginError::*;
        match self {
            OutOfTurn => "the peer spoke out of turn",
            TextInsteadOfEmpty => "the peer answered the part of a text with text of its own",
            NoAuthMethod => "no way of authentication is accepted on both sides",
            NotAuthenticated => "the target skips the authentication that was demanded of it",
            RedirectLoop => "the target sends its initiator round in circles",
            _ => "the login failed",
        }
    }
}

impl core::error::Error for LoginError {}
