//! Does a request belong to this login, and with which status is a mistake answered (RFC 7143
//! sections 11.12 and 11.13.5)?

use crate::iscsi::chap::ChapError;
use crate::iscsi::login::{LoginError, Mismatch};
use crate::iscsi::negotiate::NegotiationError;
use crate::iscsi::pdu::{Bhs, LoginRequest, LoginStatus, Opcode, opcode};

/// A login request, of whatever login.
pub(super) fn request(bhs: &Bhs, data: &[u8]) -> Result<LoginRequest, LoginError> {
    if opcode(bhs) != Some(Opcode::LoginRequest) {
        return Err(LoginError::NotALogin { first_byte: bhs[0] });
    }
    let request = LoginRequest::decode(bhs)?;
    if request.data_len as usize != data.len() {
        return Err(LoginError::Mismatch(Mismatch::DataLen));
    }
    Ok(request)
}

/// The header with its flags taken as zero, so that every login has something to be answered to.
pub(super) fn without_flags(bhs: &Bhs) -> LoginRequest {
    let mut calm = *bhs;
    calm[1] = 0;
    LoginRequest::decode(&calm).expect("only the flags of a login request can be wrong")
}

/// What stays the same from the first request to the last. ExpStatSN is not looked at: what it
/// acknowledges is not kept, and initiators have their own ideas of it during login.
pub(super) fn same_login(first: &LoginRequest, request: &LoginRequest) -> Result<(), LoginError> {
    let wrong = [
        (request.itt != first.itt, Mismatch::Itt),
        (request.isid != first.isid, Mismatch::Isid),
        (request.tsih != first.tsih, Mismatch::Tsih),
        (request.cid != first.cid, Mismatch::Cid),
        (request.cmd_sn != first.cmd_sn, Mismatch::CmdSn),
    ];
    match wrong.into_iter().find(|(is_wrong, _)| *is_wrong) {
        Some((_, field)) => Err(LoginError::Mismatch(field)),
        None => Ok(()),
    }
}

/// How the initiator is told.
pub(super) fn status_of(error: &LoginError) -> LoginStatus {
    match error {
        LoginError::Refused(status) => *status,
        LoginError::NotALogin { .. } => LoginStatus::InvalidDuringLogin,
        // Our own configuration is wrong: the initiator can do nothing about it.
        LoginError::Chap(
            ChapError::EqualSecrets | ChapError::BadOwnName | ChapError::NoAlgorithms,
        ) => LoginStatus::TargetError,
        LoginError::Chap(_) | LoginError::NoAuthMethod => LoginStatus::AuthenticationFailure,
        LoginError::Missing { .. } | LoginError::Negotiation(NegotiationError::Missing(_)) => {
            LoginStatus::MissingParameter
        }
        _ => LoginStatus::InitiatorError,
    }
}
