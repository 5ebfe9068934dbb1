//! VERIFY and WRITE AND VERIFY (SBC-3 sections 5.29 to 5.31 and 5.39 to 5.41).

use super::block::{self, Fields, Width};
use super::{NO_PROTECTION, flag};
use crate::scsi::{Cdb, Sense, opcode};

const DPO: u8 = 0x10;
const CHECK_SHIFT: u32 = 1;
const CHECK_MASK: u8 = 3;

/// What the medium is compared with (the BYTCHK field).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ByteCheck {
    /// Nothing: the medium is read, and its errors are found.
    Medium,
    /// All the blocks that the initiator sends.
    Blocks,
    /// The one block that the initiator sends, again and again; VERIFY only.
    OneBlock,
}

/// A range to be verified, or written and verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Verify {
    /// Bytes of the command, ten or more.
    pub width: Width,
    /// First block.
    pub lba: u64,
    /// Number of blocks; zero is legal and does nothing.
    pub blocks: u32,
    /// Not worth caching (disable page out).
    pub dpo: bool,
    /// What is compared.
    pub check: ByteCheck,
}

impl Verify {
    pub(super) fn parse(cdb: &Cdb, width: Width) -> Result<Verify, Sense> {
        let Fields { flags, lba, blocks } = block::parse(cdb, width);
        let check = match flags >> CHECK_SHIFT & CHECK_MASK {
            0 => ByteCheck::Medium,
            1 => ByteCheck::Blocks,
            3 => ByteCheck::OneBlock,
            _ => return Err(Sense::invalid_cdb_field(1)),
        };
        if flags & NO_PROTECTION != 0 {
            return Err(Sense::invalid_cdb_field(1));
        }
        Ok(Verify { width, lba, blocks, dpo: flags & DPO != 0, check })
    }

    /// As [`Verify::parse`], for the commands that have no comparison with a single block.
    pub(super) fn parse_write(cdb: &Cdb, width: Width) -> Result<Verify, Sense> {
        let verify = Verify::parse(cdb, width)?;
        match verify.check {
            ByteCheck::OneBlock => Err(Sense::invalid_cdb_field(1)),
            _ => Ok(verify),
        }
    }

    fn build(self, opcode: u8) -> Cdb {
        let check: u8 = match self.check {
            ByteCheck::Medium => 0,
            ByteCheck::Blocks => 1,
            ByteCheck::OneBlock => 3,
        };
        let flags = flag(self.dpo, DPO) | check << CHECK_SHIFT;
        block::build(opcode, self.width, Fields { flags, lba: self.lba, blocks: self.blocks })
    }

    /// The VERIFY command.
    #[must_use]
    pub fn build_verify(self) -> Cdb {
        self.build(match self.width {
            Width::Six | Width::Ten => opcode::VERIFY_10,
            Width::Twelve => opcode::VERIFY_12,
            Width::Sixteen => opcode::VERIFY_16,
        })
    }

    /// The WRITE AND VERIFY command.
    #[must_use]
    pub fn build_write_verify(self) -> Cdb {
        self.build(match self.width {
            Width::Six | Width::Ten => opcode::WRITE_VERIFY_10,
            Width::Twelve => opcode::WRITE_VERIFY_12,
            Width::Sixteen => opcode::WRITE_VERIFY_16,
        })
    }
}
