//! Keys of a login, by name.

use alloc::vec::Vec;

use crate::iscsi::chap::{ChapKeys, KeyValue};
use crate::iscsi::text::{Pair, TextOut, VALUE_LEN_MAX};

/// The value of a key, where it is there.
pub(super) fn get<'a>(pairs: &'a [Pair], key: &str) -> Option<&'a str> {
    pairs.iter().find(|pair| pair.key == key).map(|pair| pair.value.as_str())
}

/// The keys of CHAP.
pub(super) fn chap(pairs: &[Pair]) -> ChapKeys<'_> {
    ChapKeys::pick(pairs.iter().map(|pair| (pair.key.as_str(), pair.value.as_str())))
}

/// What CHAP has to say.
pub(super) fn push_all(text: &mut TextOut, pairs: &[KeyValue]) {
    pairs.iter().for_each(|(key, value)| text.push(key, value));
}

/// True where a value of our own may be sent: a name or alias that somebody configured.
pub(super) fn is_sendable(value: &str) -> bool {
    value.len() <= VALUE_LEN_MAX && !value.contains('\0')
}

/// What a peer says about itself, once.
const DECLARATIONS: [&str; 7] = [
    "InitiatorName",
    "InitiatorAlias",
    "SessionType",
    "TargetName",
    "TargetAlias",
    "TargetPortalGroupTag",
    "MaxRecvDataSegmentLength",
];

/// The declarations of a peer so far. Some peers, libiscsi among them, introduce themselves in each
/// stage anew; that says nothing new as long as the values are the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Declared {
    pairs: Vec<Pair>,
}

impl Declared {
    /// The pairs that say something new.
    pub(super) fn fresh(&mut self, pairs: &[Pair]) -> Vec<Pair> {
        let fresh = pairs.iter().filter(|pair| !self.pairs.contains(pair)).cloned().collect();
        let declares = |pair: &&Pair| DECLARATIONS.contains(&pair.key.as_str());
        for pair in pairs.iter().filter(declares) {
            if get(&self.pairs, &pair.key).is_none() {
                self.pairs.push(pair.clone());
            }
        }
        fresh
    }
}
