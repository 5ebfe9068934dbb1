//! Does a response belong to this login (RFC 7143 section 11.13)?

use super::LoginConfig;
use crate::iscsi::login::{LoginError, Mismatch};
use crate::iscsi::pdu::{Bhs, LoginResponse, Opcode, opcode};

/// A login response, whoever it is for.
pub(super) fn response(bhs: &Bhs, data: &[u8]) -> Result<LoginResponse, LoginError> {
    if opcode(bhs) != Some(Opcode::LoginResponse) {
        return Err(LoginError::NotALogin { first_byte: bhs[0] });
    }
    let response = LoginResponse::decode(bhs)?;
    if response.data_len as usize != data.len() {
        return Err(LoginError::Mismatch(Mismatch::DataLen));
    }
    Ok(response)
}

/// A response of success, for us. (A refusal counts whatever its other fields say.)
pub(super) fn identity(config: &LoginConfig, response: &LoginResponse) -> Result<(), LoginError> {
    let is_other_session = config.tsih != 0 && response.tsih != config.tsih;
    let wrong = [
        (response.itt != config.itt, Mismatch::Itt),
        (response.isid != config.isid, Mismatch::Isid),
        (is_other_session, Mismatch::Tsih),
        (response.version_active != 0, Mismatch::Version),
    ];
    match wrong.into_iter().find(|(is_wrong, _)| *is_wrong) {
        Some((_, field)) => Err(LoginError::Mismatch(field)),
        None => Ok(()),
    }
}
