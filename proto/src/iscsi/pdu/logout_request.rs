//! Logout Request (RFC 7143 section 11.14): the last request on its connection.

use zerocopy::byteorder::big_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{
    BHS_LEN, Bhs, FINAL, Field, Itt, Opcode, PduError, U24, is_immediate, no_data, to_bhs, view,
};
use crate::serial::Serial;

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Wire {
    opcode: u8,
    reason: u8,
    reserved: [u8; 2],
    ahs_len: u8,
    data_len: U24,
    reserved2: U64,
    itt: U32,
    cid: U16,
    reserved3: U16,
    cmd_sn: U32,
    exp_stat_sn: U32,
    reserved4: [u8; 16],
}

const _: () = assert!(size_of::<Wire>() == BHS_LEN);

/// What is to be closed (RFC 7143 section 11.14.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum LogoutReason {
    /// All connections, and all tasks end.
    CloseSession = 0,
    /// The connection named by CID, and its tasks end.
    CloseConnection = 1,
    /// The connection named by CID; its tasks wait to be reassigned.
    RemoveForRecovery = 2,
}

/// Asks to close a connection or the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LogoutRequest {
    /// The I bit.
    pub immediate: bool,
    /// What to close.
    pub reason: LogoutReason,
    /// The tag of this request.
    pub itt: Itt,
    /// The connection; 0 where the session is closed.
    pub cid: u16,
    /// Place in the session's order.
    pub cmd_sn: Serial,
    /// Acknowledges every StatSN before it.
    pub exp_stat_sn: Serial,
}

impl LogoutRequest {
    /// The header.
    #[must_use]
    pub fn encode(&self) -> Bhs {
        to_bhs(&Wire {
            opcode: Opcode::LogoutRequest.byte(self.immediate),
            reason: FINAL | self.reason as u8,
            reserved: [0; 2],
            ahs_len: 0,
            data_len: U24::ZERO,
            reserved2: U64::ZERO,
            itt: self.itt.0.into(),
            cid: self.cid.into(),
            reserved3: U16::ZERO,
            cmd_sn: self.cmd_sn.0.into(),
            exp_stat_sn: self.exp_stat_sn.0.into(),
            reserved4: [0; 16],
        })
    }

    /// Reads the header.
    ///
    /// # Errors
    /// A reserved reason, or data that must not be there.
    pub fn decode(bhs: &Bhs) -> Result<LogoutRequest, PduError> {
        let wire = view::<Wire>(bhs);
        no_data(Opcode::LogoutRequest, wire.data_len)?;
        let reason = match wire.reason & !FINAL {
            0 => LogoutReason::CloseSession,
            1 => LogoutReason::CloseConnection,
            2 => LogoutReason::RemoveForRecovery,
            code => return Err(PduError::new(Opcode::LogoutRequest, Field::Code, code)),
        };
        Ok(LogoutRequest {
            immediate: is_immediate(bhs),
            reason,
            itt: Itt(wire.itt.get()),
            cid: wire.cid.get(),
            cmd_sn: Serial(wire.cmd_sn.get()),
            exp_stat_sn: Serial(wire.exp_stat_sn.get()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_a_connection_looks_as_in_the_figure() {
        let mut wire: Bhs = [
            0x46, 0x81, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 0, 0, 0, 0, 0,
            3, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ];
        let pdu = LogoutRequest {
            immediate: true,
            reason: LogoutReason::CloseConnection,
            itt: Itt(1),
            cid: 2,
            cmd_sn: Serial(3),
            exp_stat_sn: Serial(4),
        };
        assert_eq!(pdu.encode(), wire);
        assert_eq!(LogoutRequest::decode(&wire), Ok(pdu));
        wire[1] = 0x83;
        assert_eq!(LogoutRequest::decode(&wire).unwrap_err().field, Field::Code);
    }
}
