//! An initiator against targets that err: an error that names it, and the end.

use alloc::format;
use alloc::string::ToString;
use alloc::vec;

use super::super::initiator::{self, LoginState, Proof};
use super::super::*;
use super::lab::*;
use crate::iscsi::chap::{ChapError, DEFAULT_ALGORITHMS};
use crate::iscsi::negotiate::NegotiationError;
use crate::iscsi::pdu::{
    Bhs, Isid, Itt, LoginFlags, LoginResponse, LoginStatus, NopIn, Stage, Ttt,
};
use crate::scsi::Lun;
use crate::serial::Serial;

/// A right answer to the first request.
pub(super) fn right() -> LoginResponse {
    LoginResponse {
        flags: LoginFlags {
            current: Stage::Security,
            next: Some(Stage::Operational),
            is_continued: false,
        },
        version_max: 0,
        version_active: 0,
        data_len: 0,
        isid: config(Proof::None).isid,
        tsih: 0,
        itt: config(Proof::None).itt,
        stat_sn: Serial(10),
        exp_cmd_sn: config(Proof::None).cmd_sn,
        max_cmd_sn: Serial(100),
        status: LoginStatus::Success,
    }
}

pub(super) fn second() -> LoginResponse {
    let flags = LoginFlags {
        current: Stage::Operational,
        next: Some(Stage::FullFeature),
        is_continued: false,
    };
    LoginResponse { flags, tsih: 5, stat_sn: Serial(11), ..right() }
}

/// Answers requests with these responses; gives what the initiator says to the last.
pub(super) fn told(
    proof: Proof,
    answers: &[(LoginResponse, &[(&str, &str)])],
) -> Result<(), LoginError> {
    let mut i = initiator::Login::new(config(proof)).unwrap();
    let mut told = Ok(());
    for (response, pairs) in answers {
        assert_eq!(told, Ok(()));
        i.poll_transmit().expect("a request is there");
        let data = text(pairs);
        let bhs = LoginResponse { data_len: data.len() as u32, ..*response }.encode();
        told = i.handle(&bhs, &data);
    }
    assert_eq!(told.is_err(), i.state() == LoginState::Failed);
    told
}

fn mismatch(field: Mismatch) -> Result<(), LoginError> {
    Err(LoginError::Mismatch(field))
}

#[test]
fn right_answers_are_taken() {
    assert_eq!(told(Proof::None, &[(right(), &[("AuthMethod", "None")]), (second(), &[])]), Ok(()));
}

#[test]
fn rfc_point_11_headers_that_do_not_fit() {
    let stays = LoginFlags { next: None, ..right().flags };
    for (response, field) in [
        (LoginResponse { itt: Itt(9), ..right() }, Mismatch::Itt),
        (LoginResponse { isid: Isid([9; 6]), ..right() }, Mismatch::Isid),
        (LoginResponse { version_active: 1, ..right() }, Mismatch::Version),
        (second(), Mismatch::Stage),
        (
            LoginResponse {
                flags: LoginFlags { next: Some(Stage::FullFeature), ..stays },
                ..right()
            },
            Mismatch::Transit,
        ),
    ] {
        assert_eq!(told(Proof::None, &[(response, &[])]), mismatch(field));
    }
    let jump = LoginResponse { stat_sn: Serial(12), ..second() };
    assert_eq!(told(Proof::None, &[(right(), &[]), (jump, &[])]), mismatch(Mismatch::StatSn));
    let nameless = LoginResponse { tsih: 0, ..second() };
    assert_eq!(told(Proof::None, &[(right(), &[]), (nameless, &[])]), mismatch(Mismatch::Tsih));
}

#[test]
fn rfc_point_11_a_target_does_not_go_on_unasked_or_unproved() {
    let chap = || proof(true, &DEFAULT_ALGORITHMS);
    // The first request of CHAP does not ask to go on.
    let early = told(chap(), &[(right(), &[("AuthMethod", "CHAP")])]);
    assert_eq!(early, mismatch(Mismatch::Transit));

    let stays = LoginResponse { flags: LoginFlags { next: None, ..right().flags }, ..right() };
    let method: (LoginResponse, &[(&str, &str)]) = (stays, &[("AuthMethod", "CHAP")]);
    let challenge: (LoginResponse, &[(&str, &str)]) = (
        LoginResponse { stat_sn: Serial(11), ..stays },
        &[("CHAP_A", "5"), ("CHAP_I", "1"), ("CHAP_C", "0x1234567890abcdef")],
    );
    let silent = (LoginResponse { stat_sn: Serial(12), ..right() }, &[] as &[(&str, &str)]);
    let missing = LoginError::Chap(ChapError::Missing { key: "CHAP_N" });
    assert_eq!(told(chap(), &[method, challenge, silent]), Err(missing));
}

