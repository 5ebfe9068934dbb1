//! Both sides of a discovery against each other, and each against a peer that errs.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::iscsi::login::tests::lab::{DISK, HOST, directory, name, text};
use crate::iscsi::login::{Access, Authentication, Directory, Presence, TargetAddress};
use crate::iscsi::negotiate::SessionParams;
use crate::iscsi::pdu::{BHS_LEN, Itt, TextRequest, TextResponse, Ttt};
use crate::serial::Serial;

const OTHER: &str = "iqn.2026-11.net.byway:other";

fn session(target: Option<&str>) -> SessionParams {
    SessionParams {
        initiator_name: Some(name(HOST)),
        target_name: target.map(name),
        ..SessionParams::default()
    }
}

fn two_targets() -> Directory {
    let mut directory = directory(Authentication::None);
    let mut other = directory.targets[&name(DISK)].clone();
    other.portals.push(TargetAddress::parse("[fe80::1]:3261,3").unwrap());
    directory.targets.insert(name(OTHER), other);
    directory
}

fn config(what: SendTargets, part_len: u32) -> DiscoveryConfig {
    DiscoveryConfig {
        what,
        itt: Itt(1),
        cmd_sn: Serial(5),
        exp_stat_sn: Serial(u32::MAX),
        part_len,
    }
}

/// Asks, and gives the list.
fn ask(
    what: SendTargets,
    part_lens: (u32, u32),
    directory: &Directory,
    params: &mut SessionParams,
) -> Result<Vec<DiscoveredTarget>, DiscoveryError> {
    let mut client = Discovery::new(config(what, part_lens.0));
    let mut responder = TextResponder::new(Itt(1), Ttt(77), part_lens.1);
    let mut stat_sn = Serial(u32::MAX);
    while let Some((bhs, data)) = client.poll_transmit() {
        let request = TextRequest::decode(&bhs).unwrap();
        responder.handle(&request, data, params, directory).unwrap();
        let numbers = ResponseNumbers {
            stat_sn: stat_sn.take(),
            exp_cmd_sn: request.cmd_sn.next(),
            max_cmd_sn: request.cmd_sn.plus(8),
        };
        let (bhs, data) = responder.poll_transmit(numbers).expect("every request is answered");
        client.handle(&bhs, data)?;
    }
    assert!(responder.is_done());
    assert_eq!(client.numbers().1, stat_sn);
    Ok(client.targets().expect("the list is complete").to_vec())
}

fn names(targets: &[DiscoveredTarget]) -> Vec<&str> {
    targets.iter().map(|target| target.name.as_str()).collect()
}

#[test]
fn all_targets_are_told_in_parts_of_any_length() {
    for part_len in [1, 2, 13, 100, 8192] {
        let mut params = session(None);
        let targets =
            ask(SendTargets::All, (part_len, part_len), &two_targets(), &mut params).unwrap();
        assert_eq!(names(&targets), [DISK, OTHER]);
        let addresses: Vec<_> = targets[1].addresses.iter().map(|a| a.to_string()).collect();
        assert_eq!(addresses, ["10.0.0.1:3260,3", "[fe80::1]:3261,3"]);
    }
}

#[test]
fn one_target_and_the_own_target_are_told() {
    let directory = two_targets();
    let named = |text, own| {
        let what = SendTargets::Named(name(text));
        ask(what, (8192, 8192), &directory, &mut session(own)).unwrap()
    };
    assert_eq!(names(&named(OTHER, None)), [OTHER]);
    assert_eq!(names(&named(OTHER, Some(DISK))), [OTHER]);
    assert!(named("iqn.2026-11.net.byway:none", None).is_empty());
    let own = ask(SendTargets::Own, (8192, 8192), &directory, &mut session(Some(DISK)));
    assert_eq!(names(&own.unwrap()), [DISK]);
}

#[test]
fn what_does_not_belong_into_the_session_is_refused() {
    let directory = two_targets();
    let all = ask(SendTargets::All, (8192, 8192), &directory, &mut session(Some(DISK)));
    assert_eq!(all, Err(DiscoveryError::Refused));
    let own = ask(SendTargets::Own, (8192, 8192), &directory, &mut session(None));
    assert_eq!(own, Err(DiscoveryError::Refused));
}

#[test]
fn an_initiator_sees_what_it_may_use() {
    let mut directory = two_targets();
    directory.targets.get_mut(&name(DISK)).unwrap().presence = Presence::Removed;
    directory.targets.get_mut(&name(OTHER)).unwrap().access = Access::Listed(BTreeMap::new());
    let targets = ask(SendTargets::All, (8192, 8192), &directory, &mut session(None)).unwrap();
    assert!(targets.is_empty());
}

