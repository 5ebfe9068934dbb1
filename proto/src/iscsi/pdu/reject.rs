//! Reject (RFC 7143 section 11.17). The data segment holds the header of the rejected PDU.

use zerocopy::byteorder::big_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{BHS_LEN, Bhs, FINAL, Itt, Opcode, PduError, U24, to_bhs, view};
use crate::serial::Serial;

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Wire {
    opcode: u8,
    flags: u8,
    reason: u8,
    reserved: u8,
    ahs_len: u8,
    data_len: U24,
    reserved2: U64,
    none: U32,
    reserved3: U32,
    stat_sn: U32,
    exp_cmd_sn: U32,
    max_cmd_sn: U32,
    data_sn: U32,
    reserved4: U64,
}

const _: () = assert!(size_of::<Wire>() == BHS_LEN);

/// Why a PDU was rejected (RFC 7143 section 11.17.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RejectReason {
    /// 0x02: the data digest was wrong.
    DataDigestError,
    /// 0x03: the SNACK cannot be answered.
    SnackReject,
    /// 0x04: the PDU breaks the protocol.
    ProtocolError,
    /// 0x05: no such command here.
    CommandNotSupported,
    /// 0x06: too many immediate commands.
    ImmediateCommandReject,
    /// 0x07: a reassigned task is still running.
    TaskInProgress,
    /// 0x08: the DataACK acknowledges nothing that was sent.
    InvalidDataAck,
    /// 0x09: a field is wrong.
    InvalidPduField,
    /// 0x0a: no transfer tag for a long text exchange.
    OutOfResources,
    /// 0x0c: nothing but a logout is taken on this connection.
    WaitingForLogout,
    /// A reason that the RFC reserves or took back.
    Other(u8),
}

impl RejectReason {
    /// The code on the wire.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            RejectReason::DataDigestError => 0x02,
            RejectReason::SnackReject => 0x03,
            RejectReason::ProtocolError => 0x04,
            RejectReason::CommandNotSupported => 0x05,
            RejectReason::ImmediateCommandReject => 0x06,
            RejectReason::TaskInProgress => 0x07,
            RejectReason::InvalidDataAck => 0x08,
            RejectReason::InvalidPduField => 0x09,
            RejectReason::OutOfResources => 0x0a,
            RejectReason::WaitingForLogout => 0x0c,
            RejectReason::Other(code) => code,
        }
    }

    /// The reason of that code.
    #[must_use]
    pub fn from_code(code: u8) -> RejectReason {
        match code {
            0x02 => RejectReason::DataDigestError,
            0x03 => RejectReason::SnackReject,
            0x04 => RejectReason::ProtocolError,
            0x05 => RejectReason::CommandNotSupported,
            0x06 => RejectReason::ImmediateCommandReject,
            0x07 => RejectReason::TaskInProgress,
            0x08 => RejectReason::InvalidDataAck,
            0x09 => RejectReason::InvalidPduField,
            0x0a => RejectReason::OutOfResources,
            0x0c => RejectReason::WaitingForLogout,
            _ => RejectReason::Other(code),
        }
    }

    /// True where the rejected PDU may be sent again as it was.
    #[must_use]
    pub fn can_be_resent(self) -> bool {
        matches!(
            self,
            RejectReason::DataDigestError
                | RejectReason::SnackReject
                | RejectReason::ImmediateCommandReject
                | RejectReason::OutOfResources
        )
    }
}

/// Says that a PDU was not taken. By itself it does not end the SCSI task that the PDU belonged to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reject {
    /// Why.
    pub reason: RejectReason,
    /// Length of the rejected header, in bytes.
    pub data_len: u32,
    /// The number of this message, which it takes.
    pub stat_sn: Serial,
    /// First command not yet received in order.
    pub exp_cmd_sn: Serial,
    /// Last command that may be sent.
    pub max_cmd_sn: Serial,
    /// For a rejected SNACK: the next DataSN or R2TSN; otherwise 0.
    pub data_sn: u32,
}

impl Reject {
    /// The header.
    #[must_use]
    pub fn encode(&self) -> Bhs {
        to_bhs(&Wire {
            opcode: Opcode::Reject.byte(false),
            flags: FINAL,
            reason: self.reason.code(),
            reserved: 0,
            ahs_len: 0,
            data_len: U24::new(self.data_len),
            reserved2: U64::ZERO,
            none: Itt::NONE.0.into(),
            reserved3: U32::ZERO,
            stat_sn: self.stat_sn.0.into(),
            exp_cmd_sn: self.exp_cmd_sn.0.into(),
            max_cmd_sn: self.max_cmd_sn.0.into(),
            data_sn: self.data_sn.into(),
            reserved4: U64::ZERO,
        })
    }

    /// Reads the header.
    ///
    /// # Errors
    /// None: every header with the opcode has a meaning.
    pub fn decode(bhs: &Bhs) -> Result<Reject, PduError> {
        let wire = view::<Wire>(bhs);
        Ok(Reject {
            reason: RejectReason::from_code(wire.reason),
            data_len: wire.data_len.get(),
            stat_sn: Serial(wire.stat_sn.get()),
            exp_cmd_sn: Serial(wire.exp_cmd_sn.get()),
            max_cmd_sn: Serial(wire.max_cmd_sn.get()),
            data_sn: wire.data_sn.get(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejected_immediate_command_looks_as_in_the_figure() {
        let wire: Bhs = [
            0x3f, 0x80, 6, 0, 0, 0, 0, 48, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0,
            0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ];
        let pdu = Reject {
            reason: RejectReason::ImmediateCommandReject,
            data_len: 48,
            stat_sn: Serial(1),
            exp_cmd_sn: Serial(2),
            max_cmd_sn: Serial(3),
            data_sn: 0,
        };
        assert_eq!(pdu.encode(), wire);
        assert_eq!(Reject::decode(&wire), Ok(pdu));
    }

    #[test]
    fn the_table_of_what_can_be_resent() {
        let resent = (0..=u8::MAX).filter(|code| RejectReason::from_code(*code).can_be_resent());
        assert!(resent.eq([2, 3, 6, 10]));
        assert!((0..=u8::MAX).all(|code| RejectReason::from_code(code).code() == code));
    }
}
