//! The four shapes of a command with an address and a number of blocks (SBC-3 section 4.2.2).
//!
//! READ, WRITE, VERIFY, SYNCHRONIZE CACHE, WRITE SAME and their kin differ in the operation code and
//! in the flags of byte 1; the rest lies at the same places.

use core::mem::size_of;

use zerocopy::byteorder::big_endian::{U16, U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::scsi::Cdb;

/// Blocks that a length of zero means in a six-byte command.
const SIX_BLOCKS_OF_ZERO: u32 = 256;
/// Bits of an address in a six-byte command.
const SIX_LBA_MASK: u64 = 0x1f_ffff;

/// How long a command is; with it, how large its address and length may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Width {
    /// 21 bits of address, 1 to 256 blocks.
    Six,
    /// 32 bits of address, 16 bits of length.
    Ten,
    /// 32 bits of address and of length.
    Twelve,
    /// 64 bits of address, 32 bits of length.
    Sixteen,
}

impl Width {
    /// True where the range can be told in this width.
    #[must_use]
    pub fn fits(self, lba: u64, blocks: u32) -> bool {
        match self {
            Width::Six => lba <= SIX_LBA_MASK && (1..=SIX_BLOCKS_OF_ZERO).contains(&blocks),
            Width::Ten => u32::try_from(lba).is_ok() && u16::try_from(blocks).is_ok(),
            Width::Twelve => u32::try_from(lba).is_ok(),
            Width::Sixteen => true,
        }
    }
}

/// The common fields of a command on blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fields {
    /// Byte 1; zero in a six-byte command, which has none.
    pub(super) flags: u8,
    pub(super) lba: u64,
    pub(super) blocks: u32,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Ten {
    opcode: u8,
    flags: u8,
    lba: U32,
    group: u8,
    blocks: U16,
    control: u8,
    pad: [u8; 6],
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Twelve {
    opcode: u8,
    flags: u8,
    lba: U32,
    blocks: U32,
    group: u8,
    control: u8,
    pad: [u8; 4],
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Sixteen {
    opcode: u8,
    flags: u8,
    lba: U64,
    blocks: U32,
    group: u8,
    control: u8,
}

const _: () = assert!(size_of::<Ten>() == 16);
const _: () = assert!(size_of::<Twelve>() == 16);
const _: () = assert!(size_of::<Sixteen>() == 16);

#[inline]
pub(super) fn parse(cdb: &Cdb, width: Width) -> Fields {
    match width {
        Width::Six => parse_six(cdb),
        Width::Ten => {
            let wire: Ten = zerocopy::transmute!(*cdb);
            let (lba, blocks) = (wire.lba.get().into(), wire.blocks.get().into());
            Fields { flags: wire.flags, lba, blocks }
        }
        Width::Twelve => {
            let wire: Twelve = zerocopy::transmute!(*cdb);
            Fields { flags: wire.flags, lba: wire.lba.get().into(), blocks: wire.blocks.get() }
        }
        Width::Sixteen => {
            let wire: Sixteen = zerocopy::transmute!(*cdb);
            Fields { flags: wire.flags, lba: wire.lba.get(), blocks: wire.blocks.get() }
        }
    }
}

fn parse_six(cdb: &Cdb) -> Fields {
    let [_, high, middle, low, blocks, ..] = *cdb;
    let lba = u64::from(u32::from_be_bytes([0, high, middle, low])) & SIX_LBA_MASK;
    let blocks = if blocks == 0 { SIX_BLOCKS_OF_ZERO } else { blocks.into() };
    Fields { flags: 0, lba, blocks }
}

/// # Panics
/// Where the range does not fit the width: who builds a command chooses the width by its range.
#[inline]
pub(super) fn build(opcode: u8, width: Width, fields: Fields) -> Cdb {
    let Fields { flags, lba, blocks } = fields;
    assert!(width.fits(lba, blocks), "the range does not fit the command");
    match width {
        Width::Six => build_six(opcode, lba, blocks),
        Width::Ten => {
            let mut wire = Ten::new_zeroed();
            (wire.opcode, wire.flags) = (opcode, flags);
            wire.lba = (lba as u32).into();
            wire.blocks = (blocks as u16).into();
            bytes(&wire)
        }
        Width::Twelve => {
            let mut wire = Twelve::new_zeroed();
            (wire.opcode, wire.flags) = (opcode, flags);
            wire.lba = (lba as u32).into();
            wire.blocks = blocks.into();
            bytes(&wire)
        }
        Width::Sixteen => {
            let mut wire = Sixteen::new_zeroed();
            (wire.opcode, wire.flags) = (opcode, flags);
            wire.lba = lba.into();
            wire.blocks = blocks.into();
            bytes(&wire)
        }
    }
}

fn build_six(opcode: u8, lba: u64, blocks: u32) -> Cdb {
    let mut cdb = Cdb::default();
    let [_, high, middle, low] = (lba as u32).to_be_bytes();
    cdb[..5].copy_from_slice(&[opcode, high, middle, low, blocks as u8]);
    cdb
}

fn bytes(wire: &(impl IntoBytes + Immutable)) -> Cdb {
    let mut cdb = Cdb::default();
    cdb.copy_from_slice(wire.as_bytes());
    cdb
}
