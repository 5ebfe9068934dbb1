//! Text Response (RFC 7143 section 11.11).
//!
//! F=0 asks the initiator to go on, so it needs a transfer tag to go on with.

use zerocopy::byteorder::big_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{
    BHS_LEN, Bhs, CONTINUE, FINAL, Field, Itt, Opcode, PduError, Ttt, U24, bit, to_bhs, view,
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
    stat_sn: U32,
    exp_cmd_sn: U32,
    max_cmd_sn: U32,
    reserved2: [u8; 12],
}

const _: () = assert!(size_of::<Wire>() == BHS_LEN);

/// Keys from the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TextResponse {
    /// The F bit: the exchange is over.
    pub is_final: bool,
    /// The C bit: the keys go on in the next PDU.
    pub is_continued: bool,
    /// Length of the keys, in bytes.
    pub data_len: u32,
    /// To be copied to the next Text Request.
    pub lun: Lun,
    /// The tag of the exchange.
    pub itt: Itt,
    /// To be copied to the next Text Request; [`Ttt::NONE`] where the exchange is over.
    pub ttt: Ttt,
    /// The number of this response.
    pub stat_sn: Serial,
    /// First command not yet received in order.
    pub exp_cmd_sn: Serial,
    /// Last command that may be sent.
    pub max_cmd_sn: Serial,
}

impl TextResponse {
    /// The header.
    ///
    /// # Panics
    /// Where the keys go on and yet are final.
    #[must_use]
    pub fn encode(&self) -> Bhs {
        assert!(!(self.is_final && self.is_continued), "keys that go on are not final");
        to_bhs(&Wire {
            opcode: Opcode::TextResponse.byte(false),
            flags: bit(self.is_final, FINAL) | bit(self.is_continued, CONTINUE),
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

    /// Reads the header. A transfer tag on a final response is ignored, as it cannot be used.
    ///
    /// # Errors
    /// C=1 with F=1, or F=0 without a transfer tag.
    pub fn decode(bhs: &Bhs) -> Result<TextResponse, PduError> {
        let wire = view::<Wire>(bhs);
        let (is_final, is_continued) = (wire.flags & FINAL != 0, wire.flags & CONTINUE != 0);
        if is_final && is_continued {
            return Err(PduError::new(Opcode::TextResponse, Field::Continue, wire.flags));
        }
        let ttt = if is_final { Ttt::NONE } else { Ttt(wire.ttt.get()) };
        if !is_final && ttt == Ttt::NONE {
            return Err(PduError::new(Opcode::TextResponse, Field::TargetTransferTag, ttt.0));
        }
        Ok(TextResponse {
            is_final,
            is_continued,
            data_len: wire.data_len.get(),
            lun: Lun(wire.lun.get()),
            itt: Itt(wire.itt.get()),
            ttt,
            stat_sn: Serial(wire.stat_sn.get()),
            exp_cmd_sn: Serial(wire.exp_cmd_sn.get()),
            max_cmd_sn: Serial(wire.max_cmd_sn.get()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIRE: Bhs = [
        0x24, 0x40, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0,
        3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];

    #[test]
    fn the_first_of_many_looks_as_in_the_figure() {
        let pdu = TextResponse {
            is_final: false,
            is_continued: true,
            data_len: 8192,
            lun: Lun::ZERO,
            itt: Itt(1),
            ttt: Ttt(9),
            stat_sn: Serial(3),
            exp_cmd_sn: Serial(4),
            max_cmd_sn: Serial(5),
        };
        assert_eq!(pdu.encode(), WIRE);
        assert_eq!(TextResponse::decode(&WIRE), Ok(pdu));
    }

    #[test]
    fn what_goes_on_needs_a_tag_and_is_not_final() {
        let (mut both, mut no_tag) = (WIRE, WIRE);
        both[1] = 0xc0;
        no_tag[20..24].fill(0xff);
        assert_eq!(TextResponse::decode(&both).unwrap_err().field, Field::Continue);
        assert_eq!(TextResponse::decode(&no_tag).unwrap_err().field, Field::TargetTransferTag);
    }
}
