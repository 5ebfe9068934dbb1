//! The three headers, in wire order. Lengths count the header itself and leave out the padding.

use core::mem::size_of;

use zerocopy::byteorder::native_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// What everything is padded to, in bytes.
pub(super) const ALIGN: usize = 4;

/// Before every message (`struct nlmsghdr`).
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct NetlinkHeader {
    /// Bytes of the message with this header.
    pub len: U32,
    /// A control message below 16, else the number of a family.
    pub kind: U16,
    /// Of a request: whether an acknowledgement is wanted.
    pub flags: U16,
    /// Given back in the answer.
    pub sequence: U32,
    /// Whose socket: zero for the kernel.
    pub port: U32,
}

const _: () = assert!(size_of::<NetlinkHeader>() == 16);

/// Behind it, for every family of generic netlink (`struct genlmsghdr`).
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct GenericHeader {
    /// A command of the family.
    pub command: u8,
    /// The version of the family.
    pub version: u8,
    /// Zero.
    pub reserved: U16,
}

const _: () = assert!(size_of::<GenericHeader>() == 4);

/// Before every attribute (`struct nlattr`).
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct AttributeHeader {
    /// Bytes of the attribute with this header.
    pub len: U16,
    /// Which one; the two highest bits are flags.
    pub kind: U16,
}

const _: () = assert!(size_of::<AttributeHeader>() == 4);
