//! A target against initiators that err: the right status, and the end.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use super::super::initiator::{self, LoginConfig, Proof};
use super::super::target::TargetLoginState;
use super::super::*;
use super::lab::*;
use crate::iscsi::chap::{Algorithm, ChapError, DEFAULT_ALGORITHMS};
use crate::iscsi::negotiate::Offer;
use crate::iscsi::pdu::{
    Itt, LoginFlags, LoginRequest, LoginResponse, LoginStatus, NopOut, Stage, Ttt,
};
use crate::scsi::Lun;
use crate::serial::Serial;

/// The status that ends the login of this initiator.
fn status(config: LoginConfig, directory: &Directory) -> LoginStatus {
    let mut i = initiator::Login::new(config).unwrap();
    let mut t = target();
    assert!(run(&mut i, &mut t, directory).is_err());
    let TargetLoginState::Closing(status) = t.state() else { panic!("{:?}", t.state()) };
    assert!(t.poll_transmit().is_none(), "nothing after the last response");
    status
}

fn with_presence(presence: Presence) -> Directory {
    let mut directory = directory(Authentication::None);
    directory.targets.get_mut(&name(DISK)).unwrap().presence = presence;
    directory
}

#[test]
fn who_may_not_is_told_why() {
    let open = directory(Authentication::None);
    let other = name("iqn.2026-11.net.byway:other");
    let stranger = Offer::normal(other.clone(), name(DISK));
    let stranger = LoginConfig { offer: stranger, ..config(Proof::None) };
    assert_eq!(status(stranger, &open), LoginStatus::AuthorizationFailure);
    let lost = LoginConfig { offer: Offer::normal(name(HOST), other), ..config(Proof::None) };
    assert_eq!(status(lost, &open), LoginStatus::NotFound);
    let removed = with_presence(Presence::Removed);
    assert_eq!(status(config(Proof::None), &removed), LoginStatus::TargetRemoved);
    let resting = with_presence(Presence::Unavailable);
    assert_eq!(status(config(Proof::None), &resting), LoginStatus::ServiceUnavailable);
    let closed = Directory { discovery: Access::Listed(BTreeMap::new()), ..open };
    let asks = LoginConfig { offer: Offer::discovery(name(HOST)), ..config(Proof::None) };
    assert_eq!(status(asks, &closed), LoginStatus::AuthorizationFailure);
}

#[test]
fn rfc_point_20_whoever_does_not_prove_itself_stays_outside() {
    let directory = directory(terms());
    assert_eq!(status(config(Proof::None), &directory), LoginStatus::AuthenticationFailure);
    let own = credentials("host", "not the secret of the host");
    let wrong = Proof::Chap { own, peer: None, algorithms: DEFAULT_ALGORITHMS.to_vec() };
    assert_eq!(status(config(wrong), &directory), LoginStatus::AuthenticationFailure);
    let own = credentials("hostess", HOST_SECRET);
    let wrong = Proof::Chap { own, peer: None, algorithms: DEFAULT_ALGORITHMS.to_vec() };
    assert_eq!(status(config(wrong), &directory), LoginStatus::AuthenticationFailure);
}

#[test]
fn rfc_point_20_a_target_that_cannot_prove_itself_is_left() {
    let own = credentials("host", HOST_SECRET);
    let mutual = Some((peer("disk", "what the disk does not know"), challenge(9)));
    let proof = Proof::Chap { own, peer: mutual, algorithms: vec![Algorithm::Md5] };
    let mut i = initiator::Login::new(config(proof)).unwrap();
    let ended = run(&mut i, &mut target(), &directory(terms()));
    assert_eq!(ended, Err(End::Initiator(LoginError::Chap(ChapError::WrongResponse))));
}

#[test]
fn a_target_with_equal_secrets_blames_itself() {
    let Authentication::Chap(mut terms) = terms() else { unreachable!() };
    terms.own = Some(credentials("disk", HOST_SECRET));
    let directory = directory(Authentication::Chap(terms));
    let proof = proof(false, &DEFAULT_ALGORITHMS);
    assert_eq!(status(config(proof), &directory), LoginStatus::TargetError);
}

