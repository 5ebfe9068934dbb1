//! Logins of both sides, against peers that send anything.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Input;
use super::chap::{challenge, credentials, peer};
use super::negotiate::{check, name, wishes};
use crate::iscsi::chap::DEFAULT_ALGORITHMS;
use crate::iscsi::login::initiator::{self, LoginConfig, LoginState, Proof};
use crate::iscsi::login::target::{self, Pace, TargetLoginConfig, TargetLoginState};
use crate::iscsi::login::{
    Access, Authentication, ChapTerms, Directory, LOGIN_ROUNDS_MAX, Presence, TargetAddress,
    TargetEntry,
};
use crate::iscsi::negotiate::{Offer, Operational};
use crate::iscsi::pdu::{Bhs, InitiatorPdu, Isid, Itt, TargetPdu, data_segment_len};
use crate::iscsi::text::TEXT_PARTS_MAX;
use crate::serial::Serial;

const HOST: &str = "iqn.2026-11.net.byway:host";
const DISK: &str = "iqn.2026-11.net.byway:disk";
/// More PDUs than any login takes.
const PDUS_MAX: u32 = LOGIN_ROUNDS_MAX + 2 * TEXT_PARTS_MAX;

/// An initiator logs in to a fuzzed target.
pub fn login_initiator(data: &[u8]) {
    let mut input = Input::new(data);
    let flags = input.byte();
    let is_mutual = flags & 2 != 0;
    let operational = if flags & 4 != 0 { wishes(&mut input) } else { Operational::default() };
    let config = LoginConfig {
        offer: Offer { operational, ..offer(flags & 8 != 0) },
        portal_group: (flags & 16 != 0).then_some(1),
        isid: Isid::from_random([1, 2, 3], 4),
        tsih: 0,
        cid: 1,
        proof: proof(flags & 1 != 0, is_mutual),
        itt: Itt(7),
        cmd_sn: Serial(u32::MAX),
    };
    let part_len = (u32::from(flags) & 32) * 256 + 16;
    let login = initiator::Login::with_parts(config, part_len);
    let mut login = login.expect("the configuration is sound");
    let mut stat_sn = u32::from(input.byte());
    for _ in 0..PDUS_MAX {
        let Some((request, segment)) = login.poll_transmit() else { break };
        assert_eq!(data_segment_len(&request) as usize, segment.len());
        assert!(InitiatorPdu::decode(&request).is_ok(), "we speak the language");
        let Some((bhs, text)) = response_to(&request, stat_sn, &mut input) else { return };
        stat_sn = stat_sn.wrapping_add(1);
        let result = login.handle(&bhs, text);
        assert_eq!(result.is_err(), login.state() == LoginState::Failed);
    }
    assert!(login.poll_transmit().is_none(), "a login ends");
    if let LoginState::Done(outcome) = login.state() {
        check(&outcome.params);
        assert!(outcome.tsih != 0, "a session has a number");
        assert!(!(flags & 1 != 0 && is_mutual), "the target has proved nothing");
    }
}

fn offer(is_discovery: bool) -> Offer {
    if is_discovery { Offer::discovery(name(HOST)) } else { Offer::normal(name(HOST), name(DISK)) }
}

fn proof(is_chap: bool, is_mutual: bool) -> Proof {
    if !is_chap {
        return Proof::None;
    }
    Proof::Chap {
        own: credentials("host"),
        peer: is_mutual.then(|| (peer("disk"), challenge(9))),
        algorithms: DEFAULT_ALGORITHMS.to_vec(),
    }
}

/// What continues the login, but for what the bytes want otherwise.
fn response_to<'a>(request: &Bhs, stat_sn: u32, input: &mut Input<'a>) -> Option<(Bhs, &'a [u8])> {
    let mut bhs = [0; 48];
    bhs[0] = 0x23;
    bhs[1] = input.step()?;
    bhs[8..16].copy_from_slice(&request[8..16]);
    bhs[16..20].copy_from_slice(&request[16..20]);
    bhs[24..28].copy_from_slice(&stat_sn.to_be_bytes());
    if bhs[1] & 0x83 == 0x83 {
        bhs[15] = 1;
    }
    Some(bend(bhs, input))
}

