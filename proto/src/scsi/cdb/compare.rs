//! COMPARE AND WRITE (SBC-3 section 5.2): a range is written if it holds what is expected.

use super::block::{self, Fields, Width};
use super::{NO_PROTECTION, flag};
use crate::scsi::{Cdb, Sense, opcode};

const DPO: u8 = 0x10;
const FUA: u8 = 0x08;

/// Data out are `blocks` blocks to compare with and as many to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CompareAndWrite {
    /// First block.
    pub lba: u64,
    /// Number of blocks; zero is legal and does nothing.
    pub blocks: u8,
    /// Past the volatile cache (force unit access).
    pub fua: bool,
    /// Not worth caching (disable page out).
    pub dpo: bool,
}

impl CompareAndWrite {
    pub(super) fn parse(cdb: &Cdb) -> Result<CompareAndWrite, Sense> {
        let Fields { flags, lba, blocks } = block::parse(cdb, Width::Sixteen);
        if flags & NO_PROTECTION != 0 {
            return Err(Sense::invalid_cdb_field(1));
        }
        // The three bytes above the number of blocks are reserved.
        let blocks = blocks as u8;
        Ok(CompareAndWrite { lba, blocks, fua: flags & FUA != 0, dpo: flags & DPO != 0 })
    }

    /// The COMPARE AND WRITE command.
    #[must_use]
    pub fn build(self) -> Cdb {
        let flags = flag(self.fua, FUA) | flag(self.dpo, DPO);
        let fields = Fields { flags, lba: self.lba, blocks: self.blocks.into() };
        block::build(opcode::COMPARE_AND_WRITE, Width::Sixteen, fields)
    }
}
