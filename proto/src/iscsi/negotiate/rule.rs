//! How two wishes become one value (RFC 7143 section 6.2): one place for all negotiated keys.
//!
//! Every value is a small number here: a boolean is 0 or 1, a digest 0 (None) or 1 (CRC32C), a way of
//! task reporting its place in the list.

use alloc::borrow::Cow;

use super::offer::Wish;
use super::{boolean, digest, number, reporting};

/// What a key's values are and how they combine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// Booleans: yes where both say so.
    And,
    /// Booleans: yes where one says so.
    Or,
    /// Numbers: the smaller.
    Min { low: u32, high: u32 },
    /// Numbers: the larger.
    Max { low: u32, high: u32 },
    /// A list of digests: the first that the responder supports.
    Digest,
    /// A list of ways to report tasks: likewise.
    Reporting,
}

/// A value that the key cannot have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Illegal;

impl Rule {
    /// The value to offer.
    pub(super) fn offer(self, wish: Wish) -> Cow<'static, str> {
        match (self, wish) {
            (Rule::Digest, Wish::Digest(policy)) => digest::offer(policy).into(),
            (Rule::Reporting, Wish::Value(best)) => reporting::offer(best).into(),
            _ => self.format(wish.value()),
        }
    }

    /// The answer to an offer; `Ok(None)` is `Reject`, where no item of a list is supported.
    pub(super) fn answer(self, wish: Wish, offered: &str) -> Result<Option<u32>, Illegal> {
        match (self, wish) {
            (Rule::Digest, Wish::Digest(policy)) => Ok(digest::choose(policy, offered)),
            (Rule::Reporting, Wish::Value(best)) => Ok(reporting::choose(best, offered)),
            _ => {
                let offered = self.parse(offered).ok_or(Illegal)?;
                Ok(Some(self.combine(wish.value(), offered)))
            }
        }
    }

    /// The result, once the peer has answered our offer.
    pub(super) fn accept(self, wish: Wish, answer: &str) -> Result<u32, Illegal> {
        let value = self.parse(answer).ok_or(Illegal)?;
        let is_legal = match (self, wish) {
            (Rule::Digest, Wish::Digest(policy)) => policy.supports(value == 1),
            (Rule::Reporting, Wish::Value(best)) => value <= best,
            _ => self.combine(wish.value(), value) == value,
        };
        if is_legal { Ok(value) } else { Err(Illegal) }
    }

    /// What becomes of `peer` if ours is `wish`; the same seen from both sides.
    fn combine(self, wish: u32, peer: u32) -> u32 {
        match self {
            Rule::And | Rule::Min { .. } | Rule::Digest | Rule::Reporting => wish.min(peer),
            Rule::Or | Rule::Max { .. } => wish.max(peer),
        }
    }

    /// True where this side can live with the default, should nobody offer anything.
    pub(super) fn tolerates(self, wish: Wish, default: u32) -> bool {
        match wish {
            Wish::Digest(policy) => policy.supports(default == 1),
            Wish::Value(value) => self.combine(value, default) == default,
        }
    }

    /// A wish within what the key can say.
    pub(super) fn clamp(self, value: u32) -> u32 {
        match self {
            Rule::And | Rule::Or | Rule::Digest => value.min(1),
            Rule::Min { low, high } | Rule::Max { low, high } => value.clamp(low, high),
            Rule::Reporting => value.min(reporting::BEST),
        }
    }

    /// True where the offerer need not wait for an answer: it cannot change the outcome.
    pub(super) fn is_settled_by(self, offered: u32) -> bool {
        matches!((self, offered), (Rule::And, 0) | (Rule::Or, 1))
    }

    fn parse(self, text: &str) -> Option<u32> {
        match self {
            Rule::And | Rule::Or => boolean::parse(text),
            Rule::Min { low, high } | Rule::Max { low, high } => number::parse(text, low, high),
            Rule::Digest => digest::parse(text),
            Rule::Reporting => reporting::parse(text),
        }
    }

    pub(super) fn format(self, value: u32) -> Cow<'static, str> {
        match self {
            Rule::And | Rule::Or => boolean::format(value).into(),
            Rule::Min { .. } | Rule::Max { .. } => number::format(value).into(),
            Rule::Digest => digest::format(value).into(),
            Rule::Reporting => reporting::format(value).into(),
        }
    }
}
