//! Text Request (RFC 7143 section 11.10): keys in full-feature phase, SendTargets among them.

use zerocopy::byteorder::big_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{
    BHS_LEN, Bhs, CONTINUE, FINAL, Field, Itt, Opcode, PduError, Ttt, U24, bit, is_immediate,
    to_bhs, view,
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

/// Keys from the initiator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TextRequest {
    /// The I bit.
    pub immediate: bool,
    /// The F bit: the initiator has no more to say.
    pub is_final: bool,
    /// The C bit: the keys go on in the next PDU.
    pub is_continued: bool,
    /// Length of the keys, in bytes.
    pub data_len: u32,
    /// Copied from the Text Response that is answered.
    pub lun: Lun,
    /// The tag of the whole exchange.
    pub itt: Itt,
    /// Copied from the Text Response that is answered; [`Ttt::NONE`] begins an exchange.
    pub ttt: Ttt,
    /// Place in the session's order.
    pub cmd_sn: Serial,
    /// Acknowledges every StatSN before it.
    pub exp_stat_sn: Serial,
}

impl TextRequest {
    /// The header.
    ///
    /// # Panics
    /// Where the keys go on and yet are final.
    #[must_use]
    pub fn encode(&self) -> Bhs {
        assert!(!(self.is_final && self.is_continued), "keys that go on are not final");
        to_bhs(&Wire {
            opcode: Opcode::TextRequest.byte(self.immediate),
            flags: bit(self.is_final, FINAL) | bit(self.is_continued, CONTINUE),
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
    /// C=1 with F=1.
    pub fn decode(bhs: &Bhs) -> Result<TextRequest, PduError> {
        let wire = view::<Wire>(bhs);
        let (is_final, is_continued) = (wire.flags & FINAL != 0, wire.flags & CONTINUE != 0);
        if is_final && is_continued {
            return Err(PduError::new(Opcode::TextRequest, Field::Continue, wire.flags));
        }
        Ok(TextRequest {
            immediate: is_immediate(bhs),
            is_final,
            is_continued,
            data_len: wire.data_len.get(),
            lun: Lun(wire.lun.get()),
            itt: Itt(wire.itt.get()),
            ttt: Ttt(wire.ttt.get()),
            cmd_sn: Serial(wire.cmd_sn.get()),
            exp_stat_sn: Serial(wire.exp_stat_sn.get()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `SendTargets=All` and its zero byte.
    const WIRE: Bhs = [
        0x04, 0x80, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff,
        0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];

    #[test]
    fn send_targets_looks_as_in_the_figure() {
        let pdu = TextRequest {
            immediate: false,
            is_final: true,
            is_continued: false,
            data_len: 16,
            lun: Lun::ZERO,
            itt: Itt(1),
            ttt: Ttt::NONE,
            cmd_sn: Serial(2),
            exp_stat_sn: Serial(3),
        };
        assert_eq!(pdu.encode(), WIRE);
        assert_eq!(TextRequest::decode(&WIRE), Ok(pdu));
    }

    #[test]
    fn what_goes_on_is_not_final() {
        let mut bhs = WIRE;
        bhs[1] = 0xc0;
        assert_eq!(TextRequest::decode(&bhs).unwrap_err().field, Field::Continue);
    }
}
