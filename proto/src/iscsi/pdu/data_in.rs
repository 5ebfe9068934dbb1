//! SCSI Data-In (RFC 7143 section 11.7): read data; the last may carry the status (S=1), which then
//! needs no SCSI Response.

use zerocopy::byteorder::big_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{
    BHS_LEN, Bhs, FINAL, Field, Itt, Opcode, PduError, Residual, Ttt, U24, bit, to_bhs, view,
};
use crate::scsi::{Lun, Status};
use crate::serial::Serial;

const ACKNOWLEDGE: u8 = 0x40;
const OVERFLOW: u8 = 0x04;
const UNDERFLOW: u8 = 0x02;
const STATUS: u8 = 0x01;

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Wire {
    opcode: u8,
    flags: u8,
    reserved: u8,
    status: u8,
    ahs_len: u8,
    data_len: U24,
    lun: U64,
    itt: U32,
    ttt: U32,
    stat_sn: U32,
    exp_cmd_sn: U32,
    max_cmd_sn: U32,
    data_sn: U32,
    offset: U32,
    residual: U32,
}

const _: () = assert!(size_of::<Wire>() == BHS_LEN);

/// A piece of read data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DataIn {
    /// The F bit: the last piece of a sequence.
    pub is_final: bool,
    /// The A bit: the target wants a DataACK SNACK (error recovery levels 1 and 2).
    pub acknowledge: bool,
    /// The status of the command where the S bit is set, which ends it.
    pub status: Option<Status>,
    /// What is left of the data; only with `status`.
    pub residual: Residual,
    /// Length of the data, in bytes.
    pub data_len: u32,
    /// The logical unit, to be copied to a DataACK; only with `acknowledge`.
    pub lun: Lun,
    /// The task.
    pub itt: Itt,
    /// To be copied to a DataACK; otherwise [`Ttt::NONE`].
    pub ttt: Ttt,
    /// The number of the status; only with `status`.
    pub stat_sn: Serial,
    /// First command not yet received in order.
    pub exp_cmd_sn: Serial,
    /// Last command that may be sent.
    pub max_cmd_sn: Serial,
    /// Counts the Data-In (and R2T) PDUs of the command from 0.
    pub data_sn: u32,
    /// Where the data lie in the whole of the command's, in bytes.
    pub offset: u32,
}

impl DataIn {
    /// The header.
    ///
    /// # Panics
    /// With a status on a piece that is not final.
    #[must_use]
    #[inline]
    pub fn encode(&self) -> Bhs {
        assert!(self.is_final || self.status.is_none(), "only a final Data-In carries status");
        let flags = bit(self.is_final, FINAL) | bit(self.acknowledge, ACKNOWLEDGE);
        let ending = bit(self.status.is_some(), STATUS) | self.residual.flag(OVERFLOW, UNDERFLOW);
        to_bhs(&Wire {
            opcode: Opcode::DataIn.byte(false),
            flags: flags | ending,
            reserved: 0,
            status: self.status.map_or(0, Status::to_byte),
            ahs_len: 0,
            data_len: U24::new(self.data_len),
            lun: self.lun.0.into(),
            itt: self.itt.0.into(),
            ttt: self.ttt.0.into(),
            stat_sn: self.stat_sn.0.into(),
            exp_cmd_sn: self.exp_cmd_sn.0.into(),
            max_cmd_sn: self.max_cmd_sn.0.into(),
            data_sn: self.data_sn.into(),
            offset: self.offset.into(),
            residual: self.residual.count().into(),
        })
    }

    /// Reads the header. Without S=1 neither status nor residual has a meaning.
    ///
    /// # Errors
    /// S=1 without F=1, a reserved status, or overflow and underflow at once.
    #[inline]
    pub fn decode(bhs: &Bhs) -> Result<DataIn, PduError> {
        let wire = view::<Wire>(bhs);
        let has = |mask| wire.flags & mask != 0;
        let (status, residual) = if has(STATUS) { wire.ending()? } else { (None, Residual::None) };
        Ok(DataIn {
            is_final: has(FINAL),
            acknowledge: has(ACKNOWLEDGE),
            status,
            residual,
            data_len: wire.data_len.get(),
            lun: Lun(wire.lun.get()),
            itt: Itt(wire.itt.get()),
            ttt: Ttt(wire.ttt.get()),
            stat_sn: Serial(wire.stat_sn.get()),
            exp_cmd_sn: Serial(wire.exp_cmd_sn.get()),
            max_cmd_sn: Serial(wire.max_cmd_sn.get()),
            data_sn: wire.data_sn.get(),
            offset: wire.offset.get(),
        })
    }
}

impl Wire {
    #[inline]
    fn ending(&self) -> Result<(Option<Status>, Residual), PduError> {
        let wrong = |field, value: u8| PduError::new(Opcode::DataIn, field, value);
        if self.flags & FINAL == 0 {
            return Err(wrong(Field::Final, self.flags));
        }
        let status = Status::from_byte(self.status).ok_or(wrong(Field::Status, self.status))?;
        let has = |mask| self.flags & mask != 0;
        let residual = Residual::from_wire(has(OVERFLOW), has(UNDERFLOW), self.residual.get());
        Ok((Some(status), residual.ok_or(wrong(Field::Residual, self.flags))?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 512 bytes at 4096 with GOOD and 512 bytes too few.
    const WIRE: Bhs = [
        0x25, 0x83, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0xff, 0xff, 0xff, 0xff,
        0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0x10, 0, 0, 0, 2, 0,
    ];

    fn last() -> DataIn {
        DataIn {
            is_final: true,
            acknowledge: false,
            status: Some(Status::Good),
            residual: Residual::Underflow(512),
            data_len: 512,
            lun: Lun::ZERO,
            itt: Itt(2),
            ttt: Ttt::NONE,
            stat_sn: Serial(3),
            exp_cmd_sn: Serial(4),
            max_cmd_sn: Serial(5),
            data_sn: 6,
            offset: 4096,
        }
    }

    #[test]
    fn the_last_piece_looks_as_in_the_figure() {
        assert_eq!(last().encode(), WIRE);
        assert_eq!(DataIn::decode(&WIRE), Ok(last()));
    }

    #[test]
    fn status_needs_the_final_bit() {
        let mut bhs = WIRE;
        bhs[1] = 0x01;
        assert_eq!(DataIn::decode(&bhs).unwrap_err().field, Field::Final);
    }

    #[test]
    fn without_status_the_residual_is_noise() {
        let mut bhs = WIRE;
        bhs[1] = 0x86;
        let pdu = DataIn::decode(&bhs).unwrap();
        assert_eq!((pdu.status, pdu.residual), (None, Residual::None));
    }
}
