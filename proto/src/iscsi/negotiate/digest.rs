//! HeaderDigest and DataDigest (RFC 7143 section 13.1): lists of `None` and `CRC32C`, in the order of
//! the offerer's preference. Other algorithms may be in a list and are passed over.

use crate::iscsi::text::items;

const NONE: &str = "None";
const CRC32C: &str = "CRC32C";

/// What a side wants of a digest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DigestPolicy {
    /// No digest.
    #[default]
    Never,
    /// Rather none, but the peer may have one.
    Allow,
    /// Rather one, but the peer may refuse.
    Prefer,
    /// Not without one.
    Require,
}

impl DigestPolicy {
    pub(super) fn supports(self, digest: bool) -> bool {
        match self {
            DigestPolicy::Never => !digest,
            DigestPolicy::Allow | DigestPolicy::Prefer => true,
            DigestPolicy::Require => digest,
        }
    }
}

pub(super) fn offer(policy: DigestPolicy) -> &'static str {
    match policy {
        DigestPolicy::Never => NONE,
        DigestPolicy::Allow => "None,CRC32C",
        DigestPolicy::Prefer => "CRC32C,None",
        DigestPolicy::Require => CRC32C,
    }
}

/// The first item of the offer that the policy supports.
pub(super) fn choose(policy: DigestPolicy, offered: &str) -> Option<u32> {
    items(offered).filter_map(parse).find(|value| policy.supports(*value == 1))
}

pub(super) fn parse(text: &str) -> Option<u32> {
    match text {
        NONE => Some(0),
        CRC32C => Some(1),
        _ => None,
    }
}

pub(super) fn format(value: u32) -> &'static str {
    if value == 0 { NONE } else { CRC32C }
}
