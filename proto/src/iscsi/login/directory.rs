//! What a target node knows of its targets and of who may log in to them. The shell keeps it and
//! hands it to the login machines with each PDU, so that a change holds from the next login on.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::TargetAddress;
use crate::iscsi::chap::{Algorithm, Credentials, Peer};
use crate::iscsi::text::IscsiName;

/// How an initiator proves who it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Authentication {
    /// Its name is enough.
    None,
    /// By CHAP.
    Chap(ChapTerms),
}

/// CHAP as a target demands and offers it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ChapTerms {
    /// What the initiator must prove.
    pub peer: Peer,
    /// What the target proves itself with, where it is asked to.
    pub own: Option<Credentials>,
    /// Allowed algorithms; the initiator's order decides among them.
    pub algorithms: Vec<Algorithm>,
}

/// Who may log in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Every initiator, on the same terms.
    Anyone(Authentication),
    /// Only these, by their iSCSI names.
    Listed(BTreeMap<IscsiName, Authentication>),
}

impl Access {
    /// The terms for this initiator; nothing where it is not let in.
    pub fn terms(&self, initiator: &IscsiName) -> Option<&Authentication> {
        match self {
            Access::Anyone(terms) => Some(terms),
            Access::Listed(initiators) => initiators.get(initiator),
        }
    }
}

/// Where a target is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Presence {
    /// Behind this portal.
    Here,
    /// Gone for good.
    Removed,
    /// Not to be served for some time.
    Unavailable,
    /// Behind another portal.
    Moved {
        /// Whether the initiator may remember it.
        is_permanent: bool,
        /// That portal, without portal group tag.
        to: TargetAddress,
    },
}

/// One target.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TargetEntry {
    /// For people.
    pub alias: Option<String>,
    /// Who may log in.
    pub access: Access,
    /// Where it is.
    pub presence: Presence,
    /// Its portals, as discovery tells them.
    pub portals: Vec<TargetAddress>,
}

/// All targets of a node, as seen through one portal group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Directory {
    /// The tag of the portal group that the connection came in by.
    pub portal_group: u16,
    /// Targets by name.
    pub targets: BTreeMap<IscsiName, TargetEntry>,
    /// Who may ask which targets there are.
    pub discovery: Access,
}

impl Directory {
    /// The targets that this initiator may know of, by name.
    pub fn visible<'a>(
        &'a self,
        initiator: &'a IscsiName,
    ) -> impl Iterator<Item = (&'a IscsiName, &'a TargetEntry)> {
        let may_see = |entry: &TargetEntry| {
            entry.presence != Presence::Removed && entry.access.terms(initiator).is_some()
        };
        self.targets.iter().filter(move |(_, entry)| may_see(entry))
    }
}
