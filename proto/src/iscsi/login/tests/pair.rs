//! Logins that succeed, in every combination.

use super::super::initiator::{self, LoginConfig, Proof};
use super::super::target::{self, Pace, TargetLoginState};
use super::super::*;
use super::lab::*;
use crate::iscsi::chap::DEFAULT_ALGORITHMS;
use crate::iscsi::negotiate::{Offer, SessionType};
use crate::iscsi::pdu::{LoginRequest, LoginResponse, LoginStatus, Stage};
use crate::serial::Serial;

fn logs_in(proof: Proof, terms: Authentication, pace: Pace) -> usize {
    let mut i = initiator::Login::with_parts(config(proof), pace.part_len).unwrap();
    let mut t = target::Login::new(target_config(pace));
    let requests = run(&mut i, &mut t, &directory(terms)).unwrap();
    let (mine, theirs) = outcomes(&i, &t);
    assert_eq!(mine.tsih, TSIH);
    assert_eq!(mine.cmd_sn, theirs.exp_cmd_sn, "a login does not take its CmdSN");
    assert_eq!(mine.exp_stat_sn, theirs.stat_sn);
    assert_eq!(mine.max_cmd_sn, theirs.max_cmd_sn);
    assert_eq!(mine.max_cmd_sn, mine.cmd_sn.plus(127));
    assert_eq!(mine.params.target_alias.as_deref(), Some("the disk"));
    assert_eq!(mine.params.target_portal_group_tag, Some(PORTAL_GROUP));
    assert_eq!(theirs.params.initiator_name, Some(name(HOST)));
    assert!(!mine.params.initial_r2t && mine.params.immediate_data);
    assert_eq!(mine.params.max_burst_len, theirs.params.max_burst_len);
    requests
}

#[test]
fn rfc_point_10_and_11_login_stages_over_all_combinations() {
    for part_len in [1, 2, 7, 100, LOGIN_PART_LEN_MAX] {
        for held_rounds in [0, 1, 3] {
            let pace = Pace { part_len, held_rounds };
            logs_in(Proof::None, Authentication::None, pace);
            for algorithm in DEFAULT_ALGORITHMS {
                logs_in(proof(false, &[algorithm]), terms(), pace);
                logs_in(proof(true, &[algorithm]), terms(), pace);
            }
        }
    }
}

#[test]
fn a_login_takes_no_more_rounds_than_it_needs() {
    assert_eq!(logs_in(Proof::None, Authentication::None, Pace::default()), 2);
    assert_eq!(logs_in(proof(false, &DEFAULT_ALGORITHMS), terms(), Pace::default()), 4);
    assert_eq!(logs_in(proof(true, &DEFAULT_ALGORITHMS), terms(), Pace::default()), 4);
}

#[test]
fn who_offers_chap_may_be_let_in_without() {
    let i = proof(false, &DEFAULT_ALGORITHMS);
    assert_eq!(logs_in(i, Authentication::None, Pace::default()), 3);
}

#[test]
fn rfc_point_11_one_itt_and_one_cmd_sn_for_the_whole_login() {
    let pace = Pace { part_len: 50, held_rounds: 1 };
    let mut i = initiator::Login::with_parts(config(proof(true, &DEFAULT_ALGORITHMS)), 50).unwrap();
    let mut t = target::Login::new(target_config(pace));
    let mut stat_sn = None;
    while let Some((bhs, data)) = sent(i.poll_transmit()) {
        let request = LoginRequest::decode(&bhs).unwrap();
        assert_eq!((request.itt, request.cmd_sn), (config(Proof::None).itt, Serial(u32::MAX)));
        assert!(data.len() <= 50);
        t.handle(&bhs, &data, &directory(terms())).unwrap();
        if let TargetLoginState::Deciding(_) = t.state() {
            t.accept(TSIH);
        }
        let (bhs, data) = sent(t.poll_transmit()).unwrap();
        let response = LoginResponse::decode(&bhs).unwrap();
        assert!(response.flags.next.is_none() || request.flags.next == response.flags.next);
        assert!(stat_sn.is_none_or(|expected| response.stat_sn == expected));
        stat_sn = Some(response.stat_sn.next());
        i.handle(&bhs, &data).unwrap();
    }
    outcomes(&i, &t);
}

#[test]
fn a_discovery_session_has_no_target() {
    let offer = Offer::discovery(name(HOST));
    let config = LoginConfig { offer, portal_group: None, ..config(Proof::None) };
    let mut i = initiator::Login::new(config).unwrap();
    let mut t = target();
    run(&mut i, &mut t, &directory(terms())).unwrap();
    let (mine, theirs) = outcomes(&i, &t);
    assert_eq!(mine.params.session_type, SessionType::Discovery);
    assert_eq!(theirs.applicant.target_name, None);
    assert_eq!(mine.params.target_portal_group_tag, None);
}

#[test]
fn the_shell_decides_before_the_last_response_goes_out() {
    let directory = directory(Authentication::None);
    let mut i = initiator::Login::new(config(Proof::None)).unwrap();
    let mut t = target();
    for _ in 0..2 {
        let (bhs, data) = sent(i.poll_transmit()).unwrap();
        t.handle(&bhs, &data, &directory).unwrap();
        if let Some((bhs, data)) = sent(t.poll_transmit()) {
            i.handle(&bhs, &data).unwrap();
        }
    }
    let TargetLoginState::Deciding(applicant) = t.state() else { panic!("to be decided") };
    assert_eq!((&applicant.initiator_name, applicant.tsih), (&name(HOST), 0));
    assert_eq!(applicant.isid, config(Proof::None).isid);
    t.reject(LoginStatus::OutOfResources);
    let (bhs, data) = sent(t.poll_transmit()).unwrap();
    let refused = LoginError::Refused(LoginStatus::OutOfResources);
    assert_eq!(i.handle(&bhs, &data), Err(refused));
    assert_eq!(t.state(), TargetLoginState::Closing(LoginStatus::OutOfResources));
}

#[test]
fn rfc_point_11_a_session_is_named_by_its_tsih() {
    let mut t = target();
    let mut i = initiator::Login::new(LoginConfig { tsih: TSIH, ..config(Proof::None) }).unwrap();
    run(&mut i, &mut t, &directory(Authentication::None)).unwrap();
    let (_, theirs) = outcomes(&i, &t);
    assert_eq!(theirs.applicant.tsih, TSIH);

    let mut i = initiator::Login::new(LoginConfig { tsih: 8, ..config(Proof::None) }).unwrap();
    let ended = run(&mut i, &mut target(), &directory(Authentication::None));
    assert_eq!(ended, Err(End::Initiator(LoginError::Mismatch(Mismatch::Tsih))));
}

#[test]
fn stages_are_told() {
    use initiator::LoginState::Negotiating;
    let i = initiator::Login::new(config(Proof::None)).unwrap();
    assert_eq!(i.state(), Negotiating(Stage::Security));
    assert_eq!(target().state(), TargetLoginState::Negotiating(Stage::Security));
}
