//! READ, WRITE and ORWRITE (SBC-3 sections 5.10, 5.16 to 5.19, 5.33 to 5.37).

use super::block::{self, Fields, Width};
use super::{NO_PROTECTION, flag};
use crate::scsi::{Cdb, Sense, opcode};

const DPO: u8 = 0x10;
const FUA: u8 = 0x08;

/// A range of blocks on its way to or from the initiator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Transfer {
    /// Bytes of the command.
    pub width: Width,
    /// First block.
    pub lba: u64,
    /// Number of blocks; zero is legal and does nothing.
    pub blocks: u32,
    /// Past the volatile cache (force unit access).
    pub fua: bool,
    /// Not worth caching (disable page out).
    pub dpo: bool,
}

impl Transfer {
    /// A plain transfer in a sixteen-byte command, which fits every range.
    #[must_use]
    pub fn new(lba: u64, blocks: u32) -> Transfer {
        Transfer { width: Width::Sixteen, lba, blocks, fua: false, dpo: false }
    }

    #[inline]
    pub(super) fn parse(cdb: &Cdb, width: Width) -> Result<Transfer, Sense> {
        let Fields { flags, lba, blocks } = block::parse(cdb, width);
        // Protection information is not kept, so its fields must be zero (SBC-3 section 4.22).
        if flags & NO_PROTECTION != 0 {
            return Err(Sense::invalid_cdb_field(1));
        }
        Ok(Transfer { width, lba, blocks, fua: flags & FUA != 0, dpo: flags & DPO != 0 })
    }

    fn build(self, opcode: u8) -> Cdb {
        let flags = flag(self.fua, FUA) | flag(self.dpo, DPO);
        block::build(opcode, self.width, Fields { flags, lba: self.lba, blocks: self.blocks })
    }

    /// The READ command.
    ///
    /// # Panics
    /// Where the range does not fit the width, like every builder here.
    #[must_use]
    #[inline]
    pub fn build_read(self) -> Cdb {
        self.build(match self.width {
            Width::Six => opcode::READ_6,
            Width::Ten => opcode::READ_10,
            Width::Twelve => opcode::READ_12,
            Width::Sixteen => opcode::READ_16,
        })
    }

    /// The WRITE command.
    #[must_use]
    #[inline]
    pub fn build_write(self) -> Cdb {
        self.build(match self.width {
            Width::Six => opcode::WRITE_6,
            Width::Ten => opcode::WRITE_10,
            Width::Twelve => opcode::WRITE_12,
            Width::Sixteen => opcode::WRITE_16,
        })
    }

    /// The ORWRITE command, which exists in sixteen bytes only.
    #[must_use]
    pub fn build_orwrite(self) -> Cdb {
        Transfer { width: Width::Sixteen, ..self }.build(opcode::ORWRITE_16)
    }
}
