//! Peers that send anything at all: no panic, and an end.

use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::super::initiator::{self, LoginState, Proof};
use super::super::target::TargetLoginState;
use super::super::*;
use super::lab::*;
use crate::iscsi::chap::DEFAULT_ALGORITHMS;
use crate::iscsi::pdu::{BHS_LEN, Bhs};
use crate::iscsi::text::TEXT_PARTS_MAX;

/// More PDUs than any login takes: rounds, and the parts of a text in each direction.
const PDUS_MAX: u32 = LOGIN_ROUNDS_MAX + 2 * TEXT_PARTS_MAX;

/// Texts that come close to what belongs into a login, and texts that do not.
fn any_text() -> impl Strategy<Value = Vec<u8>> {
    let key = prop_oneof![
        Just("AuthMethod"),
        Just("CHAP_A"),
        Just("CHAP_I"),
        Just("CHAP_C"),
        Just("CHAP_N"),
        Just("CHAP_R"),
        Just("TargetPortalGroupTag"),
        Just("MaxBurstLength"),
        Just("TargetAddress"),
        Just("InitiatorName"),
        Just("TargetName"),
        Just("SessionType"),
        Just("X-any"),
    ];
    let value = prop_oneof![
        Just("None".into()),
        Just("CHAP".into()),
        Just("5".into()),
        Just("0x00112233445566778899aabbccddeeff".into()),
        Just(HOST.into()),
        Just(DISK.into()),
        Just("Discovery".into()),
        "\\PC{0,20}",
    ];
    let pairs = prop::collection::vec((key, value), 0..5).prop_map(|pairs| {
        let pairs: Vec<(&str, &str)> =
            pairs.iter().map(|(k, v): &(_, alloc::string::String)| (*k, v.as_str())).collect();
        text(&pairs)
    });
    prop_oneof![3 => pairs, 1 => prop::collection::vec(any::<u8>(), 0..60)]
}

/// A header of which the wild bytes are replaced, with the true length of the data.
fn header(mut bhs: Bhs, wild: &[(usize, u8)], flags: u8, data: &[u8]) -> Bhs {
    bhs[1] = flags;
    wild.iter().for_each(|(at, byte)| bhs[*at] = *byte);
    let [_, len @ ..] = (data.len() as u32).to_be_bytes();
    bhs[5..8].copy_from_slice(&len);
    bhs
}

type Step = (Vec<(usize, u8)>, u8, Vec<u8>);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let wild = prop_oneof![
        4 => Just(Vec::new()),
        1 => prop::collection::vec((0..BHS_LEN, any::<u8>()), 0..3),
    ];
    let flags = prop_oneof![
        Just(0x00u8),
        Just(0x81),
        Just(0x04),
        Just(0x87),
        Just(0x83),
        Just(0x40),
        Just(0x44),
        any::<u8>()
    ];
    prop::collection::vec((wild, flags, any_text()), 1..8)
}

/// The answer that continues a login: a response of the target to the initiator's last request.
fn response_to(request: &Bhs, stat_sn: u32) -> Bhs {
    let mut bhs = [0; BHS_LEN];
    bhs[0] = 0x23;
    bhs[8..16].copy_from_slice(&request[8..16]);
    bhs[16..20].copy_from_slice(&request[16..20]);
    bhs[24..28].copy_from_slice(&stat_sn.to_be_bytes());
    bhs
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn an_initiator_survives_any_answer(steps in steps(), mutual: bool, chap: bool) {
        let proof = if chap { proof(mutual, &DEFAULT_ALGORITHMS) } else { Proof::None };
        let mut i = initiator::Login::new(config(proof)).unwrap();
        let mut ended = false;
        for (sn, (wild, flags, data)) in (0..PDUS_MAX + 1).zip(steps.iter().cycle()) {
            let Some((request, _)) = sent(i.poll_transmit()) else { ended = true; break };
            let bhs = header(response_to(&request, sn), wild, *flags, data);
            let _ = i.handle(&bhs, data);
        }
        prop_assert!(ended);
        let proved = !chap || !matches!(i.state(), LoginState::Done(_));
        prop_assert!(proved || !mutual, "nobody logs in who has not proved itself");
    }

    #[test]
    fn a_target_survives_any_request(steps in steps(), chap: bool) {
        let terms = if chap { terms() } else { Authentication::None };
        let (mut t, directory) = (target(), directory(terms));
        let mut ended = false;
        let mut request = [0; BHS_LEN];
        request[0] = 0x43;
        for (_, (wild, flags, data)) in (0..PDUS_MAX + 1).zip(steps.iter().cycle()) {
            let _ = t.handle(&header(request, wild, *flags, data), data, &directory);
            if let TargetLoginState::Deciding(applicant) = t.state() {
                let normal = applicant.target_name.is_some();
                prop_assert!(!chap || !normal, "nobody is let in who has not proved itself");
                t.accept(TSIH);
            }
            prop_assert!(t.poll_transmit().is_some(), "every request is answered");
            if matches!(t.state(), TargetLoginState::Done(_) | TargetLoginState::Closing(_)) {
                ended = true;
                break;
            }
        }
        prop_assert!(ended);
    }
}
