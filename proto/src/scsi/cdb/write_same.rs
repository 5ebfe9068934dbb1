//! WRITE SAME: one block for a whole range, or none (SBC-3 sections 5.43 and 5.44).

use super::block::{self, Fields, Width};
use super::{NO_PROTECTION, flag};
use crate::scsi::{Cdb, Sense, opcode};

const ANCHOR: u8 = 0x10;
const UNMAP: u8 = 0x08;
/// LBDATA and PBDATA, which wrote addresses into the blocks; obsolete since SBC-3.
const OBSOLETE: u8 = 0x06;
const NO_DATA_OUT: u8 = 0x01;

/// One block for a whole range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WriteSame {
    /// Ten or sixteen bytes.
    pub width: Width,
    /// First block.
    pub lba: u64,
    /// Number of blocks; zero means up to the last block, where the target allows it at all.
    pub blocks: u32,
    /// The range may be unmapped where the block is what unmapped blocks read as.
    pub unmap: bool,
    /// Unmapped blocks stay anchored.
    pub anchor: bool,
    /// There is no block: zeroes are meant (sixteen bytes only).
    pub no_data_out: bool,
}

impl WriteSame {
    /// Zeroes in a range, without a block; unmapped where `unmap` says so.
    #[must_use]
    pub fn zeroes(lba: u64, blocks: u32, unmap: bool) -> WriteSame {
        let width = Width::Sixteen;
        WriteSame { width, lba, blocks, unmap, anchor: false, no_data_out: true }
    }

    pub(super) fn parse(cdb: &Cdb, width: Width) -> Result<WriteSame, Sense> {
        let Fields { flags, lba, blocks } = block::parse(cdb, width);
        let (unmap, anchor) = (flags & UNMAP != 0, flags & ANCHOR != 0);
        let no_data_out = flags & NO_DATA_OUT != 0;
        let is_wrong = flags & (NO_PROTECTION | OBSOLETE) != 0
            || (anchor && !unmap)
            || (no_data_out && width != Width::Sixteen);
        if is_wrong {
            return Err(Sense::invalid_cdb_field(1));
        }
        Ok(WriteSame { width, lba, blocks, unmap, anchor, no_data_out })
    }

    /// The WRITE SAME command.
    #[must_use]
    pub fn build(self) -> Cdb {
        let flags = flag(self.unmap, UNMAP)
            | flag(self.anchor, ANCHOR)
            | flag(self.no_data_out, NO_DATA_OUT);
        let is_sixteen = self.width == Width::Sixteen;
        let opcode = if is_sixteen { opcode::WRITE_SAME_16 } else { opcode::WRITE_SAME_10 };
        block::build(opcode, self.width, Fields { flags, lba: self.lba, blocks: self.blocks })
    }
}
