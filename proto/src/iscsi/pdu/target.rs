//! Everything a target sends, by opcode.

use super::{
    AsyncMessage, Bhs, DataIn, Field, LoginResponse, LogoutResponse, NopIn, OPCODE, Opcode,
    PduError, R2t, Reject, ScsiResponse, TaskManagementResponse, TextResponse, opcode,
};

/// A PDU from a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TargetPdu {
    /// NOP-In.
    NopIn(NopIn),
    /// SCSI Response.
    ScsiResponse(ScsiResponse),
    /// Task Management Function Response.
    TaskManagementResponse(TaskManagementResponse),
    /// Login Response.
    LoginResponse(LoginResponse),
    /// Text Response.
    TextResponse(TextResponse),
    /// SCSI Data-In.
    DataIn(DataIn),
    /// Logout Response.
    LogoutResponse(LogoutResponse),
    /// Ready To Transfer.
    R2t(R2t),
    /// Asynchronous Message.
    Async(AsyncMessage),
    /// Reject.
    Reject(Reject),
}

impl TargetPdu {
    /// Reads a header as an initiator does.
    ///
    /// # Errors
    /// [`Field::Opcode`] where no target sends that; otherwise what is wrong inside.
    #[inline]
    pub fn decode(bhs: &Bhs) -> Result<TargetPdu, PduError> {
        Ok(match opcode(bhs) {
            Some(Opcode::DataIn) => TargetPdu::DataIn(DataIn::decode(bhs)?),
            Some(Opcode::ScsiResponse) => TargetPdu::ScsiResponse(ScsiResponse::decode(bhs)?),
            Some(Opcode::R2t) => TargetPdu::R2t(R2t::decode(bhs)?),
            Some(Opcode::NopIn) => TargetPdu::NopIn(NopIn::decode(bhs)?),
            Some(Opcode::TaskManagementResponse) => {
                TargetPdu::TaskManagementResponse(TaskManagementResponse::decode(bhs)?)
            }
            Some(Opcode::LoginResponse) => TargetPdu::LoginResponse(LoginResponse::decode(bhs)?),
            Some(Opcode::TextResponse) => TargetPdu::TextResponse(TextResponse::decode(bhs)?),
            Some(Opcode::LogoutResponse) => TargetPdu::LogoutResponse(LogoutResponse::decode(bhs)?),
            Some(Opcode::AsyncMessage) => TargetPdu::Async(AsyncMessage::decode(bhs)?),
            Some(Opcode::Reject) => TargetPdu::Reject(Reject::decode(bhs)?),
            _ => {
                let opcode = bhs[0] & OPCODE;
                return Err(PduError { opcode, field: Field::Opcode, value: opcode.into() });
            }
        })
    }

    /// The header.
    #[must_use]
    #[inline]
    pub fn encode(&self) -> Bhs {
        match self {
            TargetPdu::NopIn(pdu) => pdu.encode(),
            TargetPdu::ScsiResponse(pdu) => pdu.encode(),
            TargetPdu::TaskManagementResponse(pdu) => pdu.encode(),
            TargetPdu::LoginResponse(pdu) => pdu.encode(),
            TargetPdu::TextResponse(pdu) => pdu.encode(),
            TargetPdu::DataIn(pdu) => pdu.encode(),
            TargetPdu::LogoutResponse(pdu) => pdu.encode(),
            TargetPdu::R2t(pdu) => pdu.encode(),
            TargetPdu::Async(pdu) => pdu.encode(),
            TargetPdu::Reject(pdu) => pdu.encode(),
        }
    }
}
