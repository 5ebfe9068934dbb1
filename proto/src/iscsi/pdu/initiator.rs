//! Everything an initiator sends, by opcode.

use super::{
    Bhs, DataOut, Field, LoginRequest, LogoutRequest, NopOut, OPCODE, Opcode, PduError,
    ScsiCommand, Snack, TaskManagementRequest, TextRequest, opcode,
};

/// A PDU from an initiator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InitiatorPdu {
    /// NOP-Out.
    NopOut(NopOut),
    /// SCSI Command.
    ScsiCommand(ScsiCommand),
    /// Task Management Function Request.
    TaskManagement(TaskManagementRequest),
    /// Login Request.
    Login(LoginRequest),
    /// Text Request.
    Text(TextRequest),
    /// SCSI Data-Out.
    DataOut(DataOut),
    /// Logout Request.
    Logout(LogoutRequest),
    /// SNACK Request.
    Snack(Snack),
}

impl InitiatorPdu {
    /// Reads a header as a target does.
    ///
    /// # Errors
    /// [`Field::Opcode`] where no initiator sends that; otherwise what is wrong inside.
    #[inline]
    pub fn decode(bhs: &Bhs) -> Result<InitiatorPdu, PduError> {
        Ok(match opcode(bhs) {
            Some(Opcode::ScsiCommand) => InitiatorPdu::ScsiCommand(ScsiCommand::decode(bhs)?),
            Some(Opcode::DataOut) => InitiatorPdu::DataOut(DataOut::decode(bhs)?),
            Some(Opcode::NopOut) => InitiatorPdu::NopOut(NopOut::decode(bhs)?),
            Some(Opcode::TaskManagementRequest) => {
                InitiatorPdu::TaskManagement(TaskManagementRequest::decode(bhs)?)
            }
            Some(Opcode::LoginRequest) => InitiatorPdu::Login(LoginRequest::decode(bhs)?),
            Some(Opcode::TextRequest) => InitiatorPdu::Text(TextRequest::decode(bhs)?),
            Some(Opcode::LogoutRequest) => InitiatorPdu::Logout(LogoutRequest::decode(bhs)?),
            Some(Opcode::Snack) => InitiatorPdu::Snack(Snack::decode(bhs)?),
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
            InitiatorPdu::NopOut(pdu) => pdu.encode(),
            InitiatorPdu::ScsiCommand(pdu) => pdu.encode(),
            InitiatorPdu::TaskManagement(pdu) => pdu.encode(),
            InitiatorPdu::Login(pdu) => pdu.encode(),
            InitiatorPdu::Text(pdu) => pdu.encode(),
            InitiatorPdu::DataOut(pdu) => pdu.encode(),
            InitiatorPdu::Logout(pdu) => pdu.encode(),
            InitiatorPdu::Snack(pdu) => pdu.encode(),
        }
    }
}
