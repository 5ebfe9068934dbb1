//! SCSI Command (RFC 7143 section 11.3).
//!
//! F=0 promises unsolicited Data-Out, so a command that writes nothing must have F=1.

use zerocopy::byteorder::big_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{
    BHS_LEN, Bhs, FINAL, Field, Itt, Opcode, PduError, U24, bit, is_immediate, to_bhs, view,
};
use crate::scsi::{Cdb, Lun};
use crate::serial::Serial;

const READ: u8 = 0x40;
const WRITE: u8 = 0x20;
const ATTRIBUTE: u8 = 0x07;

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Wire {
    opcode: u8,
    flags: u8,
    reserved: [u8; 2],
    ahs_len: u8,
    data_len: U24,
    lun: U64,
    itt: U32,
    edtl: U32,
    cmd_sn: U32,
    exp_stat_sn: U32,
    cdb: [u8; 16],
}

const _: () = assert!(size_of::<Wire>() == BHS_LEN);

/// How a task stands among the others of its logical unit (SAM-5 section 8.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum TaskAttribute {
    /// The target treats it as simple.
    Untagged = 0,
    /// In any order with other simple tasks.
    #[default]
    Simple = 1,
    /// After all older tasks, before all younger ones.
    Ordered = 2,
    /// Before all others.
    HeadOfQueue = 3,
    /// In answer to an auto contingent allegiance.
    Aca = 4,
}

impl TaskAttribute {
    #[inline]
    fn from_code(code: u8) -> Option<TaskAttribute> {
        Some(match code {
            0 => TaskAttribute::Untagged,
            1 => TaskAttribute::Simple,
            2 => TaskAttribute::Ordered,
            3 => TaskAttribute::HeadOfQueue,
            4 => TaskAttribute::Aca,
            _ => return None,
        })
    }
}

/// A SCSI command; its immediate data follow the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ScsiCommand {
    /// The I bit: outside the command window's order.
    pub immediate: bool,
    /// The F bit: no unsolicited Data-Out follows.
    pub is_final: bool,
    /// The R bit: data are expected.
    pub read: bool,
    /// The W bit: data are sent.
    pub write: bool,
    /// Order among tasks.
    pub attribute: TaskAttribute,
    /// Length of the additional headers, in words of four bytes.
    pub ahs_len: u8,
    /// Length of the immediate data, in bytes.
    pub data_len: u32,
    /// The logical unit.
    pub lun: Lun,
    /// The task.
    pub itt: Itt,
    /// Expected Data Transfer Length, in bytes; of the write where the command does both.
    pub edtl: u32,
    /// Place in the session's order.
    pub cmd_sn: Serial,
    /// Acknowledges every StatSN before it.
    pub exp_stat_sn: Serial,
    /// The command descriptor block, padded with zeroes.
    pub cdb: Cdb,
}

impl ScsiCommand {
    /// The header.
    ///
    /// # Panics
    /// Where unsolicited data are promised and nothing is written.
    #[must_use]
    #[inline]
    pub fn encode(&self) -> Bhs {
        assert!(self.is_final || self.write, "only a write has unsolicited data");
        let flags = bit(self.is_final, FINAL) | bit(self.read, READ) | bit(self.write, WRITE);
        to_bhs(&Wire {
            opcode: Opcode::ScsiCommand.byte(self.immediate),
            flags: flags | self.attribute as u8,
            reserved: [0; 2],
            ahs_len: self.ahs_len,
            data_len: U24::new(self.data_len),
            lun: self.lun.0.into(),
            itt: self.itt.0.into(),
            edtl: self.edtl.into(),
            cmd_sn: self.cmd_sn.0.into(),
            exp_stat_sn: self.exp_stat_sn.0.into(),
            cdb: self.cdb,
        })
    }

    /// Reads the header.
    ///
    /// # Errors
    /// W=0 with F=0, or a reserved attribute.
    #[inline]
    pub fn decode(bhs: &Bhs) -> Result<ScsiCommand, PduError> {
        let wire = view::<Wire>(bhs);
        let wrong = |field| PduError::new(Opcode::ScsiCommand, field, wire.flags);
        let is_final = wire.flags & FINAL != 0;
        let write = wire.flags & WRITE != 0;
        if !is_final && !write {
            return Err(wrong(Field::Final));
        }
        let attribute = TaskAttribute::from_code(wire.flags & ATTRIBUTE);
        Ok(ScsiCommand {
            immediate: is_immediate(bhs),
            is_final,
            read: wire.flags & READ != 0,
            write,
            attribute: attribute.ok_or(wrong(Field::Attribute))?,
            ahs_len: wire.ahs_len,
            data_len: wire.data_len.get(),
            lun: Lun(wire.lun.get()),
            itt: Itt(wire.itt.get()),
            edtl: wire.edtl.get(),
            cmd_sn: Serial(wire.cmd_sn.get()),
            exp_stat_sn: Serial(wire.exp_stat_sn.get()),
            cdb: wire.cdb,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A WRITE(10) of 8 blocks with immediate data, as open-iscsi sends it.
    const WIRE: Bhs = [
        0x01, 0xa1, 0, 0, 0, 0x00, 0x10, 0x00, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x2a, 0, 0, 0x10,
        0, 0, 0, 0, 5, 0, 0, 0, 9, 0x2a, 0, 0, 0, 0x08, 0, 0, 0, 0x08, 0, 0, 0, 0, 0, 0, 0,
    ];

    fn write() -> ScsiCommand {
        ScsiCommand {
            immediate: false,
            is_final: true,
            read: false,
            write: true,
            attribute: TaskAttribute::Simple,
            ahs_len: 0,
            data_len: 4096,
            lun: Lun::flat(1),
            itt: Itt(0x2a),
            edtl: 4096,
            cmd_sn: Serial(5),
            exp_stat_sn: Serial(9),
            cdb: [0x2a, 0, 0, 0, 0x08, 0, 0, 0, 0x08, 0, 0, 0, 0, 0, 0, 0],
        }
    }

    #[test]
    fn a_write_looks_as_in_the_figure() {
        assert_eq!(write().encode(), WIRE);
        assert_eq!(ScsiCommand::decode(&WIRE), Ok(write()));
    }

    #[test]
    fn unsolicited_data_need_a_write() {
        let mut bhs = WIRE;
        bhs[1] = 0x41;
        let error = ScsiCommand::decode(&bhs).unwrap_err();
        assert_eq!((error.opcode, error.field), (1, Field::Final));
    }

    #[test]
    fn reserved_attributes_are_refused() {
        for code in 5..8 {
            let mut bhs = WIRE;
            bhs[1] = 0xa0 | code;
            assert_eq!(ScsiCommand::decode(&bhs).unwrap_err().field, Field::Attribute);
        }
    }
}
