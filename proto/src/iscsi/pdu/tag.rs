//! Task and transfer tags, the session identifier's half of the initiator, and 24-bit lengths.

use core::fmt;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::DATA_SEGMENT_LEN_MAX;

/// Initiator Task Tag: names a task in its session (RFC 7143 section 11.2.1.8). Opaque to the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Itt(pub u32);

impl Itt {
    /// The reserved tag: no task, no answer wanted.
    pub const NONE: Itt = Itt(0xffff_ffff);
}

/// Target Transfer Tag: names an R2T, a text sequence or a ping of the target. Opaque to the initiator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ttt(pub u32);

impl Ttt {
    /// The reserved tag: unsolicited data, first text request, no answer wanted.
    pub const NONE: Ttt = Ttt(0xffff_ffff);
}

/// The initiator's part of the session identifier (RFC 7143 section 11.12.5): together with the
/// initiator's name it is the initiator port that reservations belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Isid(pub [u8; 6]);

impl Isid {
    /// Type 10b: a random naming authority and a qualifier.
    #[must_use]
    pub fn from_random(random: [u8; 3], qualifier: u16) -> Isid {
        let ([a, b, c], [high, low]) = (random, qualifier.to_be_bytes());
        Isid([0x80, a, b, c, high, low])
    }

    /// Type 01b: the naming authority is the low 24 bits of an IANA enterprise number.
    #[must_use]
    pub fn from_enterprise(number: u32, qualifier: u16) -> Isid {
        let ([_, a, b, c], [high, low]) = (number.to_be_bytes(), qualifier.to_be_bytes());
        Isid([0x40, a, b, c, high, low])
    }
}

impl fmt::Display for Isid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A big-endian number of 24 bits: DataSegmentLength.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct U24([u8; 3]);

impl U24 {
    pub(super) const ZERO: U24 = U24([0; 3]);

    /// # Panics
    /// Above 24 bits: a segment is cut to the peer's MaxRecvDataSegmentLength, which has 24.
    #[inline]
    pub(super) fn new(len: u32) -> U24 {
        assert!(len <= DATA_SEGMENT_LEN_MAX, "a data segment has at most 24 bits of length");
        let [_, a, b, c] = len.to_be_bytes();
        U24([a, b, c])
    }

    #[inline]
    pub(super) fn get(self) -> u32 {
        let [a, b, c] = self.0;
        u32::from_be_bytes([0, a, b, c])
    }
}
