//! What other implementations say, as it was heard on the wire: tgt 1.0.85, istgt 0.4, libiscsi 1.19.

use alloc::vec::Vec;

use super::super::initiator::Proof;
use super::lab::*;
use super::wrong_initiator::{answers, first};
use super::wrong_target::{right, second, told};
use crate::iscsi::pdu::{LoginFlags, LoginRequest, LoginStatus, Stage};

type Pairs<'a> = &'a [(&'a str, &'a str)];

const TGT: Pairs<'static> = &[
    ("HeaderDigest", "None"),
    ("DataDigest", "None"),
    ("MaxConnections", "1"),
    ("InitialR2T", "Yes"),
    ("ImmediateData", "Yes"),
    ("MaxBurstLength", "262144"),
    ("FirstBurstLength", "65536"),
    ("DefaultTime2Wait", "2"),
    ("DefaultTime2Retain", "0"),
    ("MaxOutstandingR2T", "1"),
    ("DataPDUInOrder", "Yes"),
    ("DataSequenceInOrder", "Yes"),
    ("ErrorRecoveryLevel", "0"),
    ("TaskReporting", "NotUnderstood"),
    ("iSCSIProtocolLevel", "NotUnderstood"),
];

#[test]
fn tgt_and_istgt_are_understood() {
    let hello: Pairs<'_> = &[("TargetPortalGroupTag", "3"), ("AuthMethod", "None")];
    assert_eq!(told(Proof::None, &[(right(), hello), (second(), TGT)]), Ok(()));
    let istgt: Vec<_> =
        [("MaxRecvDataSegmentLength", "262144")].iter().chain(TGT).copied().collect();
    assert_eq!(told(Proof::None, &[(right(), hello), (second(), &istgt)]), Ok(()));
}

const LIBISCSI: Pairs<'static> = &[
    ("HeaderDigest", "None,CRC32C"),
    ("DataDigest", "None"),
    ("InitialR2T", "No"),
    ("ImmediateData", "Yes"),
    ("MaxBurstLength", "262144"),
    ("FirstBurstLength", "262144"),
    ("DefaultTime2Wait", "2"),
    ("DefaultTime2Retain", "0"),
    ("MaxOutstandingR2T", "1"),
    ("ErrorRecoveryLevel", "0"),
    ("IFMarker", "No"),
    ("OFMarker", "No"),
    ("MaxConnections", "1"),
    ("MaxRecvDataSegmentLength", "262144"),
    ("DataPDUInOrder", "Yes"),
    ("DataSequenceInOrder", "Yes"),
];
const NAMES: Pairs<'static> =
    &[("InitiatorName", HOST), ("TargetName", DISK), ("SessionType", "Normal")];

#[test]
fn libiscsi_is_let_in_with_one_request_or_two() {
    let all: Vec<_> = NAMES.iter().chain(LIBISCSI).copied().collect();
    assert_eq!(answers(&[(first(), &text(&all))]), (LoginStatus::Success, Ok(())));

    let next = Some(Stage::Operational);
    let flags = LoginFlags { current: Stage::Security, next, is_continued: false };
    let security = LoginRequest { flags, ..first() };
    let hello: Vec<_> = NAMES.iter().copied().chain([("AuthMethod", "CHAP,None")]).collect();
    // Old versions introduce themselves again in the second stage.
    for keys in [text(LIBISCSI), text(&all)] {
        let ended = answers(&[(security, &text(&hello)), (first(), &keys)]);
        assert_eq!(ended, (LoginStatus::Success, Ok(())));
    }
}
