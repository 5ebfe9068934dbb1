//! SendTargets: which targets there are, and at which portals (RFC 7143 appendix C and section 13.3).
//!
//! A text exchange in full-feature phase: one text of the initiator, answered by one or more texts of
//! the target, each of which may take several PDUs. A part (C bit), and a text that is not the last
//! (F bit off), are answered by an empty request with the target's transfer tag.

mod client;
mod error;
mod listing;
mod responder;
#[cfg(test)]
mod tests;

pub use client::{Discovery, DiscoveryConfig};
pub use error::DiscoveryError;
pub use listing::{DiscoveredTarget, answer_text, parse_listing};
pub use responder::{ResponseNumbers, TextResponder};

use alloc::string::String;

use crate::iscsi::text::IscsiName;

/// Targets that an initiator remembers of one discovery.
pub const DISCOVERED_TARGETS_MAX: usize = 4096;
/// Portals that an initiator remembers of one target.
pub const DISCOVERED_ADDRESSES_MAX: usize = 256;
/// PDUs of a target in one discovery.
pub const DISCOVERY_PDUS_MAX: u32 = 4096;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SendTargets {
    /// Every target that this initiator may see; in discovery sessions only.
    All,
    /// One target.
    Named(IscsiName),
    /// The target of this session; in normal sessions only.
    Own,
}

impl SendTargets {
    /// Reads the value of the key.
    pub fn parse(value: &str) -> Option<SendTargets> {
        match value {
            "All" => Some(SendTargets::All),
            "" => Some(SendTargets::Own),
            name => IscsiName::new(name).ok().map(SendTargets::Named),
        }
    }

    /// The value of the key.
    pub fn value(&self) -> String {
        match self {
            SendTargets::All => "All".into(),
            SendTargets::Named(name) => name.as_str().into(),
            SendTargets::Own => String::new(),
        }
    }
}
