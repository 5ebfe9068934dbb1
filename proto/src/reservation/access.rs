//! Who may do what under a reservation (SPC-4 table 49, SBC-3 table 12).

use super::{Nexus, Reservations};

/// What a command does, as reservations see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccessKind {
    /// Allowed to everybody always: INQUIRY, REPORT LUNS, READ CAPACITY, PERSISTENT RESERVE IN...
    Free,
    /// Looks at content or settings: shut out by exclusive access.
    Read,
    /// Changes content or settings: shut out by every kind.
    Write,
}

/// May the command be performed?
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// It may.
    Allow,
    /// It is answered with RESERVATION CONFLICT.
    Conflict,
}

impl<N: Nexus> Reservations<N> {
    /// May a command of that kind from that nexus be performed?
    #[must_use]
    #[inline]
    pub fn check(&self, nexus: &N, access: AccessKind) -> Verdict {
        let Some(held) = &self.held else { return Verdict::Allow };
        let is_open_to_all = match access {
            AccessKind::Free => true,
            AccessKind::Read => !held.kind.is_exclusive_access(),
            AccessKind::Write => false,
        };
        // Kinds 5 and 6 let registrants in; of kinds 7 and 8 every registrant is a holder.
        let is_inside = || {
            self.is_holder(nexus)
                || (held.kind.is_registrants_only() && self.registrants.contains_key(nexus))
        };
        if is_open_to_all || is_inside() { Verdict::Allow } else { Verdict::Conflict }
    }
}
