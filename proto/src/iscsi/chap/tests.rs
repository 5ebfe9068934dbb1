//! Known answers, both machines against each other, and everything that can be wrong.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proptest::prelude::*;

use super::value::{binary, small_number};
use super::*;
use crate::iscsi::text::encode_hex;

const INITIATOR_SECRET: &[u8] = b"a secret of 96 bits";
const TARGET_SECRET: &[u8] = b"another secret of 96 bits";

fn secret(bytes: &[u8]) -> Secret {
    Secret::new(bytes).unwrap()
}

fn own(name: &str, bytes: &[u8]) -> Credentials {
    Credentials { name: name.into(), secret: secret(bytes) }
}

fn peer(name: &str, bytes: &[u8]) -> Peer {
    Peer { name: Some(name.into()), secret: secret(bytes) }
}

fn challenge(seed: u8) -> Challenge {
    Challenge { id: seed, random: core::array::from_fn(|i| seed.wrapping_add(i as u8)) }
}

fn initiator(mutual: bool, algorithms: &[Algorithm]) -> ChapInitiator {
    let mutual = mutual.then(|| (peer("target", TARGET_SECRET), challenge(100)));
    ChapInitiator::new(own("initiator", INITIATOR_SECRET), mutual, algorithms).unwrap()
}

fn target(algorithms: &[Algorithm]) -> ChapTarget {
    let own = own("target", TARGET_SECRET);
    let peer = peer("initiator", INITIATOR_SECRET);
    ChapTarget::new(peer, Some(own), algorithms, challenge(1)).unwrap()
}

fn keys(pairs: &[KeyValue]) -> ChapKeys<'_> {
    ChapKeys::pick(pairs.iter().map(|(key, value)| (*key, value.as_str())))
}

fn value<'a>(pairs: &'a [KeyValue], key: &str) -> &'a str {
    &pairs.iter().find(|pair| pair.0 == key).unwrap().1
}

/// Carries messages to and fro until both have nothing to say.
fn run(i: &mut ChapInitiator, t: &mut ChapTarget) -> Result<(), ChapError> {
    let mut message = i.offer();
    while !message.is_empty() {
        message = t.handle(&keys(&message))?;
        if message.is_empty() {
            break;
        }
        message = i.handle(&keys(&message))?;
    }
    Ok(())
}

#[test]
fn responses_are_those_of_other_implementations() {
    let bytes: Vec<u8> = (0..16).collect();
    let known = [
        (Algorithm::Md5, "0x70fa5a3ee5a61ea0dcc917a59cfe0912"),
        (Algorithm::Sha1, "0x2f82c250f049690f8f6f8c58a63afe4120781547"),
        (Algorithm::Sha256, "0xffb70df08b09c7c5c534ada6c26459b3ec01d9fa647ff91adcf9645c4fb65b78"),
        (Algorithm::Sha3_256, "0x649f54a882ece0b58e4aa8c5c10b23a6d732f5776b673322a3fdcfd6ea4541dd"),
    ];
    for (algorithm, hex) in known {
        let response = secret(INITIATOR_SECRET).response(algorithm, 0x2a, &bytes);
        assert_eq!(encode_hex(&response), hex, "{algorithm}");
        assert_eq!(response.len(), algorithm.digest_len());
        assert_eq!(Algorithm::from_number(algorithm.number()), Some(algorithm));
    }
}

#[test]
fn both_sides_agree_with_every_algorithm_one_way_and_mutual() {
    for algorithm in DEFAULT_ALGORITHMS {
        for mutual in [false, true] {
            let (mut i, mut t) = (initiator(mutual, &[algorithm]), target(&DEFAULT_ALGORITHMS));
            assert!(!i.is_done() && !t.is_done());
            run(&mut i, &mut t).unwrap();
            assert!(i.is_done() && t.is_done(), "{algorithm} mutual {mutual}");
        }
    }
}

#[test]
fn the_initiators_order_decides_among_what_the_target_allows() {
    assert_eq!(value(&initiator(false, &DEFAULT_ALGORITHMS).offer(), "CHAP_A"), "8,7,6,5");
    let choice = |offer: &str, allowed: &[Algorithm]| {
        let answer = target(allowed).handle(&keys(&[("CHAP_A", offer.into())]))?;
        Ok(value(&answer, "CHAP_A").to_string())
    };
    assert_eq!(choice("5,7", &DEFAULT_ALGORITHMS), Ok("5".into()));
    assert_eq!(choice("8,200,nonsense,0x6,5", &[Algorithm::Sha1]), Ok("6".into()));
    assert_eq!(choice("8,7", &[Algorithm::Md5]), Err(ChapError::NoCommonAlgorithm));
}

