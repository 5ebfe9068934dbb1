//! The list of targets: TargetName, followed by the TargetAddress of each of its portals.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::{DISCOVERED_ADDRESSES_MAX, DISCOVERED_TARGETS_MAX, DiscoveryError, SendTargets};
use crate::iscsi::login::{Directory, TargetAddress, TargetEntry};
use crate::iscsi::text::{IscsiName, NOT_UNDERSTOOD, Pair, REJECT, TextOut, is_refusal};

/// One target of a list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DiscoveredTarget {
    /// Its name.
    pub name: IscsiName,
    /// Its portals; none where it is at the portal that was asked.
    pub addresses: Vec<TargetAddress>,
}

/// Adds the targets of one text to a list. A text may go on with the portals of the last target.
///
/// # Errors
/// `BadValue`, `Refused` and `TooMany`.
pub fn parse_listing(
    pairs: &[Pair],
    targets: &mut Vec<DiscoveredTarget>,
) -> Result<(), DiscoveryError> {
    for pair in pairs {
        match pair.key.as_str() {
            "TargetName" => add_target(&pair.value, targets)?,
            "TargetAddress" => add_address(&pair.value, targets)?,
            "SendTargets" if is_refusal(&pair.value) => return Err(DiscoveryError::Refused),
            // Aliases and vendors' keys say nothing about where a target is.
            _ => {}
        }
    }
    Ok(())
}

fn add_target(value: &str, targets: &mut Vec<DiscoveredTarget>) -> Result<(), DiscoveryError> {
    let key = "TargetName";
    let name = IscsiName::new(value).map_err(|_| DiscoveryError::BadValue { key })?;
    if targets.len() == DISCOVERED_TARGETS_MAX {
        return Err(DiscoveryError::TooMany);
    }
    targets.push(DiscoveredTarget { name, addresses: Vec::new() });
    Ok(())
}

fn add_address(value: &str, targets: &mut [DiscoveredTarget]) -> Result<(), DiscoveryError> {
    let wrong = DiscoveryError::BadValue { key: "TargetAddress" };
    let (Some(target), Some(address)) = (targets.last_mut(), TargetAddress::parse(value)) else {
        return Err(wrong);
    };
    if target.addresses.len() == DISCOVERED_ADDRESSES_MAX {
        return Err(DiscoveryError::TooMany);
    }
    target.addresses.push(address);
    Ok(())
}

/// The answer to a text: the list that SendTargets asks for, `NotUnderstood` for the rest.
pub(super) fn answer(
    pairs: &[Pair],
    directory: &Directory,
    initiator: &IscsiName,
    own: Option<&IscsiName>,
) -> TextOut {
    let mut text = TextOut::new();
    for pair in pairs {
        match pair.key.as_str() {
            "SendTargets" => list(&mut text, &pair.value, directory, initiator, own),
            // Declarations, which nobody answers.
            "InitiatorAlias" | "MaxRecvDataSegmentLength" => {}
            key => text.push(key, NOT_UNDERSTOOD),
        }
    }
    text
}

fn list(
    text: &mut TextOut,
    value: &str,
    directory: &Directory,
    initiator: &IscsiName,
    own: Option<&IscsiName>,
) {
    let mut visible = directory.visible(initiator);
    match (SendTargets::parse(value), own) {
        (Some(SendTargets::All), None) => {
            visible.for_each(|(name, entry)| push_target(text, name, entry));
        }
        (Some(SendTargets::Named(name)), _) => {
            let found = visible.find(|(visible, _)| **visible == name);
            found.into_iter().for_each(|(name, entry)| push_target(text, name, entry));
        }
        (Some(SendTargets::Own), Some(own)) => {
            let found = visible.find(|(visible, _)| *visible == own);
            found.into_iter().for_each(|(name, entry)| push_target(text, name, entry));
        }
        _ => text.push("SendTargets", REJECT),
    }
}

fn push_target(text: &mut TextOut, name: &IscsiName, entry: &TargetEntry) {
    text.push("TargetName", name.as_str());
    for portal in &entry.portals {
        text.push("TargetAddress", &portal.to_string());
    }
}