#[test]
fn a_target_that_wants_no_proof_is_refused_where_it_must_give_one() {
    let none = [("AuthMethod", "None")];
    let stays = LoginResponse { flags: LoginFlags { next: None, ..right().flags }, ..right() };
    let told = |proof, pairs: &[(&str, &str)]| told(proof, &[(stays, pairs)]);
    assert_eq!(told(proof(true, &DEFAULT_ALGORITHMS), &none), Err(LoginError::NoAuthMethod));
    assert_eq!(told(proof(true, &DEFAULT_ALGORITHMS), &[]), Err(LoginError::NoAuthMethod));
    assert_eq!(told(proof(false, &DEFAULT_ALGORITHMS), &none), Ok(()));
    assert_eq!(told(Proof::None, &[("AuthMethod", "CHAP")]), Err(LoginError::NoAuthMethod));
    assert_eq!(told(Proof::None, &[("AuthMethod", "Reject")]), Err(LoginError::NoAuthMethod));
}

#[test]
fn every_status_is_an_error_with_its_remedy() {
    for code in 0x0200..=0x0303 {
        let status = LoginStatus::from_code(code);
        let failed = told(Proof::None, &[(LoginResponse { status, ..right() }, &[])]);
        let error = LoginError::Refused(status);
        assert!(error.to_string().ends_with(&format!("(status {code:#06x})")));
        assert_eq!(failed, Err(error));
    }
    assert!(remedy(LoginStatus::AuthenticationFailure).contains("secret"));
    assert!(remedy(LoginStatus::Other(0x03ff)).contains("later"));
}

#[test]
fn a_redirect_to_nowhere_is_an_error() {
    let away = LoginResponse { status: LoginStatus::MovedTemporarily, ..right() };
    let key = "TargetAddress";
    assert_eq!(told(Proof::None, &[(away, &[])]), Err(LoginError::Missing { key }));
    let nowhere = told(Proof::None, &[(away, &[(key, "[::1")])]);
    assert_eq!(nowhere, Err(LoginError::BadValue { key }));
}

#[test]
fn an_offer_with_the_last_response_cannot_be_answered() {
    let offers: &[(&str, &str)] = &[("X-net.byway.colour", "blue")];
    let told = told(Proof::None, &[(right(), &[]), (second(), offers)]);
    assert_eq!(told, mismatch(Mismatch::Transit));
}

#[test]
fn a_key_for_the_second_time_is_an_error() {
    let stays = LoginFlags { next: None, ..second().flags };
    let first = LoginResponse { flags: stays, ..second() };
    let again = LoginResponse { stat_sn: Serial(12), ..second() };
    let burst: &[(&str, &str)] = &[("MaxBurstLength", "65536")];
    let told = told(Proof::None, &[(right(), &[]), (first, burst), (again, burst)]);
    assert!(matches!(told, Err(LoginError::Negotiation(NegotiationError::Renegotiated(_)))));
}

#[test]
fn rfc_point_11_a_target_that_keeps_us_for_ever_is_left() {
    let mut i = initiator::Login::new(config(Proof::None)).unwrap();
    let mut response =
        LoginResponse { flags: LoginFlags { next: None, ..right().flags }, ..right() };
    for _ in 0..LOGIN_ROUNDS_MAX {
        i.poll_transmit().unwrap();
        i.handle(&response.encode(), &[]).unwrap();
        response.stat_sn = response.stat_sn.next();
    }
    i.poll_transmit().unwrap();
    assert_eq!(i.handle(&response.encode(), &[]), Err(LoginError::TooManyRounds));
}

#[test]
fn rfc_point_10_text_without_end_ends() {
    let mut i = initiator::Login::new(config(Proof::None)).unwrap();
    let data = vec![b'x'; 8192];
    let flags = LoginFlags { next: None, is_continued: true, ..right().flags };
    let mut response = LoginResponse { flags, data_len: 8192, ..right() };
    let mut told = Ok(());
    for parts in 0.. {
        assert!(parts < 20);
        i.poll_transmit().unwrap();
        told = i.handle(&response.encode(), &data);
        response.stat_sn = response.stat_sn.next();
        if told.is_err() {
            break;
        }
    }
    assert!(matches!(told, Err(LoginError::Text(_))));
}

#[test]
fn what_is_no_answer_is_named() {
    let mut i = initiator::Login::new(config(Proof::None)).unwrap();
    let right: Bhs = right().encode();
    assert_eq!(i.handle(&right, &[]), Err(LoginError::OutOfTurn));
    let nop = NopIn {
        lun: Lun::ZERO,
        itt: Itt::NONE,
        ttt: Ttt(1),
        stat_sn: Serial(0),
        exp_cmd_sn: Serial(0),
        max_cmd_sn: Serial(0),
        data_len: 0,
    };
    let mut i = initiator::Login::new(config(Proof::None)).unwrap();
    i.poll_transmit().unwrap();
    let told = i.handle(&nop.encode(), &[]);
    assert_eq!(told, Err(LoginError::NotALogin { first_byte: 0x20 }));
    let mut i = initiator::Login::new(config(Proof::None)).unwrap();
    i.poll_transmit().unwrap();
    assert_eq!(i.handle(&right, b"more"), mismatch(Mismatch::DataLen));
}