/// A first request in the operational stage that is right.
pub(super) fn first() -> LoginRequest {
    LoginRequest {
        flags: LoginFlags {
            current: Stage::Operational,
            next: Some(Stage::FullFeature),
            is_continued: false,
        },
        version_max: 0,
        version_min: 0,
        data_len: 0,
        isid: config(Proof::None).isid,
        tsih: 0,
        itt: Itt(1),
        cid: 2,
        cmd_sn: Serial(3),
        exp_stat_sn: Serial(0),
    }
}

const NAMES: [(&str, &str); 2] = [("InitiatorName", HOST), ("TargetName", DISK)];

/// Sends requests one after the other; gives the status of the last response.
pub(super) fn answers(requests: &[(LoginRequest, &[u8])]) -> (LoginStatus, Result<(), LoginError>) {
    let (mut t, directory) = (target(), directory(Authentication::None));
    let mut last = None;
    for (request, data) in requests {
        let bhs = LoginRequest { data_len: data.len() as u32, ..*request }.encode();
        let heard = t.handle(&bhs, data, &directory);
        if let TargetLoginState::Deciding(_) = t.state() {
            t.accept(TSIH);
        }
        let (bhs, _) = sent(t.poll_transmit()).expect("every request is answered");
        last = Some((LoginResponse::decode(&bhs).unwrap().status, heard));
    }
    last.unwrap()
}

#[test]
fn one_request_in_the_operational_stage_is_enough() {
    assert_eq!(answers(&[(first(), &text(&NAMES))]), (LoginStatus::Success, Ok(())));
}

#[test]
fn who_introduces_itself_in_each_stage_is_let_in_as_long_as_it_is_the_same() {
    let flags =
        LoginFlags { current: Stage::Security, next: Some(Stage::Operational), ..first().flags };
    let security = LoginRequest { flags, ..first() };
    let operational = LoginRequest { flags: LoginFlags { next: None, ..first().flags }, ..first() };
    let names = text(&NAMES);
    assert_eq!(answers(&[(security, &names), (operational, &names)]).1, Ok(()));
    let other = text(&[("InitiatorName", "iqn.2026-11.net.byway:other")]);
    let heard = answers(&[(security, &names), (operational, &other)]);
    assert!(matches!(heard, (LoginStatus::InitiatorError, Err(LoginError::Negotiation(_)))));
}

#[test]
fn rfc_point_20_nobody_walks_around_the_security_stage() {
    let mut t = target();
    let data = text(&NAMES);
    let bhs = LoginRequest { data_len: data.len() as u32, ..first() }.encode();
    let heard = t.handle(&bhs, &data, &directory(terms()));
    assert_eq!(heard, Err(LoginError::Refused(LoginStatus::AuthenticationFailure)));
    let mut t = target();
    let flags = LoginFlags { current: Stage::Security, ..first().flags };
    let bhs = LoginRequest { flags, data_len: data.len() as u32, ..first() }.encode();
    let heard = t.handle(&bhs, &data, &directory(terms()));
    assert_eq!(heard, Err(LoginError::NoAuthMethod));
}

#[test]
fn first_keys_that_are_missing_or_wrong() {
    let status = |pairs: &[(&str, &str)]| answers(&[(first(), &text(pairs))]).0;
    assert_eq!(status(&[]), LoginStatus::MissingParameter);
    assert_eq!(status(&NAMES[..1]), LoginStatus::MissingParameter);
    assert_eq!(status(&NAMES[1..]), LoginStatus::MissingParameter);
    let and = |pair| [NAMES[0], NAMES[1], pair];
    assert_eq!(status(&and(("SessionType", "Party"))), LoginStatus::SessionTypeNotSupported);
    assert_eq!(status(&and(("MaxBurstLength", "many"))), LoginStatus::InitiatorError);
    assert_eq!(status(&[("InitiatorName", "me"), NAMES[1]]), LoginStatus::InitiatorError);
    assert_eq!(answers(&[(first(), b"InitiatorName")]).0, LoginStatus::InitiatorError);
}

