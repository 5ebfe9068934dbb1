//! Why a command failed: sense data (SPC-4 section 4.5).
//!
//! A [`Sense`] is the meaning, the two formats on the wire carry it: fixed (response codes 70h and
//! 71h) and descriptor (72h and 73h). Parsers take any bytes: what is cut off counts as zero, as
//! SPC-4 asks of an initiator, and only an unknown response code is no sense at all.
//!
//! Invariant: descriptor format loses nothing; fixed format loses an information above 32 bits.

use alloc::vec::Vec;
use core::fmt;

pub use code::SenseCode;
pub use key::SenseKey;

mod code;
mod descriptor;
mod fixed;
mod key;
#[cfg(test)]
mod tests;

/// Largest sense data in bytes (SPC-4 section 4.5.1).
pub const SENSE_LEN_MAX: usize = 252;
/// Offset of the response code's format bits, common to both formats.
const RESPONSE_CODE_MASK: u8 = 0x7f;

/// Why a command failed, or what happened since the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sense {
    /// The broad reason.
    pub key: SenseKey,
    /// The precise one.
    pub code: SenseCode,
    /// The sense is of an earlier command that had already ended with GOOD.
    pub is_deferred: bool,
    /// An address or offset, as the code defines: the LBA of a medium error, the offset in bytes of
    /// the first difference of a miscompare.
    pub information: Option<u64>,
    /// The offending field of an illegal request.
    pub field: Option<FieldPointer>,
}

/// Where the offending field of an illegal request is (SPC-4 section 4.5.2.4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FieldPointer {
    /// In the command block, or else in the parameter data.
    pub is_in_cdb: bool,
    /// The byte.
    pub byte: u16,
    /// The leftmost bit of the field, where one is told.
    pub bit: Option<u8>,
}

impl Sense {
    /// Sense without address and field.
    #[must_use]
    pub const fn new(key: SenseKey, code: SenseCode) -> Sense {
        Sense { key, code, is_deferred: false, information: None, field: None }
    }

    /// An illegal request.
    #[must_use]
    pub const fn illegal(code: SenseCode) -> Sense {
        Sense::new(SenseKey::IllegalRequest, code)
    }

    /// A unit attention condition.
    #[must_use]
    pub const fn attention(code: SenseCode) -> Sense {
        Sense::new(SenseKey::UnitAttention, code)
    }

    /// The logical unit is not ready, for the reason of the code.
    #[must_use]
    pub const fn not_ready(code: SenseCode) -> Sense {
        Sense::new(SenseKey::NotReady, code)
    }

    /// A field of the command block at that byte is wrong.
    #[must_use]
    pub const fn invalid_cdb_field(byte: u16) -> Sense {
        let mut sense = Sense::illegal(SenseCode::INVALID_FIELD_IN_CDB);
        sense.field = Some(FieldPointer { is_in_cdb: true, byte, bit: None });
        sense
    }

    /// A field of the parameter list at that byte is wrong.
    #[must_use]
    pub const fn invalid_parameter(byte: u16) -> Sense {
        let mut sense = Sense::illegal(SenseCode::INVALID_FIELD_IN_PARAMETER_LIST);
        sense.field = Some(FieldPointer { is_in_cdb: false, byte, bit: None });
        sense
    }

    /// Bytes differ, the first of them at that offset (SBC-3 section 5.2).
    #[must_use]
    pub const fn miscompare(offset: u64) -> Sense {
        Sense::new(SenseKey::Miscompare, SenseCode::MISCOMPARE).with_information(offset)
    }

    /// The same sense with an address or offset.
    #[must_use]
    pub const fn with_information(mut self, information: u64) -> Sense {
        self.information = Some(information);
        self
    }

    /// Sense data of either format; nothing where the response code is none of sense.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Sense> {
        match bytes.first()? & RESPONSE_CODE_MASK {
            code @ (0x70 | 0x71) => Some(fixed::parse(bytes, code == 0x71)),
            code @ (0x72 | 0x73) => Some(descriptor::parse(bytes, code == 0x73)),
            _ => None,
        }
    }

    /// Fixed format, which every initiator understands.
    #[must_use]
    pub fn to_fixed(&self) -> [u8; fixed::LEN] {
        fixed::build(self)
    }

    /// Descriptor format, for initiators that asked for it with the D_SENSE bit.
    #[must_use]
    pub fn to_descriptor(&self) -> Vec<u8> {
        descriptor::build(self)
    }
}

impl FieldPointer {
    const SKSV: u8 = 0x80;
    const IN_CDB: u8 = 0x40;
    const BIT_VALID: u8 = 0x08;

    fn parse(bytes: [u8; 3]) -> Option<FieldPointer> {
        let [flags, high, low] = bytes;
        let bit = (flags & Self::BIT_VALID != 0).then_some(flags & 7);
        let is_in_cdb = flags & Self::IN_CDB != 0;
        let pointer = FieldPointer { is_in_cdb, byte: u16::from_be_bytes([high, low]), bit };
        (flags & Self::SKSV != 0).then_some(pointer)
    }

    fn build(self) -> [u8; 3] {
        let [high, low] = self.byte.to_be_bytes();
        let bit = self.bit.map_or(0, |bit| Self::BIT_VALID | (bit & 7));
        let place = if self.is_in_cdb { Self::IN_CDB } else { 0 };
        [Self::SKSV | place | bit, high, low]
    }
}

impl fmt::Display for Sense {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.key, self.code)?;
        self.information.map_or(Ok(()), |information| write!(f, " (at {information})"))
    }
}
