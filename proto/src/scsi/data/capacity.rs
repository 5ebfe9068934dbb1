//! READ CAPACITY (10) and (16) data (SBC-3 sections 5.15.2 and 5.16.2).

use core::mem::{offset_of, size_of};

use zerocopy::byteorder::big_endian::{U16, U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

const THIN: u16 = 0x8000;
const ZEROES: u16 = 0x4000;
const LOWEST_ALIGNED_MASK: u16 = 0x3fff;

/// How large the logical unit is, and how its blocks are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Capacity {
    /// The last block.
    pub last_lba: u64,
    /// Bytes of a block.
    pub block_len: u32,
    /// Logical blocks per physical block, as a power of two.
    pub physical_exponent: u8,
    /// The lowest block that starts a physical block, at most 16383.
    pub lowest_aligned: u16,
    /// Blocks may be unmapped (LBPME).
    pub is_thin: bool,
    /// Unmapped blocks read as zeroes (LBPRZ).
    pub reads_zeroes: bool,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Wire {
    last_lba: U64,
    block_len: U32,
    protection: u8,
    exponents: u8,
    alignment: U16,
    reserved: [u8; 16],
}

const _: () = assert!(size_of::<Wire>() == Capacity::LEN_16);
const _: () = assert!(offset_of!(Wire, alignment) == 14);

impl Capacity {
    /// Bytes of READ CAPACITY (16) data.
    pub const LEN_16: usize = 32;

    /// The long form.
    #[must_use]
    pub fn to_16(&self) -> [u8; Capacity::LEN_16] {
        let mut wire = Wire::new_zeroed();
        wire.last_lba = self.last_lba.into();
        wire.block_len = self.block_len.into();
        wire.exponents = self.physical_exponent & 0x0f;
        let thin = if self.is_thin { THIN } else { 0 };
        let zeroes = if self.reads_zeroes { ZEROES } else { 0 };
        wire.alignment = (thin | zeroes | (self.lowest_aligned & LOWEST_ALIGNED_MASK)).into();
        zerocopy::transmute!(wire)
    }

    /// The short form: FFFFFFFFh sends the initiator to the long one.
    #[must_use]
    pub fn to_10(&self) -> [u8; 8] {
        let last = u32::try_from(self.last_lba).unwrap_or(u32::MAX);
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&last.to_be_bytes());
        bytes[4..].copy_from_slice(&self.block_len.to_be_bytes());
        bytes
    }

    /// From the long form; the first twelve bytes must be there.
    #[must_use]
    pub fn parse_16(bytes: &[u8]) -> Option<Capacity> {
        if bytes.len() < offset_of!(Wire, protection) {
            return None;
        }
        let wire: Wire = super::padded(bytes);
        let alignment = wire.alignment.get();
        Some(Capacity {
            last_lba: wire.last_lba.get(),
            block_len: wire.block_len.get(),
            physical_exponent: wire.exponents & 0x0f,
            lowest_aligned: alignment & LOWEST_ALIGNED_MASK,
            is_thin: alignment & THIN != 0,
            reads_zeroes: alignment & ZEROES != 0,
        })
    }

    /// From the short form; nothing where the capacity needs the long one.
    #[must_use]
    pub fn parse_10(bytes: &[u8]) -> Option<Capacity> {
        let (last, rest) = bytes.split_first_chunk()?;
        let last = u32::from_be_bytes(*last);
        let block_len = u32::from_be_bytes(*rest.first_chunk()?);
        let capacity = Capacity { last_lba: last.into(), block_len, ..Capacity::default() };
        (last != u32::MAX).then_some(capacity)
    }
}
