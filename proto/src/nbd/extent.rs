//! Extents in the reply to a block-status request (NBD, 'Structured reply types').

use zerocopy::byteorder::big_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, transmute};

use super::flags::ExtentFlags;

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Narrow {
    len: U32,
    flags: U32,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Wide {
    len: U64,
    reserved: U32,
    flags: U32,
}

/// Bytes of an extent of 32 bits.
pub const NARROW_LEN: usize = 8;
/// Bytes of an extent of 64 bits.
pub const WIDE_LEN: usize = 16;

const _: () = assert!(size_of::<Narrow>() == NARROW_LEN);
const _: () = assert!(size_of::<Wide>() == WIDE_LEN);

/// Some bytes of an export that have one status; the next extent begins where this one ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Extent {
    /// How many bytes; never 0 on the wire.
    pub len: u64,
    /// Their status, in the terms of the context.
    pub flags: ExtentFlags,
}

impl Extent {
    /// Reads an extent of 32 bits.
    #[must_use]
    #[inline]
    pub fn decode_narrow(bytes: &[u8; NARROW_LEN]) -> Extent {
        let wire: Narrow = transmute!(*bytes);
        Extent { len: wire.len.get().into(), flags: ExtentFlags(wire.flags.get()) }
    }

    /// Reads an extent of 64 bits. Only the low half of its status has flags with a meaning.
    #[must_use]
    #[inline]
    pub fn decode_wide(bytes: &[u8; WIDE_LEN]) -> Extent {
        let wire: Wide = transmute!(*bytes);
        Extent { len: wire.len.get(), flags: ExtentFlags(wire.flags.get()) }
    }

    /// The extent of 32 bits. The length must fit.
    #[must_use]
    #[inline]
    pub fn encode_narrow(&self) -> [u8; NARROW_LEN] {
        let len = u32::try_from(self.len).expect("a narrow extent has a length of 32 bits");
        transmute!(Narrow { len: len.into(), flags: self.flags.0.into() })
    }

    /// The extent of 64 bits.
    #[must_use]
    #[inline]
    pub fn encode_wide(&self) -> [u8; WIDE_LEN] {
        transmute!(Wide { len: self.len.into(), reserved: U32::ZERO, flags: self.flags.0.into() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn extents_survive_the_wire(len: u64, flags: u32) {
            let extent = Extent { len, flags: ExtentFlags(flags) };
            prop_assert_eq!(Extent::decode_wide(&extent.encode_wide()), extent);
            let extent = Extent { len: len >> 32, ..extent };
            prop_assert_eq!(Extent::decode_narrow(&extent.encode_narrow()), extent);
        }
    }
}
