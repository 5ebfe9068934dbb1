//! The laboratory: one initiator, one target node, and what happens between them.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::super::initiator::{self, LoginConfig, LoginOutcome, LoginState, Proof};
use super::super::target::{self, Pace, TargetLoginConfig, TargetLoginOutcome, TargetLoginState};
use super::super::*;
use crate::iscsi::chap::{Algorithm, Challenge, Credentials, DEFAULT_ALGORITHMS, Peer, Secret};
use crate::iscsi::negotiate::{Offer, Operational};
use crate::iscsi::pdu::{Bhs, Isid, Itt};
use crate::iscsi::text::IscsiName;
use crate::serial::Serial;

pub(in super::super) const DISK: &str = "iqn.2026-11.net.byway:disk";
pub(in super::super) const HOST: &str = "iqn.2026-11.net.byway:host";
pub(super) const TSIH: u16 = 7;
pub(super) const PORTAL_GROUP: u16 = 3;

pub(in super::super) fn name(text: &str) -> IscsiName {
    IscsiName::new(text).unwrap()
}

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes()).unwrap()
}

pub(super) fn credentials(name: &str, text: &str) -> Credentials {
    Credentials { name: name.into(), secret: secret(text) }
}

pub(super) fn peer(name: &str, text: &str) -> Peer {
    Peer { name: Some(name.into()), secret: secret(text) }
}

pub(super) fn challenge(seed: u8) -> Challenge {
    Challenge { id: seed, random: [seed; 32] }
}

pub(super) const HOST_SECRET: &str = "the secret of the host";
pub(super) const DISK_SECRET: &str = "the secret of the disk";

/// What the initiator proves and demands.
pub(super) fn proof(is_mutual: bool, algorithms: &[Algorithm]) -> Proof {
    Proof::Chap {
        own: credentials("host", HOST_SECRET),
        peer: is_mutual.then(|| (peer("disk", DISK_SECRET), challenge(9))),
        algorithms: algorithms.to_vec(),
    }
}

/// What the target demands and proves.
pub(super) fn terms() -> Authentication {
    Authentication::Chap(ChapTerms {
        peer: peer("host", HOST_SECRET),
        own: Some(credentials("disk", DISK_SECRET)),
        algorithms: DEFAULT_ALGORITHMS.to_vec(),
    })
}

pub(super) fn entry(authentication: Authentication) -> TargetEntry {
    TargetEntry {
        alias: Some("the disk".into()),
        access: Access::Listed(BTreeMap::from([(name(HOST), authentication)])),
        presence: Presence::Here,
        portals: vec![TargetAddress::parse("10.0.0.1:3260,3").unwrap()],
    }
}

pub(in super::super) fn directory(authentication: Authentication) -> Directory {
    Directory {
        portal_group: PORTAL_GROUP,
        targets: BTreeMap::from([(name(DISK), entry(authentication))]),
        discovery: Access::Anyone(Authentication::None),
    }
}

pub(super) fn config(proof: Proof) -> LoginConfig {
    LoginConfig {
        offer: Offer::normal(name(HOST), name(DISK)),
        portal_group: Some(PORTAL_GROUP),
        isid: Isid::from_random([1, 2, 3], 4),
        tsih: 0,
        cid: 1,
        proof,
        itt: Itt(0x1234),
        cmd_sn: Serial(u32::MAX),
    }
}

pub(super) fn target_config(pace: Pace) -> TargetLoginConfig {
    TargetLoginConfig {
        operational: Operational::default(),
        stat_sn: Serial(u32::MAX - 1),
        window: 128,
        challenge: challenge(5),
        pace,
    }
}

pub(super) fn target() -> target::Login {
    target::Login::new(target_config(Pace::default()))
}

/// Who gave up, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    Initiator(LoginError),
    Target(LoginError),
}

/// A header and its data as they were on the wire.
pub(super) type Sent = (Bhs, Vec<u8>);

pub(super) fn sent(transmit: Option<(Bhs, &[u8])>) -> Option<Sent> {
    transmit.map(|(bhs, data)| (bhs, data.to_vec()))
}

/// Carries PDUs until nobody sends any more; the applicant is let in. Gives the count of requests.
pub(super) fn run(
    i: &mut initiator::Login,
    t: &mut target::Login,
    directory: &Directory,
) -> Result<usize, End> {
    let mut requests = 0;
    while let Some((bhs, data)) = sent(i.poll_transmit()) {
        requests += 1;
        let heard = t.handle(&bhs, &data, directory);
        if let TargetLoginState::Deciding(_) = t.state() {
            t.accept(TSIH);
        }
        let (bhs, data) = sent(t.poll_transmit()).expect("every request is answered");
        let told = i.handle(&bhs, &data);
        heard.map_err(End::Target)?;
        told.map_err(End::Initiator)?;
    }
    Ok(requests)
}

pub(super) fn outcomes<'a>(
    i: &'a initiator::Login,
    t: &'a target::Login,
) -> (&'a LoginOutcome, &'a TargetLoginOutcome) {
    match (i.state(), t.state()) {
        (LoginState::Done(i), TargetLoginState::Done(t)) => (i, t),
        other => panic!("the login is not done: {other:?}"),
    }
}

/// A text of these pairs.
pub(in super::super) fn text(pairs: &[(&str, &str)]) -> Vec<u8> {
    let join = |(key, value): &(&str, &str)| {
        let mut text = String::from(*key);
        text.push('=');
        text.push_str(value);
        text.push('\0');
        text.into_bytes()
    };
    pairs.iter().flat_map(join).collect()
}
