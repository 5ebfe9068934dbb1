//! What ends a connection, by name. At error recovery level 0 the session ends with it (RFC 7143
//! section 7.1.5).

use core::fmt;

use crate::iscsi::pdu::PduError;
use crate::serial::Serial;

/// Why the connection must be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A header with illegal contents (RFC 7143 section 7.7: the connection is terminated at once).
    Format(PduError),
    /// A data segment above the length that this side declared (section 13.12).
    SegmentTooLong {
        /// Bytes announced.
        len: u32,
        /// Bytes allowed.
        max: u32,
    },
    /// An acknowledgement of a status that was never sent (section 4.2.2.2).
    StatSnAhead {
        /// What the peer expects.
        exp_stat_sn: Serial,
        /// The next that would be sent.
        stat_sn: Serial,
    },
    /// Too many statuses without acknowledgement (section 4.2.2.2).
    StatSnGap {
        /// What the peer expects.
        exp_stat_sn: Serial,
        /// The next that would be sent.
        stat_sn: Serial,
    },
    /// More answers wait than a peer that reads them could cause.
    Flooded,
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProtocolError::Format(error) => write!(f, "malformed header: {error}"),
            ProtocolError::SegmentTooLong { len, max } => {
                write!(f, "data segment of {len} bytes, at most {max} were agreed")
            }
            ProtocolError::StatSnAhead { exp_stat_sn, stat_sn } => {
                write!(f, "ExpStatSN {exp_stat_sn} acknowledges beyond StatSN {stat_sn}")
            }
            ProtocolError::StatSnGap { exp_stat_sn, stat_sn } => {
                write!(f, "ExpStatSN {exp_stat_sn} stays far behind StatSN {stat_sn}")
            }
            ProtocolError::Flooded => f.write_str("requests arrive and answers are not taken"),
        }
    }
}

impl core::error::Error for ProtocolError {}
