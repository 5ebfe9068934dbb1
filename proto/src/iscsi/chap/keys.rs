//! The five keys of CHAP as one message of the peer carried them.

use super::ChapError;
use alloc::string::String;

/// The keys, in the order of the fields of [`ChapKeys`].
pub const KEYS: [&str; 5] = ["CHAP_A", "CHAP_I", "CHAP_C", "CHAP_N", "CHAP_R"];

/// A key with its value, to be sent.
pub type KeyValue = (&'static str, String);

/// The keys of one message; `None` was not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChapKeys<'a> {
    /// CHAP_A: an algorithm, or a list of them.
    pub a: Option<&'a str>,
    /// CHAP_I: the identifier of a challenge.
    pub i: Option<&'a str>,
    /// CHAP_C: a challenge.
    pub c: Option<&'a str>,
    /// CHAP_N: a name.
    pub n: Option<&'a str>,
    /// CHAP_R: a response.
    pub r: Option<&'a str>,
}

impl<'a> ChapKeys<'a> {
    /// Picks the keys of CHAP out of any pairs; other keys are left to others.
    pub fn pick(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> ChapKeys<'a> {
        let mut keys = ChapKeys::default();
        for (key, value) in pairs {
            let slot = match key {
                "CHAP_A" => &mut keys.a,
                "CHAP_I" => &mut keys.i,
                "CHAP_C" => &mut keys.c,
                "CHAP_N" => &mut keys.n,
                "CHAP_R" => &mut keys.r,
                _ => continue,
            };
            *slot = Some(value);
        }
        keys
    }

    /// True where the message had no key of CHAP.
    pub fn is_empty(&self) -> bool {
        *self == ChapKeys::default()
    }

    /// Demands that of the five keys only those in `allowed` are there.
    pub(super) fn only(&self, allowed: &[&str]) -> Result<(), ChapError> {
        let values = [self.a, self.i, self.c, self.n, self.r];
        let present = KEYS.into_iter().zip(values).filter(|(_, value)| value.is_some());
        match present.map(|(key, _)| key).find(|key| !allowed.contains(key)) {
            Some(key) => Err(ChapError::Unexpected { key }),
            None => Ok(()),
        }
    }
}

/// Demands a key.
pub(super) fn need<'a>(key: &'static str, value: Option<&'a str>) -> Result<&'a str, ChapError> {
    value.ok_or(ChapError::Missing { key })
}
