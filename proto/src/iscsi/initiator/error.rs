//! What a target can get wrong. Each names the field, what was due and what came.
//!
//! With one connection and ErrorRecoveryLevel 0 none of them is survivable: what the two sides
//! believe about each other's data differs, so the session ends and is built anew (RFC 7143 section
//! 7.13, session failure).

use core::fmt;

use crate::iscsi::pdu::{Itt, Opcode, PduError};
use crate::iscsi::window::StatusGap;
use crate::scsi::Lun;
use crate::serial::Serial;

/// A violation of the protocol by the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A header that breaks the format (section 11).
    Malformed(PduError),
    /// A PDU that has no place in full-feature phase (section 6).
    OutOfPhase(Opcode),
    /// A PDU after the session ended (section 11.14).
    AfterEnd,
    /// Additional header segments, which no PDU of a target has (section 11.2.2).
    AdditionalHeader {
        /// Their length in bytes.
        found: u32,
    },
    /// A data segment above our MaxRecvDataSegmentLength (section 13.12).
    DataSegmentLength {
        /// The limit in bytes.
        max: u32,
        /// What came.
        found: u32,
    },
    /// StatSN has a gap or repeats (section 11.3.3).
    StatSn {
        /// The number that was due.
        expected: Serial,
        /// The number that came.
        found: Serial,
    },
    /// The tag names no task or exchange, or one of the past (section 11.2.1.8).
    TaskTag(Itt),
    /// The tag names a task that was not sent yet (section 11.2.1.8).
    NotSent(Itt),
    /// Data-In for a task that reads nothing (section 11.7).
    DataInForNoRead(Itt),
    /// R2T for a task that writes nothing (section 11.8).
    R2tForNoWrite(Itt),
    /// The LUN is not that of the task (sections 11.7.4 and 11.8.5).
    Lun {
        /// That of the task.
        expected: Lun,
        /// What came.
        found: Lun,
    },
    /// DataSN of a Data-In (section 11.7.5).
    DataSn {
        /// The number that was due.
        expected: u32,
        /// What came.
        found: u32,
    },
    /// Buffer Offset with DataPDUInOrder=Yes (section 13.18).
    BufferOffset {
        /// The byte that was due.
        expected: u32,
        /// What came.
        found: u32,
    },
    /// Data-In beyond the expected length (section 11.7.6).
    DataBeyondTransfer {
        /// Expected Data Transfer Length.
        len: u32,
        /// The byte after the last that came.
        end: u64,
    },
    /// R2TSN (section 11.8.3).
    R2tSn {
        /// The number that was due.
        expected: u32,
        /// What came.
        found: u32,
    },
    /// An R2T of no bytes or above MaxBurstLength (section 11.8.4).
    R2tLength {
        /// The limit in bytes.
        max: u32,
        /// What came.
        found: u32,
    },
    /// An R2T beyond the expected length (section 11.8.4).
    R2tBeyondTransfer {
        /// Expected Data Transfer Length.
        len: u32,
        /// The byte after the last that was asked for.
        end: u64,
    },
    /// An R2T out of order with DataSequenceInOrder=Yes (section 13.19).
    R2tOffset {
        /// The byte that was due.
        expected: u32,
        /// What came.
        found: u32,
    },
    /// More R2Ts than MaxOutstandingR2T (section 13.17).
    R2tCount {
        /// The limit.
        max: u16,
    },
    /// A status in a Data-In that belongs into a SCSI Response (section 11.7.3).
    StatusInDataIn {
        /// The status byte.
        found: u8,
    },
    /// The residual does not fit the data that moved (section 11.4.5.1).
    Residual {
        /// Bytes that should have moved, by the residual.
        expected: u32,
        /// Bytes that did.
        found: u32,
    },
    /// An underflow above the expected length (section 11.4.5.1).
    ResidualBeyondTransfer {
        /// Expected Data Transfer Length.
        len: u32,
        /// The residual count.
        found: u32,
    },
    /// A good status and no residual, and yet bytes are missing (section 11.4.5).
    MissingData {
        /// Expected Data Transfer Length.
        expected: u32,
        /// Bytes that moved.
        found: u32,
    },
    /// ExpDataSN (section 11.4.8).
    ExpDataSn {
        /// Data-In or R2T PDUs that came.
        expected: u32,
        /// What the target says.
        found: u32,
    },
    /// SenseLength beyond the data segment (section 11.4.7.1).
    SenseLength {
        /// Bytes behind the length field.
        max: u32,
        /// What it says.
        found: u32,
    },
    /// A NOP-In that answers with data that we did not send (section 11.19).
    PingData {
        /// Bytes that we sent.
        expected: u32,
        /// Bytes that came.
        found: u32,
    },
    /// More pings than can wait for their answer (section 11.19).
    PingCount {
        /// The limit.
        max: u16,
    },
    /// A Text Response without end (section 11.11.6).
    TextLength {
        /// The limit in bytes.
        max: u32,
    },
    /// A Reject without the header that it rejects (section 11.17.2).
    RejectedHeader {
        /// Bytes of a header.
        expected: u32,
        /// Bytes that came.
        found: u32,
    },
}

impl From<PduError> for ProtocolError {
    #[inline]
    fn from(error: PduError) -> ProtocolError {
        ProtocolError::Malformed(error)
    }
}

impl From<StatusGap> for ProtocolError {
    fn from(gap: StatusGap) -> ProtocolError {
        ProtocolError::StatSn { expected: gap.expected, found: gap.found }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProtocolError::Malformed(error) => write!(f, "malformed {error}"),
            other => write!(f, "{other:?}"),
        }
    }
}

impl core::error::Error for ProtocolError {}
