//! Vital product data of block devices: limits, characteristics, provisioning (SBC-3 section 6.5).

use alloc::vec::Vec;
use core::mem::{offset_of, size_of};

use zerocopy::byteorder::big_endian::{U16, U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::vpd::{self, BLOCK_LIMITS, CHARACTERISTICS, PROVISIONING};

/// WSNZ: WRITE SAME refuses a length of zero.
const WRITE_SAME_NON_ZERO: u8 = 0x01;

/// Page B0h. Zero says that there is no limit, or that it is not told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct BlockLimits {
    /// WRITE SAME refuses a length of zero.
    pub write_same_non_zero: bool,
    /// Most blocks of COMPARE AND WRITE; zero where it is not supported.
    pub compare_blocks_max: u8,
    /// Blocks that transfers are best a multiple of.
    pub granularity: u16,
    /// Most blocks of a transfer.
    pub transfer_blocks_max: u32,
    /// Blocks of the best transfer.
    pub transfer_blocks_best: u32,
    /// Most blocks of PREFETCH.
    pub prefetch_blocks_max: u32,
    /// Most blocks of UNMAP, all its ranges together; zero where it is not supported.
    pub unmap_blocks_max: u32,
    /// Most ranges of UNMAP; zero where it is not supported.
    pub unmap_ranges_max: u32,
    /// Blocks that ranges of UNMAP are best a multiple of.
    pub unmap_granularity: u32,
    /// Most blocks of WRITE SAME.
    pub write_same_blocks_max: u64,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Wire {
    flags: u8,
    compare_max: u8,
    granularity: U16,
    transfer_max: U32,
    transfer_best: U32,
    prefetch_max: U32,
    unmap_max: U32,
    unmap_ranges_max: U32,
    unmap_granularity: U32,
    unmap_alignment: U32,
    write_same_max: U64,
    reserved: [u8; 20],
}

const _: () = assert!(size_of::<Wire>() == 0x3c);
const _: () = assert!(offset_of!(Wire, write_same_max) == 32);

impl BlockLimits {
    /// The page.
    #[must_use]
    pub fn build(&self) -> Vec<u8> {
        let mut wire = Wire::new_zeroed();
        wire.flags = if self.write_same_non_zero { WRITE_SAME_NON_ZERO } else { 0 };
        wire.compare_max = self.compare_blocks_max;
        wire.granularity = self.granularity.into();
        wire.transfer_max = self.transfer_blocks_max.into();
        wire.transfer_best = self.transfer_blocks_best.into();
        wire.prefetch_max = self.prefetch_blocks_max.into();
        wire.unmap_max = self.unmap_blocks_max.into();
        wire.unmap_ranges_max = self.unmap_ranges_max.into();
        wire.unmap_granularity = self.unmap_granularity.into();
        wire.write_same_max = self.write_same_blocks_max.into();
        vpd::build_page(BLOCK_LIMITS, wire.as_bytes())
    }

    /// From a page; SBC-2 ended it after the best transfer length.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<BlockLimits> {
        let wire: Wire = super::padded(vpd::body_of(bytes, BLOCK_LIMITS)?);
        Some(BlockLimits {
            write_same_non_zero: wire.flags & WRITE_SAME_NON_ZERO != 0,
            compare_blocks_max: wire.compare_max,
            granularity: wire.granularity.get(),
            transfer_blocks_max: wire.transfer_max.get(),
            transfer_blocks_best: wire.transfer_best.get(),
            prefetch_blocks_max: wire.prefetch_max.get(),
            unmap_blocks_max: wire.unmap_max.get(),
            unmap_ranges_max: wire.unmap_ranges_max.get(),
            unmap_granularity: wire.unmap_granularity.get(),
            write_same_blocks_max: wire.write_same_max.get(),
        })
    }
}

/// Page B1h.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Characteristics {
    /// 0 not told, 1 does not rotate, otherwise rotations per minute.
    pub rotation: u16,
}

impl Characteristics {
    /// A medium that does not rotate.
    pub const SOLID: Characteristics = Characteristics { rotation: 1 };

    /// The page.
    #[must_use]
    pub fn build(self) -> Vec<u8> {
        let mut body = [0; 0x3c];
        body[..2].copy_from_slice(&self.rotation.to_be_bytes());
        vpd::build_page(CHARACTERISTICS, &body)
    }

    /// From a page.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Characteristics> {
        let rotation = vpd::body_of(bytes, CHARACTERISTICS)?.first_chunk()?;
        Some(Characteristics { rotation: u16::from_be_bytes(*rotation) })
    }
}

/// Page B2h.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ThinProvisioning {
    /// UNMAP is supported (LBPU).
    pub unmap: bool,
    /// WRITE SAME (16) unmaps (LBPWS).
    pub write_same_16: bool,
    /// WRITE SAME (10) unmaps (LBPWS10).
    pub write_same_10: bool,
    /// Unmapped blocks read as zeroes (LBPRZ).
    pub reads_zeroes: bool,
    /// 0 not told, 1 blocks are reserved, 2 thin.
    pub kind: u8,
}

impl ThinProvisioning {
    /// The page.
    #[must_use]
    pub fn build(self) -> Vec<u8> {
        let bits = [(self.unmap, 0x80), (self.write_same_16, 0x40), (self.write_same_10, 0x20)];
        let zeroes = [(self.reads_zeroes, 0x04)];
        let set = bits.iter().chain(&zeroes).filter(|(is_set, _)| *is_set);
        let flags = set.fold(0, |flags, (_, bit)| flags | bit);
        vpd::build_page(PROVISIONING, &[0, flags, self.kind & 7, 0])
    }

    /// From a page.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<ThinProvisioning> {
        let [_, flags, kind, ..] = *vpd::body_of(bytes, PROVISIONING)? else { return None };
        Some(ThinProvisioning {
            unmap: flags & 0x80 != 0,
            write_same_16: flags & 0x40 != 0,
            write_same_10: flags & 0x20 != 0,
            reads_zeroes: flags & 0x1c != 0,
            kind: kind & 7,
        })
    }
}
