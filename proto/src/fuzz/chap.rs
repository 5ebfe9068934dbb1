//! CHAP of both sides, against peers that do not know the secrets.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::Input;
use crate::iscsi::chap::{
    Challenge, ChapInitiator, ChapKeys, ChapTarget, Credentials, DEFAULT_ALGORITHMS, Peer, Secret,
};
use crate::iscsi::text::{Pair, parse_pairs};

/// Whoever does not know the secret does not get through, whatever it says.
pub fn chap(data: &[u8]) {
    let mut input = Input::new(data);
    let flags = input.byte();
    let messages: Vec<_> = input.all().split(|byte| *byte == b'|').collect();
    initiator(flags & 1 != 0, &messages);
    target(flags & 2 != 0, &messages);
}

pub(super) fn credentials(name: &str) -> Credentials {
    Credentials { name: name.to_string(), secret: secret(name) }
}

pub(super) fn peer(name: &str) -> Peer {
    Peer { name: Some(name.to_string()), secret: secret(name) }
}

fn secret(name: &str) -> Secret {
    let mut text = "the secret of ".to_string();
    text.push_str(name);
    Secret::new(text.as_bytes()).expect("it is long enough")
}

pub(super) fn challenge(id: u8) -> Challenge {
    Challenge { id, random: [id; 32] }
}

fn initiator(is_mutual: bool, messages: &[&[u8]]) {
    let demand = is_mutual.then(|| (peer("disk"), challenge(9)));
    let chap = ChapInitiator::new(credentials("host"), demand, &DEFAULT_ALGORITHMS);
    let mut chap = chap.expect("the configuration is sound");
    for pairs in messages.iter().map_while(|message| parse_pairs(message).ok()) {
        if chap.handle(&keys(&pairs)).is_err() {
            break;
        }
    }
    assert!(!(is_mutual && chap.is_done()), "the target has proved nothing");
}

fn target(is_mutual: bool, messages: &[&[u8]]) {
    let own = is_mutual.then(|| credentials("disk"));
    let chap = ChapTarget::new(peer("host"), own, &DEFAULT_ALGORITHMS, challenge(5));
    let mut chap = chap.expect("the configuration is sound");
    for pairs in messages.iter().map_while(|message| parse_pairs(message).ok()) {
        if chap.handle(&keys(&pairs)).is_err() {
            break;
        }
    }
    assert!(!chap.is_done(), "the initiator has proved nothing");
}

fn keys(pairs: &[Pair]) -> ChapKeys<'_> {
    ChapKeys::pick(pairs.iter().map(|pair| (pair.key.as_str(), pair.value.as_str())))
}