#[test]
fn headers_that_do_not_fit() {
    let version = LoginRequest { version_max: 2, version_min: 1, ..first() };
    assert_eq!(answers(&[(version, &text(&NAMES))]).0, LoginStatus::UnsupportedVersion);
    let flags = LoginFlags { next: None, ..first().flags };
    let start = LoginRequest { flags, ..first() };
    let wrong = [
        (LoginRequest { itt: Itt(9), ..start }, Mismatch::Itt),
        (LoginRequest { cid: 9, ..start }, Mismatch::Cid),
        (LoginRequest { tsih: 9, ..start }, Mismatch::Tsih),
        (LoginRequest { cmd_sn: Serial(4), ..start }, Mismatch::CmdSn),
        (LoginRequest { isid: crate::iscsi::pdu::Isid([9; 6]), ..start }, Mismatch::Isid),
    ];
    for (second, field) in wrong {
        let expected = (LoginStatus::InitiatorError, Err(LoginError::Mismatch(field)));
        assert_eq!(answers(&[(start, &text(&NAMES)), (second, &[])]), expected);
    }
    let back = LoginFlags { current: Stage::Security, ..flags };
    let back = answers(&[(start, &text(&NAMES)), (LoginRequest { flags: back, ..start }, &[])]);
    assert_eq!(back.1, Err(LoginError::Mismatch(Mismatch::Stage)));
}

#[test]
fn rfc_point_10_text_instead_of_an_empty_answer_to_a_part() {
    let mut t = super::super::target::Login::new(target_config(super::super::target::Pace {
        part_len: 10,
        held_rounds: 0,
    }));
    let data = text(&NAMES);
    let bhs = LoginRequest { data_len: data.len() as u32, ..first() }.encode();
    t.handle(&bhs, &data, &directory(Authentication::None)).unwrap();
    let (part, _) = sent(t.poll_transmit()).unwrap();
    assert!(LoginResponse::decode(&part).unwrap().flags.is_continued);
    let heard = t.handle(&bhs, &data, &directory(Authentication::None));
    assert_eq!(heard, Err(LoginError::TextInsteadOfEmpty));
}

#[test]
fn a_login_without_end_ends() {
    let flags = LoginFlags { next: None, ..first().flags };
    let start = LoginRequest { flags, ..first() };
    let names = text(&NAMES);
    let mut requests: Vec<(LoginRequest, &[u8])> = vec![(start, &names)];
    requests.resize(LOGIN_ROUNDS_MAX as usize, (start, &[]));
    assert_eq!(answers(&requests).0, LoginStatus::Success);
    requests.push((start, &[]));
    assert_eq!(answers(&requests).1, Err(LoginError::TooManyRounds));
}

#[test]
fn what_is_not_a_login_is_refused() {
    let mut t = target();
    let nop = NopOut {
        immediate: true,
        lun: Lun::ZERO,
        itt: Itt(1),
        ttt: Ttt::NONE,
        cmd_sn: Serial(0),
        exp_stat_sn: Serial(0),
        data_len: 0,
    };
    let heard = t.handle(&nop.encode(), &[], &directory(Authentication::None));
    assert_eq!(heard, Err(LoginError::NotALogin { first_byte: 0x40 }));
    let (bhs, _) = sent(t.poll_transmit()).unwrap();
    assert_eq!(LoginResponse::decode(&bhs).unwrap().status, LoginStatus::InvalidDuringLogin);
}

#[test]
fn a_request_before_the_answer_is_out_of_turn() {
    let (mut t, directory) = (target(), directory(Authentication::None));
    let data = text(&NAMES);
    let flags = LoginFlags { next: None, ..first().flags };
    let bhs = LoginRequest { flags, data_len: data.len() as u32, ..first() }.encode();
    t.handle(&bhs, &data, &directory).unwrap();
    assert_eq!(t.handle(&bhs, &data, &directory), Err(LoginError::OutOfTurn));
}
