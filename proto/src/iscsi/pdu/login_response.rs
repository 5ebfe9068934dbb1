//! Login Response (RFC 7143 section 11.13).
//!
//! Once the status class says that the login failed, stages and keys mean nothing: targets leave
//! them zero or stale, and the initiator has to read the status all the same.

use zerocopy::byteorder::big_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{BHS_LEN, Bhs, Isid, Itt, LoginFlags, Opcode, PduError, Stage, U24, to_bhs, view};
use crate::serial::Serial;

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Wire {
    opcode: u8,
    flags: u8,
    version_max: u8,
    version_active: u8,
    ahs_len: u8,
    data_len: U24,
    isid: [u8; 6],
    tsih: U16,
    itt: U32,
    reserved: U32,
    stat_sn: U32,
    exp_cmd_sn: U32,
    max_cmd_sn: U32,
    status: U16,
    reserved2: U16,
    reserved3: [u8; 8],
}

const _: () = assert!(size_of::<Wire>() == BHS_LEN);

/// What a login status means for what the initiator does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LoginClass {
    /// 0: the login goes on, or is done.
    Success,
    /// 1: log in at the TargetAddress of the answer.
    Redirection,
    /// 2: the initiator is at fault; trying the same again is of no use.
    InitiatorError,
    /// 3: the target is at fault; trying again may help.
    TargetError,
    /// Classes that the RFC reserves.
    Reserved,
}

/// Status-Class and Status-Detail, class in the high byte (RFC 7143 section 11.13.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LoginStatus {
    /// 0000: so far so good.
    Success,
    /// 0101: the target moved for a while; the address must not be stored.
    MovedTemporarily,
    /// 0102: the target moved for good; the address may be stored.
    MovedPermanently,
    /// 0200: some error of the initiator.
    InitiatorError,
    /// 0201: authentication failed.
    AuthenticationFailure,
    /// 0202: this initiator may not.
    AuthorizationFailure,
    /// 0203: no such target.
    NotFound,
    /// 0204: the target is gone for good.
    TargetRemoved,
    /// 0205: no common version.
    UnsupportedVersion,
    /// 0206: too many connections in the session.
    TooManyConnections,
    /// 0207: a key that must be there is not (InitiatorName, TargetName).
    MissingParameter,
    /// 0208: the target cannot put this connection into the session.
    CannotIncludeInSession,
    /// 0209: the session type is not supported.
    SessionTypeNotSupported,
    /// 020a: no session with that TSIH.
    SessionDoesNotExist,
    /// 020b: a request that has no place in a login.
    InvalidDuringLogin,
    /// 0300: some error of the target.
    TargetError,
    /// 0301: the target is not operational.
    ServiceUnavailable,
    /// 0302: the target lacks resources.
    OutOfResources,
    /// A detail that the RFC does not name; its class decides.
    Other(u16),
}

impl LoginStatus {
    const ALL: [LoginStatus; 18] = [
        LoginStatus::Success,
        LoginStatus::MovedTemporarily,
        LoginStatus::MovedPermanently,
        LoginStatus::InitiatorError,
        LoginStatus::AuthenticationFailure,
        LoginStatus::AuthorizationFailure,
        LoginStatus::NotFound,
        LoginStatus::TargetRemoved,
        LoginStatus::UnsupportedVersion,
        LoginStatus::TooManyConnections,
        LoginStatus::MissingParameter,
        LoginStatus::CannotIncludeInSession,
        LoginStatus::SessionTypeNotSupported,
        LoginStatus::SessionDoesNotExist,
        LoginStatus::InvalidDuringLogin,
        LoginStatus::TargetError,
        LoginStatus::ServiceUnavailable,
        LoginStatus::OutOfResources,
    ];

    /// Class and detail.
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            LoginStatus::Success => 0x0000,
            LoginStatus::MovedTemporarily => 0x0101,
            LoginStatus::MovedPermanently => 0x0102,
            LoginStatus::InitiatorError => 0x0200,
            LoginStatus::AuthenticationFailure => 0x0201,
            LoginStatus::AuthorizationFailure => 0x0202,
            LoginStatus::NotFound => 0x0203,
            LoginStatus::TargetRemoved => 0x0204,
            LoginStatus::UnsupportedVersion => 0x0205,
            LoginStatus::TooManyConnections => 0x0206,
            LoginStatus::MissingParameter => 0x0207,
            LoginStatus::CannotIncludeInSession => 0x0208,
            LoginStatus::SessionTypeNotSupported => 0x0209,
            LoginStatus::SessionDoesNotExist => 0x020a,
            LoginStatus::InvalidDuringLogin => 0x020b,
            LoginStatus::TargetError => 0x0300,
            LoginStatus::ServiceUnavailable => 0x0301,
            LoginStatus::OutOfResources => 0x0302,
            LoginStatus::Other(code) => code,
        }
    }

    /// The status of that class and detail.
    #[must_use]
    pub fn from_code(code: u16) -> LoginStatus {
        let known = LoginStatus::ALL.into_iter().find(|status| status.code() == code);
        known.unwrap_or(LoginStatus::Other(code))
    }

    /// The class.
    #[must_use]
    pub fn class(self) -> LoginClass {
        match self.code() >> 8 {
            0 => LoginClass::Success,
            1 => LoginClass::Redirection,
            2 => LoginClass::InitiatorError,
            3 => LoginClass::TargetError,
            _ => LoginClass::Reserved,
        }
    }
}

