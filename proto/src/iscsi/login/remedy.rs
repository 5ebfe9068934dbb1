//! What a person does about a refused login, by its status (RFC 7143 section 11.13.5).

use crate::iscsi::pdu::{LoginClass, LoginStatus};

/// One sentence: what happened, and the remedy.
pub fn remedy(status: LoginStatus) -> &'static str {
    use LoginStatus::*;
    match status {
        Success => "the login succeeded",
        MovedTemporarily => "the target is elsewhere for a while: log in at the address it named",
        MovedPermanently => "the target is elsewhere for good: use the address it named",
        InitiatorError => {
            "the target found a mistake in the login: see its log; with CHAP offer MD5 alone, for \
             some targets number the other algorithms otherwise"
        }
        AuthenticationFailure => {
            "authentication failed: check CHAP name and secret, and whether the target wants CHAP"
        }
        AuthorizationFailure => "this initiator may not use the target: add it to its access list",
        NotFound => "there is no target of that name: run a discovery to see which there are",
        TargetRemoved => "the target was removed: it does not come back under this name",
        UnsupportedVersion => "the target speaks no version of iSCSI that is spoken here",
        TooManyConnections => "the session has as many connections as the target allows",
        MissingParameter => "the target misses a key, such as the name of initiator or target",
        CannotIncludeInSession => "the target cannot take the connection into the session",
        SessionTypeNotSupported => "the target does not do sessions of this type",
        SessionDoesNotExist => "the target has forgotten the session: begin a new one",
        InvalidDuringLogin => "the target got a request that does not belong into a login",
        TargetError => "the target has trouble of its own: see its log, then try again",
        ServiceUnavailable => "the target is not ready: try again later",
        OutOfResources => "the target is out of resources: close other sessions or try later",
        Other(_) => by_class(status.class()),
    }
}

fn by_class(class: LoginClass) -> &'static str {
    match class {
        LoginClass::Success => "the login succeeded",
        LoginClass::Redirection => "the target is elsewhere",
        LoginClass::InitiatorError => "the target blames the initiator: see its log",
        LoginClass::TargetError => "the target has trouble of its own: try again later",
        LoginClass::Reserved => "the target answered with a status that does not exist",
    }
}
