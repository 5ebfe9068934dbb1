//! Keys of a login, by name.

use crate::iscsi::chap::{ChapKeys, KeyValue};
use crate::iscsi::text::{Pair, TextOut};

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
