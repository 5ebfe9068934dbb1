//! NOP-In (RFC 7143 section 11.19): a ping of the target, or its answer to one of the initiator.

use zerocopy::byteorder::big_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{BHS_LEN, Bhs, FINAL, Itt, Opcode, PduError, Ttt, U24, to_bhs, view};
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
    reserved2: [u8; 12],
}

const _: () = assert!(size_of::<Wire>() == BHS_LEN);

/// A ping or the answer to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NopIn {
    /// Length of the ping data, in bytes.
    pub data_len: u32,
    /// To be copied to the answer; only with `ttt`.
    pub lun: Lun,
    /// The tag of the ping that is answered; otherwise [`Itt::NONE`].
    pub itt: Itt,
    /// To be copied to the answer; [`Ttt::NONE`] where none is wanted.
    pub ttt: Ttt,
    /// The number of the answer; without `itt` the next number, which is not taken.
    pub stat_sn: Serial,
    /// First command not yet received in order.
    pub exp_cmd_sn: Serial,
    /// Last command that may be sent.
    pub max_cmd_sn: Serial,
}

impl NopIn {
    /// The header.
    #[must_use]
    pub fn encode(&self) -> Bhs {
        to_bhs(&Wire {
            opcode: Opcode::NopIn.byte(false),
            flags: FINAL,
            reserved: [0; 2],
            ahs_len: 0,
            data_len: U24::new(self.data_len),
            lun: self.lun.0.into(),
            itt: self.itt.0.into(),
            ttt: self.ttt.0.into(),
            stat_sn: self.stat_sn.0.into(),
            exp_cmd_sn: self.exp_cmd_sn.0.into(),
            max_cmd_sn: self.max_cmd_sn.0.into(),
            reserved2: [0; 12],
        })
    }

    /// Reads the header.
    ///
    /// # Errors
    /// None: every header with the opcode has a meaning.
    pub fn decode(bhs: &Bhs) -> Result<NopIn, PduError> {
        let wire = view::<Wire>(bhs);
        Ok(NopIn {
            data_len: wire.data_len.get(),
            lun: Lun(wire.lun.get()),
            itt: Itt(wire.itt.get()),
            ttt: Ttt(wire.ttt.get()),
            stat_sn: Serial(wire.stat_sn.get()),
            exp_cmd_sn: Serial(wire.exp_cmd_sn.get()),
            max_cmd_sn: Serial(wire.max_cmd_sn.get()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ping_of_the_target_looks_as_in_the_figure() {
        let wire: Bhs = [
            0x20, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0,
            2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ];
        let pdu = NopIn {
            data_len: 0,
            lun: Lun::flat(1),
            itt: Itt::NONE,
            ttt: Ttt(2),
            stat_sn: Serial(3),
            exp_cmd_sn: Serial(4),
            max_cmd_sn: Serial(5),
        };
        assert_eq!(pdu.encode(), wire);
        assert_eq!(NopIn::decode(&wire), Ok(pdu));
    }
}
