//! The list of targets: TargetName, followed by the TargetAddress of each of its portals.

use alloc::collections::VecDeque;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::{DISCOVERED_ADDRESSES_MAX, DISCOVERED_TARGETS_MAX, DiscoveryError, SendTargets};
use crate::iscsi::login::{Directory, TargetAddress, TargetEntry};
use crate::iscsi::negotiate::SessionParams;
use crate::iscsi::text::{
    IscsiName, NOT_UNDERSTOOD, Pair, REJECT, TEXT_LEN_MAX, TextOut, is_refusal, parse_pairs,
};

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

/// A text that is longer is followed by another one: what one text may have in all is limited, and
/// half of `TEXT_LEN_MAX` leaves room for the portals of one more target.
const LISTING_LEN: usize = TEXT_LEN_MAX / 2;

/// The answer to a whole text request, for a session that does the exchange of PDUs itself: the list
/// where one is asked for, and `NotUnderstood` to all else.
#[must_use]
pub fn answer_text(request: &[u8], params: &SessionParams, directory: &Directory) -> Vec<u8> {
    let mut text = TextOut::new();
    let pairs = parse_pairs(request).unwrap_or_default();
    for pair in pairs.iter().filter(|pair| pair.key != "SendTargets") {
        text.push(&pair.key, NOT_UNDERSTOOD);
    }
    let mut answered = Vec::new();
    for mut text in answer(text, &pairs, params, directory) {
        let len = text.len();
        if len > 0 {
            answered.extend_from_slice(text.next_part(len).bytes);
        }
    }
    answered
}

/// The list that SendTargets asks for, as far as this initiator may see it, after what `text` already
/// says. A long list comes in several texts.
pub(super) fn answer(
    text: TextOut,
    pairs: &[Pair],
    params: &SessionParams,
    directory: &Directory,
) -> VecDeque<TextOut> {
    let mut texts = VecDeque::from([text]);
    if let Some(pair) = pairs.iter().find(|pair| pair.key == "SendTargets") {
        list(&mut texts, &pair.value, params, directory);
    }
    texts
}

fn list(texts: &mut VecDeque<TextOut>, asked: &str, params: &SessionParams, directory: &Directory) {
    let initiator = params.initiator_name.as_ref().expect("a session has an initiator");
    let visible = directory.visible(initiator);
    match (SendTargets::parse(asked), &params.target_name) {
        (Some(SendTargets::All), None) => push_targets(texts, visible),
        (Some(SendTargets::Named(named)), _) => {
            push_targets(texts, visible.filter(|(name, _)| **name == named));
        }
        (Some(SendTargets::Own), Some(own)) => {
            push_targets(texts, visible.filter(|(name, _)| *name == own));
        }
        _ => last(texts).push("SendTargets", REJECT),
    }
}

fn push_targets<'a>(
    texts: &mut VecDeque<TextOut>,
    targets: impl Iterator<Item = (&'a IscsiName, &'a TargetEntry)>,
) {
    for (name, entry) in targets {
        if last(texts).len() > LISTING_LEN {
            texts.push_back(TextOut::new());
        }
        push_target(last(texts), name, entry);
    }
}

fn last(texts: &mut VecDeque<TextOut>) -> &mut TextOut {
    texts.back_mut().expect("an answer has at least one text")
}

fn push_target(text: &mut TextOut, name: &IscsiName, entry: &TargetEntry) {
    text.push("TargetName", name.as_str());
    for portal in entry.portals.iter().take(DISCOVERED_ADDRESSES_MAX) {
        text.push("TargetAddress", &portal.to_string());
    }
}