/// Replaces some bytes of a header and adds data.
fn bend<'a>(mut bhs: Bhs, input: &mut Input<'a>) -> (Bhs, &'a [u8]) {
    for _ in 0..input.byte() & 3 {
        let at = usize::from(input.byte()) % bhs.len();
        bhs[at] = input.byte();
    }
    let text = if input.flag() { input.chunk() } else { &[] };
    let [_, len @ ..] = (text.len() as u32).to_be_bytes();
    bhs[5..8].copy_from_slice(&len);
    (bhs, text)
}

/// A target is logged in to by a fuzzed initiator.
pub fn login_target(data: &[u8]) {
    let mut input = Input::new(data);
    let flags = input.byte();
    let is_chap = flags & 1 != 0;
    let operational = if flags & 4 != 0 { wishes(&mut input) } else { Operational::default() };
    let directory = directory(is_chap, input.byte());
    let config = TargetLoginConfig {
        operational,
        stat_sn: Serial(u32::MAX),
        window: 16,
        challenge: challenge(5),
        pace: Pace { part_len: (u32::from(flags) & 32) * 256 + 16, held_rounds: 0 },
    };
    let mut login = target::Login::new(config);
    let mut request = [0; 48];
    request[0] = 0x43;
    for _ in 0..PDUS_MAX {
        let Some(flags) = input.step() else { return };
        request[1] = flags;
        let (bhs, text) = bend(request, &mut input);
        let result = login.handle(&bhs, text, &directory);
        let is_closing = matches!(login.state(), TargetLoginState::Closing(_));
        assert!(is_closing || result.is_ok(), "a mistake ends the login");
        decide(&mut login, &mut input, is_chap);
        let is_over =
            matches!(login.state(), TargetLoginState::Closing(_) | TargetLoginState::Done(_));
        answer(&mut login);
        if is_over {
            return;
        }
    }
    panic!("a login ends");
}

fn decide(login: &mut target::Login, input: &mut Input<'_>, is_chap: bool) {
    let TargetLoginState::Deciding(applicant) = login.state() else { return };
    assert!(!is_chap || applicant.target_name.is_none(), "the initiator has proved nothing");
    if input.flag() {
        login.reject(crate::iscsi::pdu::LoginStatus::OutOfResources);
    } else {
        login.accept(1);
    }
    if let TargetLoginState::Done(outcome) = login.state() {
        check(&outcome.params);
    }
}

fn answer(login: &mut target::Login) {
    let Some((bhs, segment)) = login.poll_transmit() else { panic!("every request is answered") };
    assert_eq!(data_segment_len(&bhs) as usize, segment.len());
    assert!(TargetPdu::decode(&bhs).is_ok(), "we speak the language");
    assert!(login.poll_transmit().is_none(), "once");
}

/// One target, and who may log in.
pub(super) fn directory(is_chap: bool, choice: u8) -> Directory {
    let terms = ChapTerms {
        peer: peer("host"),
        own: (choice & 1 != 0).then(|| credentials("disk")),
        algorithms: DEFAULT_ALGORITHMS.to_vec(),
    };
    let terms = if is_chap { Authentication::Chap(terms) } else { Authentication::None };
    let portal = || TargetAddress::parse("10.0.0.1:3260").expect("the address is legal");
    let presence = match choice >> 1 & 7 {
        0 => Presence::Removed,
        1 => Presence::Unavailable,
        2 => Presence::Moved { is_permanent: choice & 0x80 != 0, to: portal() },
        _ => Presence::Here,
    };
    let access = match choice & 16 {
        0 => Access::Anyone(terms),
        _ => Access::Listed(BTreeMap::from([(name(HOST), terms)])),
    };
    let portals = Vec::from_iter((0..choice >> 5).map(|_| portal()));
    let entry = TargetEntry { alias: None, access, presence, portals };
    let targets = BTreeMap::from([(name(DISK), entry)]);
    Directory { portal_group: 1, targets, discovery: Access::Anyone(Authentication::None) }
}
