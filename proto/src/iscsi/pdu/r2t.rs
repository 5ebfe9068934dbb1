//! Ready To Transfer (RFC 7143 section 11.8): the target asks for write data.

use zerocopy::byteorder::big_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{BHS_LEN, Bhs, FINAL, Field, Itt, Opcode, PduError, Ttt, U24, no_data, to_bhs, view};
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
    stat_sn: U32,
    exp_cmd_sn: U32,
    max_cmd_sn: U32,
    r2t_sn: U32,
    offset: U32,
    desired_len: U32,
}

const _: () = assert!(size_of::<Wire>() == BHS_LEN);

/// Asks for `desired_len` bytes at `offset` of a command's write data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct R2t {
    /// The logical unit, to be copied to the Data-Out.
    pub lun: Lun,
    /// The task.
    pub itt: Itt,
    /// To be copied to the Data-Out; never [`Ttt::NONE`].
    pub ttt: Ttt,
    /// The next StatSN; an R2T does not take it.
    pub stat_sn: Serial,
    /// First command not yet received in order.
    pub exp_cmd_sn: Serial,
    /// Last command that may be sent.
    pub max_cmd_sn: Serial,
    /// Counts the R2T (and Data-In) PDUs of the command from 0.
    pub r2t_sn: u32,
    /// Where the data lie in the whole of the command's, in bytes.
    pub offset: u32,
    /// Desired Data Transfer Length, in bytes, from 1 to MaxBurstLength.
    pub desired_len: u32,
}

impl R2t {
    /// The header.
    #[must_use]
    #[inline]
    pub fn encode(&self) -> Bhs {
        to_bhs(&Wire {
            opcode: Opcode::R2t.byte(false),
            flags: FINAL,
            reserved: [0; 2],
            ahs_len: 0,
            data_len: U24::ZERO,
            lun: self.lun.0.into(),
            itt: self.itt.0.into(),
            ttt: self.ttt.0.into(),
            stat_sn: self.stat_sn.0.into(),
            exp_cmd_sn: self.exp_cmd_sn.0.into(),
            max_cmd_sn: self.max_cmd_sn.0.into(),
            r2t_sn: self.r2t_sn.into(),
            offset: self.offset.into(),
            desired_len: self.desired_len.into(),
        })
    }

    /// Reads the header.
    ///
    /// # Errors
    /// A reserved transfer tag, a desired length of 0, or data that must not be there.
    #[inline]
    pub fn decode(bhs: &Bhs) -> Result<R2t, PduError> {
        let wire = view::<Wire>(bhs);
        no_data(Opcode::R2t, wire.data_len)?;
        let (ttt, desired_len) = (Ttt(wire.ttt.get()), wire.desired_len.get());
        if ttt == Ttt::NONE {
            return Err(PduError::new(Opcode::R2t, Field::TargetTransferTag, ttt.0));
        }
        if desired_len == 0 {
            return Err(PduError::new(Opcode::R2t, Field::DesiredLength, desired_len));
        }
        Ok(R2t {
            lun: Lun(wire.lun.get()),
            itt: Itt(wire.itt.get()),
            ttt,
            stat_sn: Serial(wire.stat_sn.get()),
            exp_cmd_sn: Serial(wire.exp_cmd_sn.get()),
            max_cmd_sn: Serial(wire.max_cmd_sn.get()),
            r2t_sn: wire.r2t_sn.get(),
            offset: wire.offset.get(),
            desired_len,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIRE: Bhs = [
        0x31, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4,
        0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0, 7, 0, 1, 0, 0, 0, 4, 0, 0,
    ];

    #[test]
    fn it_looks_as_in_the_figure() {
        let pdu = R2t {
            lun: Lun::flat(1),
            itt: Itt(2),
            ttt: Ttt(3),
            stat_sn: Serial(4),
            exp_cmd_sn: Serial(5),
            max_cmd_sn: Serial(6),
            r2t_sn: 7,
            offset: 65536,
            desired_len: 262_144,
        };
        assert_eq!(pdu.encode(), WIRE);
        assert_eq!(R2t::decode(&WIRE), Ok(pdu));
    }

    #[test]
    fn nothing_cannot_be_asked_for_nor_without_a_tag() {
        let (mut nothing, mut no_tag) = (WIRE, WIRE);
        nothing[44..].fill(0);
        no_tag[20..24].fill(0xff);
        assert_eq!(R2t::decode(&nothing).unwrap_err().field, Field::DesiredLength);
        assert_eq!(R2t::decode(&no_tag).unwrap_err().field, Field::TargetTransferTag);
    }
}
