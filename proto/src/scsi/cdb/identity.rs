//! INQUIRY, REPORT LUNS and READ CAPACITY: what is there (SPC-4 sections 6.6 and 6.33, SBC-3
//! sections 5.15 and 5.16).

use crate::scsi::{Cdb, Sense, opcode};

const VITAL: u8 = 0x01;
/// CMDDT, obsolete since SPC-3.
const COMMAND_DATA: u8 = 0x02;
/// PMI, obsolete since SBC-3.
const PARTIAL_MEDIUM: u8 = 0x01;

/// Who is there?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Inquiry {
    /// A page of vital product data; standard data without.
    pub page: Option<u8>,
    /// Most bytes of the answer.
    pub allocation: u16,
}

impl Inquiry {
    pub(super) fn parse(cdb: &Cdb) -> Result<Inquiry, Sense> {
        let [_, flags, page, high, low, ..] = *cdb;
        let is_vital = flags & VITAL != 0;
        if flags & COMMAND_DATA != 0 {
            return Err(Sense::invalid_cdb_field(1));
        }
        // A page code without EVPD is an error (SPC-4 section 6.6.1).
        if page != 0 && !is_vital {
            return Err(Sense::invalid_cdb_field(2));
        }
        let allocation = u16::from_be_bytes([high, low]);
        Ok(Inquiry { page: is_vital.then_some(page), allocation })
    }

    /// The INQUIRY command.
    #[must_use]
    pub fn build(self) -> Cdb {
        let mut cdb = Cdb::default();
        let [high, low] = self.allocation.to_be_bytes();
        let vital = u8::from(self.page.is_some());
        cdb[..5].copy_from_slice(&[opcode::INQUIRY, vital, self.page.unwrap_or(0), high, low]);
        cdb
    }
}

/// Which logical units are there?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReportLuns {
    /// SELECT REPORT: 0 ordinary ones, 1 well-known ones, 2 all.
    pub select: u8,
    /// Most bytes of the answer.
    pub allocation: u32,
}

impl ReportLuns {
    const SELECT_MAX: u8 = 2;

    pub(super) fn parse(cdb: &Cdb) -> Result<ReportLuns, Sense> {
        if cdb[2] > Self::SELECT_MAX {
            return Err(Sense::invalid_cdb_field(2));
        }
        Ok(ReportLuns { select: cdb[2], allocation: super::u32_at(cdb, 6) })
    }

    /// The REPORT LUNS command.
    #[must_use]
    pub fn build(self) -> Cdb {
        let mut cdb = Cdb::default();
        (cdb[0], cdb[2]) = (opcode::REPORT_LUNS, self.select);
        cdb[6..10].copy_from_slice(&self.allocation.to_be_bytes());
        cdb
    }
}

/// READ CAPACITY (10): an address without the partial medium indicator is an error.
pub(super) fn parse_capacity_10(cdb: &Cdb) -> Result<(), Sense> {
    let is_wrong = super::u32_at(cdb, 2) != 0 && cdb[8] & PARTIAL_MEDIUM == 0;
    if is_wrong { Err(Sense::invalid_cdb_field(2)) } else { Ok(()) }
}

pub(super) fn build_capacity_10() -> Cdb {
    let mut cdb = Cdb::default();
    cdb[0] = opcode::READ_CAPACITY_10;
    cdb
}

pub(super) fn build_capacity_16(allocation: u32) -> Cdb {
    let mut cdb = Cdb::default();
    (cdb[0], cdb[1]) = (opcode::SERVICE_ACTION_IN_16, opcode::SA_READ_CAPACITY_16);
    cdb[10..14].copy_from_slice(&allocation.to_be_bytes());
    cdb
}
