//! SCSI Data-Out (RFC 7143 section 11.7): write data, unsolicited or in answer to an R2T.

use zerocopy::byteorder::big_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{BHS_LEN, Bhs, FINAL, Itt, Opcode, PduError, Ttt, U24, bit, to_bhs, view};
use crate::scsi::Lun;
use crate::serial::Serial;

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
    ttt: U32,
    reserved2: U32,
    exp_stat_sn: U32,
    reserved3: U32,
    data_sn: U32,
    offset: U32,
    reserved4: U32,
}

const _: () = assert!(size_of::<Wire>() == BHS_LEN);

/// A piece of write data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DataOut {
    /// The F bit: the last piece of the unsolicited data or of the R2T.
    pub is_final: bool,
    /// Length of the data, in bytes.
    pub data_len: u32,
    /// The logical unit, as in the R2T; ignored for unsolicited data.
    pub lun: Lun,
    /// The task.
    pub itt: Itt,
    /// The R2T that is answered; [`Ttt::NONE`] for unsolicited data.
    pub ttt: Ttt,
    /// Acknowledges every StatSN before it.
    pub exp_stat_sn: Serial,
    /// Counts from 0 in every sequence.
    pub data_sn: u32,
    /// Where the data lie in the whole of the command's, in bytes.
    pub offset: u32,
}

impl DataOut {
    /// The header.
    #[must_use]
    #[inline]
    pub fn encode(&self) -> Bhs {
        to_bhs(&Wire {
            opcode: Opcode::DataOut.byte(false),
            flags: bit(self.is_final, FINAL),
            reserved: [0; 2],
            ahs_len: 0,
            data_len: U24::new(self.data_len),
            lun: self.lun.0.into(),
            itt: self.itt.0.into(),
            ttt: self.ttt.0.into(),
            reserved2: U32::ZERO,
            exp_stat_sn: self.exp_stat_sn.0.into(),
            reserved3: U32::ZERO,
            data_sn: self.data_sn.into(),
            offset: self.offset.into(),
            reserved4: U32::ZERO,
        })
    }

    /// Reads the header.
    ///
    /// # Errors
    /// None: every header with the opcode has a meaning.
    #[inline]
    pub fn decode(bhs: &Bhs) -> Result<DataOut, PduError> {
        let wire = view::<Wire>(bhs);
        Ok(DataOut {
            is_final: wire.flags & FINAL != 0,
            data_len: wire.data_len.get(),
            lun: Lun(wire.lun.get()),
            itt: Itt(wire.itt.get()),
            ttt: Ttt(wire.ttt.get()),
            exp_stat_sn: Serial(wire.exp_stat_sn.get()),
            data_sn: wire.data_sn.get(),
            offset: wire.offset.get(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_looks_as_in_the_figure() {
        let wire: Bhs = [
            0x05, 0x80, 0, 0, 0, 0, 0x20, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0,
            0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 5, 0, 1, 0, 0, 0, 0, 0, 0,
        ];
        let pdu = DataOut {
            is_final: true,
            data_len: 8192,
            lun: Lun::flat(1),
            itt: Itt(2),
            ttt: Ttt(3),
            exp_stat_sn: Serial(4),
            data_sn: 5,
            offset: 65536,
        };
        assert_eq!(pdu.encode(), wire);
        assert_eq!(DataOut::decode(&wire), Ok(pdu));
    }
}
