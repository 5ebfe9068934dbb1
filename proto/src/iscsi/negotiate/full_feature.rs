//! Keys in Text Requests and Responses: a few may be declared again while a session runs, above all
//! MaxRecvDataSegmentLength (RFC 7143 section 13.12). SendTargets and what answers it pass by.

use alloc::string::ToString;

use super::declared::Declared;
use super::key::obsolete_answer;
use super::machine::UNKNOWN_KEYS_MAX;
use super::{Key, NegotiationError, Phase, Sender, SessionParams};
use crate::iscsi::text::{NOT_UNDERSTOOD, Pair, TextOut, is_refusal};

/// Takes what the peer declares again into `params`, and answers unknown keys. `role` is who reads:
/// [`Sender::Initiator`] or [`Sender::Target`].
///
/// # Errors
/// A key of the login, of the wrong side, or with an illegal value; `params` are as they were.
pub fn redeclare(
    params: &mut SessionParams,
    role: Sender,
    pairs: &[Pair],
    out: &mut TextOut,
) -> Result<(), NegotiationError> {
    let mut declared = Declared::of(params);
    let mut unknown = 0;
    for Pair { key: name, value } in pairs.iter().filter(|pair| !is_refusal(&pair.value)) {
        match Key::from_name(name) {
            Some(key) => take(&mut declared, role, key, value)?,
            None if unknown == UNKNOWN_KEYS_MAX => return Err(NegotiationError::TooManyKeys),
            None => {
                unknown += 1;
                out.push(name, obsolete_answer(name).unwrap_or(NOT_UNDERSTOOD));
            }
        }
    }
    let len = declared.peer_recv_len.expect("taken from the session's own");
    params.max_send_data_segment_len = len;
    params.initiator_alias = declared.initiator_alias;
    params.target_alias = declared.target_alias;
    Ok(())
}

fn take(
    declared: &mut Declared,
    role: Sender,
    key: Key,
    value: &str,
) -> Result<(), NegotiationError> {
    if !key.is_allowed_in(Phase::FullFeature) {
        return Err(NegotiationError::WrongPhase(key));
    }
    if matches!(key, Key::SendTargets | Key::TargetName | Key::TargetAddress) {
        return Ok(());
    }
    if key.sender() == role {
        return Err(NegotiationError::WrongSender(key));
    }
    let illegal = || NegotiationError::IllegalValue { key, value: value.to_string() };
    if declared.take(key, value) { Ok(()) } else { Err(illegal()) }
}
