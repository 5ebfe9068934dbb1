//! NOP-Out (RFC 7143 section 11.18): a ping of the initiator, or its answer to one of the target.

use zerocopy::byteorder::big_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{
    BHS_LEN, Bhs, FINAL, Field, Itt, Opcode, PduError, Ttt, U24, is_immediate, to_bhs, view,
};
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
    cmd_sn: U32,
    exp_stat_sn: U32,
    reserved2: [u8; 16],
}

const _: () = assert!(size_of::<Wire>() == BHS_LEN);

/// A ping or the answer to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NopOut {
    /// The I bit; set where no answer is wanted.
    pub immediate: bool,
    /// Length of the ping data, in bytes.
    pub data_len: u32,
    /// Copied from the NOP-In that is answered.
    pub lun: Lun,
    /// The tag of the ping; [`Itt::NONE`] where no answer is wanted.
    pub itt: Itt,
    /// Copied from the NOP-In that is answered; otherwise [`Ttt::NONE`].
    pub ttt: Ttt,
    /// Place in the session's order.
    pub cmd_sn: Serial,
    /// Acknowledges every StatSN before it.
    pub exp_stat_sn: Serial,
}

impl NopOut {
    /// The header.
    #[must_use]
    pub fn encode(&self) -> Bhs {
        to_bhs(&Wire {
            opcode: Opcode::NopOut.byte(self.immediate),
            flags: FINAL,
            reserved: [0; 2],
            ahs_len: 0,
            data_len: U24::new(self.data_len),
            lun: self.lun.0.into(),
            itt: self.itt.0.into(),
            ttt: self.ttt.0.into(),
            cmd_sn: self.cmd_sn.0.into(),
            exp_stat_sn: self.exp_stat_sn.0.into(),
            reserved2: [0; 16],
        })
    }

    /// Reads the header.
    ///
    /// # Errors
    /// No tag and not immediate: section 11.18.1 asks for the I bit there.
    pub fn decode(bhs: &Bhs) -> Result<NopOut, PduError> {
        let wire = view::<Wire>(bhs);
        let (immediate, itt) = (is_immediate(bhs), Itt(wire.itt.get()));
        if itt == Itt::NONE && !immediate {
            return Err(PduError::new(Opcode::NopOut, Field::InitiatorTaskTag, itt.0));
        }
        Ok(NopOut {
            immediate,
            data_len: wire.data_len.get(),
            lun: Lun(wire.lun.get()),
            itt,
            ttt: Ttt(wire.ttt.get()),
            cmd_sn: Serial(wire.cmd_sn.get()),
            exp_stat_sn: Serial(wire.exp_stat_sn.get()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_looks_as_in_the_figure() {
        let mut wire: Bhs = [
            0x40, 0x80, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0,
            2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ];
        let pdu = NopOut {
            immediate: true,
            data_len: 4,
            lun: Lun::flat(1),
            itt: Itt::NONE,
            ttt: Ttt(2),
            cmd_sn: Serial(3),
            exp_stat_sn: Serial(4),
        };
        assert_eq!(pdu.encode(), wire);
        assert_eq!(NopOut::decode(&wire), Ok(pdu));
        wire[0] = 0;
        assert_eq!(NopOut::decode(&wire).unwrap_err().field, Field::InitiatorTaskTag);
    }
}
