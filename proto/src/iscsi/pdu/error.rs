//! What can be wrong with a header: which PDU, which field, which value.

use core::fmt;

use super::Opcode;

/// A field of a header, in the words of RFC 7143 section 11.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Field {
    /// The opcode: none that this side of a session receives.
    Opcode,
    /// The F bit.
    Final,
    /// The C bit of text and login, which excludes F and T.
    Continue,
    /// CSG or NSG, or a T bit that leads nowhere.
    Stage,
    /// DataSegmentLength.
    DataSegmentLength,
    /// The task attribute.
    Attribute,
    /// A function, reason, type or event code.
    Code,
    /// The Response field.
    Response,
    /// The SCSI status.
    Status,
    /// The residual flags: overflow and underflow at once.
    Residual,
    /// Initiator Task Tag.
    InitiatorTaskTag,
    /// Target Transfer Tag.
    TargetTransferTag,
    /// Desired Data Transfer Length.
    DesiredLength,
}

/// A header that breaks the format; the peer gets a Reject (target) or loses the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PduError {
    /// Low six bits of the first byte.
    pub opcode: u8,
    /// The field that is wrong.
    pub field: Field,
    /// What it says.
    pub value: u32,
}

impl PduError {
    pub(super) fn new(opcode: Opcode, field: Field, value: impl Into<u32>) -> PduError {
        PduError { opcode: opcode as u8, field, value: value.into() }
    }
}

impl fmt::Display for PduError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Opcode::from_code(self.opcode) {
            Some(opcode) => write!(f, "{opcode:?}")?,
            None => write!(f, "PDU with opcode {:#04x}", self.opcode)?,
        }
        write!(f, ": {:?} is {:#x}", self.field, self.value)
    }
}

impl core::error::Error for PduError {}
