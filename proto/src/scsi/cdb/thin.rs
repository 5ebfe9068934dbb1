//! UNMAP and GET LBA STATUS (SBC-3 sections 5.6 and 5.28).

use super::block::{self, Fields, Width};
use super::flag;
use crate::scsi::{Cdb, opcode};

const ANCHOR: u8 = 0x01;

/// Ranges, told in a parameter list, whose content is no longer needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Unmap {
    /// The blocks stay anchored.
    pub anchor: bool,
    /// Bytes of the parameter list; zero is legal and does nothing.
    pub list_len: u16,
}

impl Unmap {
    pub(super) fn parse(cdb: &Cdb) -> Unmap {
        let Fields { flags, blocks, .. } = block::parse(cdb, Width::Ten);
        Unmap { anchor: flags & ANCHOR != 0, list_len: blocks as u16 }
    }

    /// The UNMAP command.
    #[must_use]
    pub fn build(self) -> Cdb {
        let flags = flag(self.anchor, ANCHOR);
        let fields = Fields { flags, lba: 0, blocks: self.list_len.into() };
        block::build(opcode::UNMAP, Width::Ten, fields)
    }
}

/// Which blocks from `lba` on are mapped?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GetLbaStatus {
    /// First block.
    pub lba: u64,
    /// Most bytes of the answer.
    pub allocation: u32,
}

impl GetLbaStatus {
    pub(super) fn parse(cdb: &Cdb) -> GetLbaStatus {
        let Fields { lba, blocks, .. } = block::parse(cdb, Width::Sixteen);
        GetLbaStatus { lba, allocation: blocks }
    }

    /// The GET LBA STATUS command.
    #[must_use]
    pub fn build(self) -> Cdb {
        let flags = opcode::SA_GET_LBA_STATUS;
        let fields = Fields { flags, lba: self.lba, blocks: self.allocation };
        block::build(opcode::SERVICE_ACTION_IN_16, Width::Sixteen, fields)
    }
}
