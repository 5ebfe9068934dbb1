//! MODE SENSE and MODE SELECT in six and ten bytes (SPC-4 sections 6.9 to 6.12).

use super::flag;
use crate::scsi::{Cdb, Sense, opcode};

const NO_BLOCK_DESCRIPTORS: u8 = 0x08;
const LONG_LBA: u8 = 0x10;
const PAGE_FORMAT: u8 = 0x10;
const SAVE: u8 = 0x01;

/// Which values of a page are asked for (PC).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PageControl {
    /// As they are.
    Current,
    /// A one for each bit that MODE SELECT may change.
    Changeable,
    /// As they were at the start.
    Default,
    /// As they would be kept over a power loss.
    Saved,
}

/// A request for mode pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ModeSense {
    /// Ten bytes rather than six; the answer's header differs too.
    pub is_ten: bool,
    /// The answer may use long block descriptors (ten bytes only).
    pub long_lba: bool,
    /// No block descriptors (DBD).
    pub no_block_descriptors: bool,
    /// Which values.
    pub control: PageControl,
    /// The page; 3Fh for all.
    pub page: u8,
    /// The subpage; FFh for all.
    pub subpage: u8,
    /// Most bytes of the answer.
    pub allocation: u16,
}

impl ModeSense {
    pub(super) fn parse(cdb: &Cdb, is_ten: bool) -> ModeSense {
        let [_, flags, page, subpage, six, _, _, high, low, ..] = *cdb;
        let control = match page >> 6 {
            0 => PageControl::Current,
            1 => PageControl::Changeable,
            2 => PageControl::Default,
            _ => PageControl::Saved,
        };
        ModeSense {
            is_ten,
            long_lba: is_ten && flags & LONG_LBA != 0,
            no_block_descriptors: flags & NO_BLOCK_DESCRIPTORS != 0,
            control,
            page: page & 0x3f,
            subpage,
            allocation: if is_ten { u16::from_be_bytes([high, low]) } else { six.into() },
        }
    }

    /// The MODE SENSE command; the allocation is cut to 255 in six bytes.
    #[must_use]
    pub fn build(self) -> Cdb {
        let mut cdb = Cdb::default();
        cdb[0] = if self.is_ten { opcode::MODE_SENSE_10 } else { opcode::MODE_SENSE_6 };
        cdb[1] = flag(self.no_block_descriptors, NO_BLOCK_DESCRIPTORS)
            | flag(self.long_lba && self.is_ten, LONG_LBA);
        cdb[2] = (self.control as u8) << 6 | (self.page & 0x3f);
        cdb[3] = self.subpage;
        write_len(&mut cdb, self.is_ten, self.allocation);
        cdb
    }
}

/// New values for mode pages, in a parameter list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ModeSelect {
    /// Ten bytes rather than six; the list's header differs too.
    pub is_ten: bool,
    /// The values are to be kept over a power loss.
    pub save: bool,
    /// Bytes of the parameter list; zero is legal and does nothing.
    pub list_len: u16,
}

impl ModeSelect {
    pub(super) fn parse(cdb: &Cdb, is_ten: bool) -> Result<ModeSelect, Sense> {
        let [_, flags, _, _, six, _, _, high, low, ..] = *cdb;
        // Vendor specific pages (PF = 0) are not known here.
        if flags & PAGE_FORMAT == 0 {
            return Err(Sense::invalid_cdb_field(1));
        }
        let list_len = if is_ten { u16::from_be_bytes([high, low]) } else { six.into() };
        Ok(ModeSelect { is_ten, save: flags & SAVE != 0, list_len })
    }

    /// The MODE SELECT command; the length is cut to 255 in six bytes.
    #[must_use]
    pub fn build(self) -> Cdb {
        let mut cdb = Cdb::default();
        cdb[0] = if self.is_ten { opcode::MODE_SELECT_10 } else { opcode::MODE_SELECT_6 };
        cdb[1] = PAGE_FORMAT | flag(self.save, SAVE);
        write_len(&mut cdb, self.is_ten, self.list_len);
        cdb
    }
}

fn write_len(cdb: &mut Cdb, is_ten: bool, len: u16) {
    if is_ten {
        cdb[7..9].copy_from_slice(&len.to_be_bytes());
    } else {
        cdb[4] = u8::try_from(len).unwrap_or(u8::MAX);
    }
}
