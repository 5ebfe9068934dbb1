//! Task Management Function Response (RFC 7143 section 11.6).

use zerocopy::byteorder::big_endian::{U32, U64};
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
    reserved4: [u8; 12],
}

const _: () = assert!(size_of::<Wire>() == BHS_LEN);

/// What became of a task management function (RFC 7143 section 11.6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum TaskResponse {
    /// The function is done.
    Complete = 0,
    /// No such task.
    TaskDoesNotExist = 1,
    /// No such logical unit.
    LunDoesNotExist = 2,
    /// The task still belongs to another connection.
    TaskStillAllegiant = 3,
    /// Tasks do not move between connections here.
    ReassignmentNotSupported = 4,
    /// No such function here.
    NotSupported = 5,
    /// This initiator may not.
    NotAuthorized = 6,
    /// The function was refused.
    Rejected = 255,
}

impl TaskResponse {
    fn from_code(code: u8) -> Option<TaskResponse> {
        Some(match code {
            0 => TaskResponse::Complete,
            1 => TaskResponse::TaskDoesNotExist,
            2 => TaskResponse::LunDoesNotExist,
            3 => TaskResponse::TaskStillAllegiant,
            4 => TaskResponse::ReassignmentNotSupported,
            5 => TaskResponse::NotSupported,
            6 => TaskResponse::NotAuthorized,
            255 => TaskResponse::Rejected,
            _ => return None,
        })
    }
}

/// The answer to a request about tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TaskManagementResponse {
    /// How it went.
    pub response: TaskResponse,
    /// The tag of the request.
    pub itt: Itt,
    /// The number of this response.
    pub stat_sn: Serial,
    /// First command not yet received in order.
    pub exp_cmd_sn: Serial,
    /// Last command that may be sent.
    pub max_cmd_sn: Serial,
}

impl TaskManagementResponse {
    /// The header.
    #[must_use]
    pub fn encode(&self) -> Bhs {
        to_bhs(&Wire {
            opcode: Opcode::TaskManagementResponse.byte(false),
            flags: FINAL,
            response: self.response as u8,
            reserved: 0,
            ahs_len: 0,
            data_len: U24::ZERO,
            reserved2: U64::ZERO,
            itt: self.itt.0.into(),
            reserved3: U32::ZERO,
            stat_sn: self.stat_sn.0.into(),
            exp_cmd_sn: self.exp_cmd_sn.0.into(),
            max_cmd_sn: self.max_cmd_sn.0.into(),
            reserved4: [0; 12],
        })
    }

    /// Reads the header.
    ///
    /// # Errors
    /// A reserved response, or data that must not be there.
    pub fn decode(bhs: &Bhs) -> Result<TaskManagementResponse, PduError> {
        let wire = view::<Wire>(bhs);
        let pdu = Opcode::TaskManagementResponse;
        no_data(pdu, wire.data_len)?;
        Ok(TaskManagementResponse {
            response: TaskResponse::from_code(wire.response).ok_or(PduError::new(
                pdu,
                Field::Response,
                wire.response,
            ))?,
            itt: Itt(wire.itt.get()),
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
    fn an_answer_looks_as_in_the_figure() {
        let wire: Bhs = [
            0x22, 0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0,
            0x30, 0, 0, 0, 0x20, 0, 0, 0, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ];
        let pdu = TaskManagementResponse {
            response: TaskResponse::TaskDoesNotExist,
            itt: Itt(9),
            stat_sn: Serial(0x30),
            exp_cmd_sn: Serial(0x20),
            max_cmd_sn: Serial(0x3f),
        };
        assert_eq!(pdu.encode(), wire);
        assert_eq!(TaskManagementResponse::decode(&wire), Ok(pdu));
    }

    #[test]
    fn codes_are_known_or_refused() {
        let known = (0..=u8::MAX).filter_map(TaskResponse::from_code);
        assert!(known.clone().all(|code| TaskResponse::from_code(code as u8) == Some(code)));
        assert_eq!(known.count(), 8);
    }
}
