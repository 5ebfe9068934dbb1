//! Logout Response (RFC 7143 section 11.15).

use zerocopy::byteorder::big_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{BHS_LEN, Bhs, FINAL, Field, Itt, Opcode, PduError, U24, no_data, to_bhs, view};
use crate::serial::Serial;

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Wire {
    opcode: u8,
    flags: u8,
    response: u8,
    reserved: u8,
    ahs_len: u8,
    data_len: U24,
    reserved2: U64,
    itt: U32,
    reserved3: U32,
    stat_sn: U32,
    exp_cmd_sn: U32,
    max_cmd_sn: U32,
    reserved4: U32,
    time2wait: U16,
    time2retain: U16,
    reserved5: U32,
}

const _: () = assert!(size_of::<Wire>() == BHS_LEN);

/// How a logout went (RFC 7143 section 11.15.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum LogoutResult {
    /// Closed.
    Closed = 0,
    /// No such connection.
    CidNotFound = 1,
    /// The target does not recover connections.
    RecoveryNotSupported = 2,
    /// The target could not clean up.
    CleanupFailed = 3,
}

/// The answer to a logout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LogoutResponse {
    /// How it went.
    pub result: LogoutResult,
    /// The tag of the request.
    pub itt: Itt,
    /// The number of this response.
    pub stat_sn: Serial,
    /// First command not yet received in order.
    pub exp_cmd_sn: Serial,
    /// Last command that may be sent.
    pub max_cmd_sn: Serial,
    /// How long to wait before reconnecting or reassigning, in seconds.
    pub time2wait: u16,
    /// How long the target keeps tasks after that, in seconds.
    pub time2retain: u16,
}

impl LogoutResponse {
    /// The header.
    #[must_use]
    pub fn encode(&self) -> Bhs {
        to_bhs(&Wire {
            opcode: Opcode::LogoutResponse.byte(false),
            flags: FINAL,
            response: self.result as u8,
            reserved: 0,
            ahs_len: 0,
            data_len: U24::ZERO,
            reserved2: U64::ZERO,
            itt: self.itt.0.into(),
            reserved3: U32::ZERO,
            stat_sn: self.stat_sn.0.into(),
            exp_cmd_sn: self.exp_cmd_sn.0.into(),
            max_cmd_sn: self.max_cmd_sn.0.into(),
            reserved4: U32::ZERO,
            time2wait: self.time2wait.into(),
            time2retain: self.time2retain.into(),
            reserved5: U32::ZERO,
        })
    }

    /// Reads the header.
    ///
    /// # Errors
    /// A reserved response, or data that must not be there.
    pub fn decode(bhs: &Bhs) -> Result<LogoutResponse, PduError> {
        let wire = view::<Wire>(bhs);
        no_data(Opcode::LogoutResponse, wire.data_len)?;
        let result = match wire.response {
            0 => LogoutResult::Closed,
            1 => LogoutResult::CidNotFound,
            2 => LogoutResult::RecoveryNotSupported,
            3 => LogoutResult::CleanupFailed,
            code => return Err(PduError::new(Opcode::LogoutResponse, Field::Response, code)),
        };
        Ok(LogoutResponse {
            result,
            itt: Itt(wire.itt.get()),
            stat_sn: Serial(wire.stat_sn.get()),
            exp_cmd_sn: Serial(wire.exp_cmd_sn.get()),
            max_cmd_sn: Serial(wire.max_cmd_sn.get()),
            time2wait: wire.time2wait.get(),
            time2retain: wire.time2retain.get(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_looks_as_in_the_figure() {
        let mut wire: Bhs = [
            0x26, 0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
            2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 0, 0, 2, 0, 20, 0, 0, 0, 0,
        ];
        let pdu = LogoutResponse {
            result: LogoutResult::CidNotFound,
            itt: Itt(1),
            stat_sn: Serial(2),
            exp_cmd_sn: Serial(3),
            max_cmd_sn: Serial(4),
            time2wait: 2,
            time2retain: 20,
        };
        assert_eq!(pdu.encode(), wire);
        assert_eq!(LogoutResponse::decode(&wire), Ok(pdu));
        wire[2] = 4;
        assert_eq!(LogoutResponse::decode(&wire).unwrap_err().field, Field::Response);
    }
}
