//! SYNCHRONIZE CACHE and PREFETCH: ranges without data (SBC-3 sections 5.12, 5.13, 5.26, 5.27).

use super::block::{self, Fields, Width};
use super::flag;
use crate::scsi::{Cdb, opcode};

const IMMEDIATE: u8 = 0x02;

/// A range whose blocks are written back, or read ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CacheRange {
    /// Ten or sixteen bytes.
    pub width: Width,
    /// First block.
    pub lba: u64,
    /// Number of blocks; zero means up to the last block.
    pub blocks: u32,
    /// The status may be sent before the work is done.
    pub immediate: bool,
}

impl CacheRange {
    /// All blocks, answered when the work is done.
    pub const ALL: CacheRange =
        CacheRange { width: Width::Sixteen, lba: 0, blocks: 0, immediate: false };

    pub(super) fn parse(cdb: &Cdb, width: Width) -> CacheRange {
        let Fields { flags, lba, blocks } = block::parse(cdb, width);
        CacheRange { width, lba, blocks, immediate: flags & IMMEDIATE != 0 }
    }

    fn build(self, ten: u8, sixteen: u8) -> Cdb {
        let opcode = if self.width == Width::Sixteen { sixteen } else { ten };
        let flags = flag(self.immediate, IMMEDIATE);
        block::build(opcode, self.width, Fields { flags, lba: self.lba, blocks: self.blocks })
    }

    /// The SYNCHRONIZE CACHE command.
    #[must_use]
    pub fn build_synchronize(self) -> Cdb {
        self.build(opcode::SYNCHRONIZE_CACHE_10, opcode::SYNCHRONIZE_CACHE_16)
    }

    /// The PREFETCH command.
    #[must_use]
    pub fn build_prefetch(self) -> Cdb {
        self.build(opcode::PREFETCH_10, opcode::PREFETCH_16)
    }
}