#[test]
fn several_texts_make_one_list() {
    let mut client = Discovery::new(config(SendTargets::All, 8192));
    let texts: [&[(&str, &str)]; 2] = [
        &[("TargetName", DISK), ("TargetAddress", "a,1")],
        &[("TargetAddress", "b:1,2"), ("TargetName", OTHER)],
    ];
    for (sn, pairs) in texts.iter().enumerate() {
        client.poll_transmit().unwrap();
        let is_final = sn == 1;
        let data = text(pairs);
        let response = TextResponse {
            is_final,
            is_continued: false,
            data_len: data.len() as u32,
            lun: crate::scsi::Lun::ZERO,
            itt: Itt(1),
            ttt: if is_final { Ttt::NONE } else { Ttt(3) },
            stat_sn: Serial(u32::MAX).plus(sn as u32),
            exp_cmd_sn: Serial(6),
            max_cmd_sn: Serial(9),
        };
        client.handle(&response.encode(), &data).unwrap();
    }
    let targets = client.targets().unwrap();
    assert_eq!((names(targets), targets[0].addresses.len()), (vec![DISK, OTHER], 2));
}

#[test]
fn a_long_list_is_told_in_several_texts() {
    let mut directory = two_targets();
    let entry = directory.targets[&name(DISK)].clone();
    for i in 0..3000 {
        directory.targets.insert(name(&format!("{DISK}{i:04}")), entry.clone());
    }
    let mut params = session(None);
    let targets = ask(SendTargets::All, (8192, 8192), &directory, &mut params).unwrap();
    assert_eq!(targets.len(), 3002);
    assert!(targets.iter().all(|target| !target.addresses.is_empty()));
}

#[test]
fn lists_that_mean_nothing_are_refused() {
    let parse = |pairs: &[(&str, &str)]| {
        let pairs = crate::iscsi::text::parse_pairs(&text(pairs)).unwrap();
        parse_listing(&pairs, &mut Vec::new())
    };
    let bad = |key| Err(DiscoveryError::BadValue { key });
    assert_eq!(parse(&[("TargetAddress", "a")]), bad("TargetAddress"));
    assert_eq!(parse(&[("TargetName", DISK), ("TargetAddress", ":")]), bad("TargetAddress"));
    assert_eq!(parse(&[("TargetName", "disk")]), bad("TargetName"));
    assert_eq!(parse(&[("TargetAlias", "any"), ("X-any", "")]), Ok(()));
    let many: Vec<_> = (0..=DISCOVERED_TARGETS_MAX).map(|i| format!("{DISK}{i}")).collect();
    let many: Vec<_> = many.iter().map(|name| ("TargetName", name.as_str())).collect();
    assert_eq!(parse(&many), Err(DiscoveryError::TooMany));
}

#[test]
fn requests_that_do_not_fit_are_refused() {
    let directory = two_targets();
    let mut params = session(None);
    let mut client = Discovery::new(config(SendTargets::All, 8192));
    let (bhs, data) = client.poll_transmit().map(|(bhs, data)| (bhs, data.to_vec())).unwrap();
    let request = TextRequest::decode(&bhs).unwrap();
    let mut responder = TextResponder::new(Itt(1), Ttt(77), 10);
    for wrong in [
        TextRequest { itt: Itt(2), ..request },
        TextRequest { ttt: Ttt(77), ..request },
        TextRequest { data_len: 0, ..request },
    ] {
        let heard = responder.clone().handle(&wrong, &data, &mut params, &directory);
        assert_eq!(heard, Err(DiscoveryError::WrongTag));
    }
    responder.handle(&request, &data, &mut params, &directory).unwrap();
    let heard = responder.handle(&request, &data, &mut params, &directory);
    assert_eq!(heard, Err(DiscoveryError::OutOfTurn));
    let wrong = text(&[("MaxBurstLength", "512")]);
    let request = TextRequest { data_len: wrong.len() as u32, ..request };
    let heard =
        TextResponder::new(Itt(1), Ttt(77), 10).handle(&request, &wrong, &mut params, &directory);
    assert!(matches!(heard, Err(DiscoveryError::Negotiation(_))));
}

proptest! {
    #[test]
    fn a_client_survives_any_answer(
        wild in prop::collection::vec((0..BHS_LEN, any::<u8>()), 0..4),
        final_flag: bool,
        data in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let mut client = Discovery::new(config(SendTargets::All, 8192));
        let mut sn = u32::MAX;
        let mut pdus = 0;
        while client.poll_transmit().is_some() {
            pdus += 1;
            prop_assert!(pdus <= DISCOVERY_PDUS_MAX + 1);
            let mut bhs = [0; BHS_LEN];
            (bhs[0], bhs[1], bhs[7], bhs[19]) = (0x24, u8::from(final_flag) << 7, data.len() as u8, 1);
            bhs[24..28].copy_from_slice(&sn.to_be_bytes());
            wild.iter().for_each(|(at, byte)| bhs[*at] = *byte);
            sn = sn.wrapping_add(1);
            if client.handle(&bhs, &data).is_err() {
                break;
            }
        }
    }
}