/// A step of the login from the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LoginResponse {
    /// T, C, CSG and NSG.
    pub flags: LoginFlags,
    /// Highest version that the target speaks.
    pub version_max: u8,
    /// The version in use.
    pub version_active: u8,
    /// Length of the keys, in bytes.
    pub data_len: u32,
    /// Copied from the request.
    pub isid: Isid,
    /// The target's part of the session identifier; not 0 in the last response of a login.
    pub tsih: u16,
    /// Copied from the request.
    pub itt: Itt,
    /// The number of this response; the first begins the connection's count.
    pub stat_sn: Serial,
    /// First command not yet received in order.
    pub exp_cmd_sn: Serial,
    /// Last command that may be sent.
    pub max_cmd_sn: Serial,
    /// How it goes.
    pub status: LoginStatus,
}

impl LoginResponse {
    /// The header.
    #[must_use]
    pub fn encode(&self) -> Bhs {
        to_bhs(&Wire {
            opcode: Opcode::LoginResponse.byte(false),
            flags: self.flags.encode(),
            version_max: self.version_max,
            version_active: self.version_active,
            ahs_len: 0,
            data_len: U24::new(self.data_len),
            isid: self.isid.0,
            tsih: self.tsih.into(),
            itt: self.itt.0.into(),
            reserved: U32::ZERO,
            stat_sn: self.stat_sn.0.into(),
            exp_cmd_sn: self.exp_cmd_sn.0.into(),
            max_cmd_sn: self.max_cmd_sn.0.into(),
            status: self.status.code().into(),
            reserved2: U16::ZERO,
            reserved3: [0; 8],
        })
    }

    /// Reads the header.
    ///
    /// # Errors
    /// In a response of success: stages that do not exist or do not go forward, or T=1 with C=1.
    pub fn decode(bhs: &Bhs) -> Result<LoginResponse, PduError> {
        let wire = view::<Wire>(bhs);
        let status = LoginStatus::from_code(wire.status.get());
        let flags = match LoginFlags::decode(Opcode::LoginResponse, wire.flags) {
            Err(_) if status.class() != LoginClass::Success => {
                LoginFlags { current: Stage::Security, next: None, is_continued: false }
            }
            decoded => decoded?,
        };
        Ok(LoginResponse {
            flags,
            version_max: wire.version_max,
            version_active: wire.version_active,
            data_len: wire.data_len.get(),
            isid: Isid(wire.isid),
            tsih: wire.tsih.get(),
            itt: Itt(wire.itt.get()),
            stat_sn: Serial(wire.stat_sn.get()),
            exp_cmd_sn: Serial(wire.exp_cmd_sn.get()),
            max_cmd_sn: Serial(wire.max_cmd_sn.get()),
            status,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Field;
    use super::*;

    /// A redirect, its address in the data segment.
    const WIRE: Bhs = [
        0x23, 0x04, 0, 0, 0, 0, 0, 40, 0x80, 1, 2, 3, 0, 4, 0, 5, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0,
        7, 0, 0, 0, 8, 0, 0, 0, 9, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];

    #[test]
    fn a_redirect_looks_as_in_the_figure() {
        let flags = LoginFlags { current: Stage::Operational, next: None, is_continued: false };
        let pdu = LoginResponse {
            flags,
            version_max: 0,
            version_active: 0,
            data_len: 40,
            isid: Isid([0x80, 1, 2, 3, 0, 4]),
            tsih: 5,
            itt: Itt(6),
            stat_sn: Serial(7),
            exp_cmd_sn: Serial(8),
            max_cmd_sn: Serial(9),
            status: LoginStatus::MovedTemporarily,
        };
        assert_eq!(pdu.encode(), WIRE);
        assert_eq!(LoginResponse::decode(&WIRE), Ok(pdu));
    }

    #[test]
    fn a_failed_login_is_read_whatever_its_stages_say() {
        let mut bhs = WIRE;
        bhs[1] = 0x8f;
        assert_eq!(LoginResponse::decode(&bhs).unwrap().flags.next, None);
        bhs[36..38].fill(0);
        assert_eq!(LoginResponse::decode(&bhs).unwrap_err().field, Field::Stage);
    }

    #[test]
    fn unknown_details_keep_their_class() {
        let status = LoginStatus::from_code(0x02ff);
        assert_eq!(status, LoginStatus::Other(0x02ff));
        assert_eq!(status.class(), LoginClass::InitiatorError);
        for code in 0..=0x0400 {
            assert_eq!(LoginStatus::from_code(code).code(), code);
        }
    }
}
