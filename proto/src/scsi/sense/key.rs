//! Sense keys: the broad reason of a failure (SPC-4 section 4.5.6, table 43).

use core::fmt;

/// The broad reason. The discriminant is the four-bit value of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are those of the table")]
pub enum SenseKey {
    NoSense,
    RecoveredError,
    NotReady,
    MediumError,
    HardwareError,
    IllegalRequest,
    UnitAttention,
    DataProtect,
    BlankCheck,
    VendorSpecific,
    CopyAborted,
    AbortedCommand,
    Reserved,
    VolumeOverflow,
    Miscompare,
    Completed,
}

const KEYS: [(SenseKey, &str); 16] = [
    (SenseKey::NoSense, "NO SENSE"),
    (SenseKey::RecoveredError, "RECOVERED ERROR"),
    (SenseKey::NotReady, "NOT READY"),
    (SenseKey::MediumError, "MEDIUM ERROR"),
    (SenseKey::HardwareError, "HARDWARE ERROR"),
    (SenseKey::IllegalRequest, "ILLEGAL REQUEST"),
    (SenseKey::UnitAttention, "UNIT ATTENTION"),
    (SenseKey::DataProtect, "DATA PROTECT"),
    (SenseKey::BlankCheck, "BLANK CHECK"),
    (SenseKey::VendorSpecific, "VENDOR SPECIFIC"),
    (SenseKey::CopyAborted, "COPY ABORTED"),
    (SenseKey::AbortedCommand, "ABORTED COMMAND"),
    (SenseKey::Reserved, "RESERVED"),
    (SenseKey::VolumeOverflow, "VOLUME OVERFLOW"),
    (SenseKey::Miscompare, "MISCOMPARE"),
    (SenseKey::Completed, "COMPLETED"),
];

impl SenseKey {
    /// The key in the low four bits of a byte.
    #[must_use]
    pub fn from_low_bits(byte: u8) -> SenseKey {
        KEYS[usize::from(byte & 0x0f)].0
    }
}

impl fmt::Display for SenseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(KEYS[usize::from(*self as u8)].1)
    }
}
