//! Unit attention conditions of every nexus (SAM-5 section 5.14).
//!
//! A condition is told once, with the next command that is not exempt, oldest first. The same
//! condition is not kept twice, and a reset wipes out what came before it.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::NexusId;
use crate::scsi::SenseCode;

/// Most conditions of a nexus; what does not fit is covered by "parameters changed".
const ATTENTIONS_MAX: usize = 16;
/// Codes that say that everything starts anew.
const RESET_ASC: u8 = 0x29;
/// Most nexuses that are remembered; one that is forgotten hears of a reset too many.
const KNOWN_MAX: usize = 4096;

/// The conditions of all nexuses that are known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Attentions {
    of: BTreeMap<NexusId, Vec<SenseCode>>,
    /// Those that were told of the last reset: when they come again, only their own session was lost,
    /// and what they wrote is still there.
    known: BTreeSet<NexusId>,
}

impl Attentions {
    /// The nexus appears; what waited for it still does, behind the condition of its start.
    pub(super) fn establish(&mut self, nexus: &NexusId) {
        let queue = self.of.entry(nexus.clone()).or_default();
        if !queue.iter().any(|code| code.asc == RESET_ASC) {
            let is_known = self.known.contains(nexus);
            let code = if is_known { SenseCode::NEXUS_LOSS } else { SenseCode::RESET_OCCURRED };
            queue.insert(0, code);
        }
    }

    /// The nexus goes. What concerns its reservations waits for its return, the rest is covered by
    /// the condition of its start.
    pub(super) fn lose(&mut self, nexus: &NexusId) {
        if let Some(queue) = self.of.get_mut(nexus) {
            queue.retain(|code| is_of_reservations(*code));
            if queue.is_empty() {
                self.of.remove(nexus);
            }
        }
    }

    pub(super) fn push(&mut self, nexus: &NexusId, code: SenseCode) {
        let queue = match self.of.get_mut(nexus) {
            Some(queue) => queue,
            None => self.of.entry(nexus.clone()).or_default(),
        };
        enqueue(queue, code);
    }

    pub(super) fn push_all(&mut self, code: SenseCode) {
        if code.asc == RESET_ASC {
            self.known.clear();
        }
        self.of.values_mut().for_each(|queue| enqueue(queue, code));
    }

    pub(super) fn push_others(&mut self, but: &NexusId, code: SenseCode) {
        let others = self.of.iter_mut().filter(|(nexus, _)| *nexus != but);
        others.for_each(|(_, queue)| enqueue(queue, code));
    }

    /// Takes the oldest condition.
    pub(super) fn take(&mut self, nexus: &NexusId) -> Option<SenseCode> {
        let queue = self.of.get_mut(nexus)?;
        let code = (!queue.is_empty()).then(|| queue.remove(0))?;
        if code.asc == RESET_ASC && self.known.len() < KNOWN_MAX {
            self.known.insert(nexus.clone());
        }
        Some(code)
    }

    /// Takes one condition out of the middle: REPORT LUNS answers what 3Fh/0Eh asks for.
    pub(super) fn clear(&mut self, nexus: &NexusId, code: SenseCode) {
        if let Some(queue) = self.of.get_mut(nexus) {
            queue.retain(|other| *other != code);
        }
    }
}

fn is_of_reservations(code: SenseCode) -> bool {
    matches!(
        code,
        SenseCode::RESERVATIONS_PREEMPTED
            | SenseCode::RESERVATIONS_RELEASED
            | SenseCode::REGISTRATIONS_PREEMPTED
    )
}

fn enqueue(queue: &mut Vec<SenseCode>, code: SenseCode) {
    if code.asc == RESET_ASC {
        queue.retain(|other| is_of_reservations(*other));
        queue.insert(0, code);
        return;
    }
    if queue.contains(&code) {
        return;
    }
    if queue.len() == ATTENTIONS_MAX {
        queue.pop();
        queue.retain(|other| *other != SenseCode::PARAMETERS_CHANGED);
        queue.push(SenseCode::PARAMETERS_CHANGED);
    } else {
        queue.push(code);
    }
}