#[test]
fn a_challenge_in_base64_is_answered_as_one_in_hexadecimal() {
    let answer = |c: &str| {
        let message =
            [("CHAP_A", "5".into()), ("CHAP_I", "0x2a".into()), ("CHAP_C", String::from(c))];
        initiator(false, &[Algorithm::Md5]).handle(&keys(&message)).unwrap()
    };
    let hex = answer("0x000102030405060708090a0b0c0d0e0f");
    assert_eq!(value(&hex, "CHAP_R"), "0x70fa5a3ee5a61ea0dcc917a59cfe0912");
    assert_eq!(answer("0bAAECAwQFBgcICQoLDA0ODw=="), hex);
    assert_eq!(answer("0BAAECAwQFBgcICQoLDA0ODw=="), hex);
    assert_eq!(answer("0X000102030405060708090A0B0C0D0E0F"), hex);
}

#[test]
fn values_that_cannot_be_read_are_named() {
    let bad = Err(ChapError::BadValue { key: "CHAP_C" });
    for text in ["", "0", "0x", "0b", "12", "0xzz", "0b!", "0b====", "é", "0xé0"] {
        assert_eq!(binary("CHAP_C", text), bad, "{text}");
    }
    assert_eq!(binary("CHAP_C", "0x123"), Ok([0x01, 0x23].into()));
    let long = |len: usize| format!("0x{}", "ab".repeat(len));
    assert_eq!(binary("CHAP_C", &long(CHALLENGE_LEN_MAX)).unwrap().len(), CHALLENGE_LEN_MAX);
    assert_eq!(
        binary("CHAP_C", &long(CHALLENGE_LEN_MAX + 1)),
        Err(ChapError::TooLong { key: "CHAP_C" })
    );
    for text in ["256", "-1", "", "0x", "0x100", "1 "] {
        assert_eq!(small_number("CHAP_I", text), Err(ChapError::BadValue { key: "CHAP_I" }));
    }
}

#[test]
fn rfc_point_20_secrets_below_96_bits_are_refused() {
    assert_eq!(Secret::new(&[7; 11]), Err(ChapError::SecretTooShort { len: 11 }));
    assert!(Secret::new(&[7; 12]).is_ok());
    assert_eq!(Secret::new(&[7; 257]), Err(ChapError::SecretTooLong { len: 257 }));
}

#[test]
fn rfc_point_20_one_secret_for_both_directions_is_refused() {
    let own = own("initiator", INITIATOR_SECRET);
    let peer = peer("target", INITIATOR_SECRET);
    let mutual = Some((peer.clone(), challenge(1)));
    let refused = ChapInitiator::new(own.clone(), mutual, &DEFAULT_ALGORITHMS);
    assert_eq!(refused, Err(ChapError::EqualSecrets));
    let refused = ChapTarget::new(peer, Some(own), &DEFAULT_ALGORITHMS, challenge(1));
    assert_eq!(refused, Err(ChapError::EqualSecrets));
}

#[test]
fn rfc_point_20_a_target_that_sends_our_response_back_is_caught() {
    let (mut i, mut t) = (initiator(true, &[Algorithm::Md5]), target(&DEFAULT_ALGORITHMS));
    let answer = i.handle(&keys(&t.handle(&keys(&i.offer())).unwrap())).unwrap();
    let echo = [("CHAP_N", "target".into()), ("CHAP_R", value(&answer, "CHAP_R").into())];
    assert_eq!(i.handle(&keys(&echo)), Err(ChapError::ReflectedResponse));
    assert!(!i.is_done());
}

#[test]
fn rfc_point_20_a_target_that_has_our_secret_is_caught() {
    let (mut i, mut t) = (initiator(true, &[Algorithm::Md5]), target(&DEFAULT_ALGORITHMS));
    i.handle(&keys(&t.handle(&keys(&i.offer())).unwrap())).unwrap();
    let ours = challenge(100);
    let stolen =
        secret(INITIATOR_SECRET).response(Algorithm::Md5, ours.id, ours.bytes(Algorithm::Md5));
    let message = [("CHAP_N", "target".into()), ("CHAP_R", encode_hex(&stolen))];
    assert_eq!(i.handle(&keys(&message)), Err(ChapError::ReflectedResponse));
}

#[test]
fn rfc_point_20_our_challenge_sent_back_is_caught_on_both_sides() {
    let mut t = target(&DEFAULT_ALGORITHMS);
    let hers = t.handle(&keys(&[("CHAP_A", "5".into())])).unwrap();
    let mut i = initiator(true, &[Algorithm::Md5]);
    let mut answer = i.handle(&keys(&hers)).unwrap();
    answer.retain(|pair| pair.0 != "CHAP_C");
    answer.push(("CHAP_C", value(&hers, "CHAP_C").into()));
    assert_eq!(t.handle(&keys(&answer)), Err(ChapError::ReusedChallenge));

    let mut i = initiator(true, &[Algorithm::Md5]);
    let ours = encode_hex(challenge(100).bytes(Algorithm::Md5));
    let message = [("CHAP_A", "5".into()), ("CHAP_I", "1".into()), ("CHAP_C", ours)];
    assert_eq!(i.handle(&keys(&message)), Err(ChapError::ReusedChallenge));
}

