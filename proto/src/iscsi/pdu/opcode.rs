//! The opcodes of RFC 7143 section 11.2.1.2.

/// What a PDU is, from the low six bits of its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Opcode {
    /// Initiator: NOP-Out.
    NopOut = 0x00,
    /// Initiator: SCSI Command.
    ScsiCommand = 0x01,
    /// Initiator: Task Management Function Request.
    TaskManagementRequest = 0x02,
    /// Initiator: Login Request.
    LoginRequest = 0x03,
    /// Initiator: Text Request.
    TextRequest = 0x04,
    /// Initiator: SCSI Data-Out.
    DataOut = 0x05,
    /// Initiator: Logout Request.
    LogoutRequest = 0x06,
    /// Initiator: SNACK Request.
    Snack = 0x10,
    /// Target: NOP-In.
    NopIn = 0x20,
    /// Target: SCSI Response.
    ScsiResponse = 0x21,
    /// Target: Task Management Function Response.
    TaskManagementResponse = 0x22,
    /// Target: Login Response.
    LoginResponse = 0x23,
    /// Target: Text Response.
    TextResponse = 0x24,
    /// Target: SCSI Data-In.
    DataIn = 0x25,
    /// Target: Logout Response.
    LogoutResponse = 0x26,
    /// Target: Ready To Transfer.
    R2t = 0x31,
    /// Target: Asynchronous Message.
    AsyncMessage = 0x32,
    /// Target: Reject.
    Reject = 0x3f,
}

impl Opcode {
    /// The opcode of that code.
    #[must_use]
    #[inline]
    pub fn from_code(code: u8) -> Option<Opcode> {
        Some(match code {
            0x00 => Opcode::NopOut,
            0x01 => Opcode::ScsiCommand,
            0x02 => Opcode::TaskManagementRequest,
            0x03 => Opcode::LoginRequest,
            0x04 => Opcode::TextRequest,
            0x05 => Opcode::DataOut,
            0x06 => Opcode::LogoutRequest,
            0x10 => Opcode::Snack,
            0x20 => Opcode::NopIn,
            0x21 => Opcode::ScsiResponse,
            0x22 => Opcode::TaskManagementResponse,
            0x23 => Opcode::LoginResponse,
            0x24 => Opcode::TextResponse,
            0x25 => Opcode::DataIn,
            0x26 => Opcode::LogoutResponse,
            0x31 => Opcode::R2t,
            0x32 => Opcode::AsyncMessage,
            0x3f => Opcode::Reject,
            _ => return None,
        })
    }

    /// The first byte of a PDU: the opcode, with the I bit where it is for immediate delivery.
    #[inline]
    pub(super) fn byte(self, immediate: bool) -> u8 {
        self as u8 | if immediate { super::IMMEDIATE } else { 0 }
    }
}
