//! Persistent reservations as one machine (SPC-4 section 5.13), shared by everything that has them.
//!
//! A *nexus* is whoever sends commands: for iSCSI an initiator port (name and ISID) and the target
//! port it speaks to. It is opaque here, and outlives sessions: a registration survives the loss of
//! the nexus, that is what *persistent* means.
//!
//! Invariants: a single holder is registered; a reservation of all registrants has at least one; no
//! key is zero; the generation moves with each change of registrations and never with RESERVE or
//! RELEASE. Every change is made by [`Reservations::apply`], which changes nothing where it refuses.

use alloc::collections::BTreeMap;
use core::fmt::Debug;
use core::hash::Hash;

pub use access::{AccessKind, Verdict};
pub use kind::Kind;
pub use request::{Attention, Effect, Refusal, Request};
pub use saved::{Saved, SavedError};

mod access;
mod apply;
mod kind;
mod preempt;
mod request;
mod saved;
#[cfg(test)]
mod tests;

/// Most registrants of one logical unit. The answers of PERSISTENT RESERVE IN stay below 64 KiB for
/// their keys.
pub const REGISTRANTS_MAX: usize = 4096;

/// What a nexus has to be: ordered, so that answers and saved states have one form.
pub trait Nexus: Clone + Ord + Eq + Hash + Debug {}
impl<T: Clone + Ord + Eq + Hash + Debug> Nexus for T {}

/// Registrations and the reservation of one logical unit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reservations<N: Nexus> {
    registrants: BTreeMap<N, u64>,
    held: Option<Held<N>>,
    generation: u32,
    is_kept: bool,
}

/// The reservation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Held<N> {
    kind: Kind,
    /// Nobody in particular where all registrants hold it.
    holder: Option<N>,
}

impl<N: Nexus> Default for Reservations<N> {
    fn default() -> Self {
        Reservations { registrants: BTreeMap::new(), held: None, generation: 0, is_kept: false }
    }
}

impl<N: Nexus> Reservations<N> {
    /// No registrant and no reservation.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// PRgeneration: how often registrations changed since power on.
    #[must_use]
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// True where registrations and reservation are to survive a power loss (APTPL).
    #[must_use]
    pub fn is_kept_over_power_loss(&self) -> bool {
        self.is_kept
    }

    /// The key of a registered nexus.
    #[must_use]
    pub fn key_of(&self, nexus: &N) -> Option<u64> {
        self.registrants.get(nexus).copied()
    }

    /// All registrants with their keys, in order.
    pub fn registrants(&self) -> impl Iterator<Item = (&N, u64)> {
        self.registrants.iter().map(|(nexus, key)| (nexus, *key))
    }

    /// The kind of the reservation, where there is one.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        self.held.as_ref().map(|held| held.kind)
    }

    /// The key that READ RESERVATION tells: the holder's, zero where all registrants hold it.
    #[must_use]
    pub fn holder_key(&self) -> Option<u64> {
        let held = self.held.as_ref()?;
        Some(held.holder.as_ref().and_then(|holder| self.key_of(holder)).unwrap_or(0))
    }

    /// True where the nexus holds the reservation, alone or with all registrants.
    #[must_use]
    pub fn is_holder(&self, nexus: &N) -> bool {
        self.held.as_ref().is_some_and(|held| match &held.holder {
            Some(holder) => holder == nexus,
            None => self.registrants.contains_key(nexus),
        })
    }

    /// Power was lost: without APTPL nothing is left, and the generation starts at zero either way
    /// (SPC-4 section 6.15.2).
    pub fn power_loss(&mut self) {
        if !self.is_kept {
            *self = Self::default();
        }
        self.generation = 0;
    }

    fn assert_invariants(&self) {
        assert!(self.registrants.len() <= REGISTRANTS_MAX);
        assert!(self.registrants.values().all(|key| *key != 0), "no key is zero");
        let Some(held) = &self.held else { return };
        match &held.holder {
            Some(holder) => assert!(self.registrants.contains_key(holder), "holders register"),
            None => assert!(!self.registrants.is_empty(), "all of nobody hold nothing"),
        }
        assert_eq!(held.kind.is_all_registrants(), held.holder.is_none());
    }
}