#[test]
fn rfc_point_20_the_target_proves_nothing_to_who_has_proved_nothing() {
    let mut t = target(&DEFAULT_ALGORITHMS);
    let stranger = own("initiator", b"this is some other secret");
    let mutual = Some((peer("target", TARGET_SECRET), challenge(100)));
    let mut i = ChapInitiator::new(stranger, mutual, &DEFAULT_ALGORITHMS).unwrap();
    assert_eq!(run(&mut i, &mut t), Err(ChapError::WrongResponse));
    assert!(!t.is_done() && !i.is_done());
}

#[test]
fn a_wrong_name_and_a_wrong_target_are_told_apart() {
    let mut t = target(&DEFAULT_ALGORITHMS);
    let mut i =
        ChapInitiator::new(own("eve", INITIATOR_SECRET), None, &DEFAULT_ALGORITHMS).unwrap();
    assert_eq!(run(&mut i, &mut t), Err(ChapError::WrongName));

    let other = (peer("target", b"what the target does not know"), challenge(100));
    let own = own("initiator", INITIATOR_SECRET);
    let mut i = ChapInitiator::new(own, Some(other), &DEFAULT_ALGORITHMS).unwrap();
    assert_eq!(run(&mut i, &mut target(&DEFAULT_ALGORITHMS)), Err(ChapError::WrongResponse));
}

#[test]
fn what_is_missing_or_does_not_belong_is_named() {
    let send = |pairs: &[KeyValue]| initiator(true, &[Algorithm::Md5]).handle(&keys(pairs));
    let (a, id, c) =
        (("CHAP_A", "5".to_string()), ("CHAP_I", "1".to_string()), ("CHAP_C", "0x11".to_string()));
    assert_eq!(send(&[a.clone(), c.clone()]), Err(ChapError::Missing { key: "CHAP_I" }));
    assert_eq!(send(&[a.clone(), id.clone()]), Err(ChapError::Missing { key: "CHAP_C" }));
    let unasked = ("CHAP_R", "0x22".to_string());
    assert_eq!(
        send(&[a.clone(), id.clone(), c.clone(), unasked]),
        Err(ChapError::Unexpected { key: "CHAP_R" })
    );
    let other = ("CHAP_A", "7".to_string());
    assert_eq!(send(&[other, id, c]), Err(ChapError::AlgorithmNotOffered));
    assert_eq!(
        target(&DEFAULT_ALGORITHMS).handle(&ChapKeys::default()),
        Err(ChapError::Missing { key: "CHAP_A" })
    );
}

#[test]
fn a_target_without_credentials_refuses_mutual_chap() {
    let peer = peer("initiator", INITIATOR_SECRET);
    let mut t = ChapTarget::new(peer, None, &DEFAULT_ALGORITHMS, challenge(1)).unwrap();
    let mut i = initiator(true, &DEFAULT_ALGORITHMS);
    assert_eq!(run(&mut i, &mut t), Err(ChapError::MutualNotConfigured));
}

#[test]
fn a_name_that_cannot_be_sent_is_refused() {
    for bad in [String::new(), "n".repeat(256), "a\0b".into()] {
        let refused = ChapInitiator::new(own(&bad, INITIATOR_SECRET), None, &DEFAULT_ALGORITHMS);
        assert_eq!(refused, Err(ChapError::BadOwnName));
    }
}

#[test]
fn nothing_prints_a_secret() {
    let printed =
        format!("{:?} {:?}", initiator(true, &DEFAULT_ALGORITHMS), target(&[Algorithm::Md5]));
    for hidden in [INITIATOR_SECRET, TARGET_SECRET] {
        let text = core::str::from_utf8(hidden).unwrap();
        assert!(!printed.contains(text) && !printed.contains(&format!("{hidden:?}")));
    }
}

proptest! {
    #[test]
    fn binary_values_make_the_round_trip(bytes in proptest::collection::vec(any::<u8>(), 1..100)) {
        use base64::Engine;
        prop_assert_eq!(binary("CHAP_C", &encode_hex(&bytes)), Ok(bytes.clone()));
        let base64 = base64::engine::general_purpose::STANDARD.encode(&bytes);
        prop_assert_eq!(binary("CHAP_C", &format!("0b{base64}")), Ok(bytes));
    }

    #[test]
    fn any_text_is_answered_without_a_panic(
        a in "[0-9,x]{0,12}", i in "\\PC{0,6}", c in "0[xb][0-9a-zA-Z+/=]{0,40}", r in "\\PC{0,40}"
    ) {
        let message = [("CHAP_A", a.clone()), ("CHAP_I", i.clone()), ("CHAP_C", c.clone())];
        let _ = initiator(true, &DEFAULT_ALGORITHMS).handle(&keys(&message));
        let mut t = target(&DEFAULT_ALGORITHMS);
        let _ = t.handle(&keys(&[("CHAP_A", "8".into())]));
        let proof = [("CHAP_N", a), ("CHAP_R", r), ("CHAP_I", i), ("CHAP_C", c)];
        prop_assert!(t.handle(&keys(&proof)).is_err());
    }
}
