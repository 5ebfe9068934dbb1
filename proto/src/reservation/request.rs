//! What is asked of reservations, and what follows from it.

use alloc::vec::Vec;

use super::{Kind, Nexus};

/// A service action of PERSISTENT RESERVE OUT with its parameters. `key` is the RESERVATION KEY
/// field, which has to be the key that the nexus is registered with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Request<N> {
    /// REGISTER (SPC-4 section 5.13.7).
    Register {
        /// The key of the nexus so far; zero for a nexus that is not registered.
        key: u64,
        /// The key from then on; zero unregisters.
        new_key: u64,
        /// Keep all over a power loss (APTPL).
        keep: bool,
        /// Others to be registered with the same key (SPEC_I_PT).
        also: Vec<N>,
    },
    /// REGISTER AND IGNORE EXISTING KEY.
    RegisterIgnore {
        /// The key from then on; zero unregisters.
        new_key: u64,
        /// Keep all over a power loss (APTPL).
        keep: bool,
    },
    /// RESERVE (section 5.13.9).
    Reserve {
        /// The key of the nexus.
        key: u64,
        /// The kind wanted.
        kind: Kind,
    },
    /// RELEASE (section 5.13.11.2.2).
    Release {
        /// The key of the nexus.
        key: u64,
        /// The kind of the reservation.
        kind: Kind,
    },
    /// CLEAR (section 5.13.11.2.8).
    Clear {
        /// The key of the nexus.
        key: u64,
    },
    /// PREEMPT and PREEMPT AND ABORT (sections 5.13.11.2.4 and 5.13.11.2.6).
    Preempt {
        /// The key of the nexus.
        key: u64,
        /// The key whose registrants go; zero for all others, where all registrants hold.
        victim: u64,
        /// The kind of a reservation that takes the place of the victim's.
        kind: Kind,
        /// The commands of the victims go too.
        abort: bool,
    },
    /// REGISTER AND MOVE (section 5.13.8).
    Move {
        /// The key of the nexus.
        key: u64,
        /// The key of the nexus that gets the reservation.
        new_key: u64,
        /// That nexus.
        to: N,
        /// The old holder's registration goes.
        unregister: bool,
        /// Keep all over a power loss (APTPL).
        keep: bool,
    },
}

/// Why a request changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// RESERVATION CONFLICT.
    Conflict,
    /// A release of another kind than what is held (26h/04h).
    InvalidRelease,
    /// A parameter that makes no sense (26h/00h).
    InvalidParameter,
    /// Too many registrants (55h/04h).
    NoRoom,
}

/// What another nexus is to be told with its next command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attention {
    /// 2Ah/03h, after CLEAR.
    ReservationsPreempted,
    /// 2Ah/04h, when a reservation that concerned registrants is gone.
    ReservationsReleased,
    /// 2Ah/05h, when a registration was taken away.
    RegistrationsPreempted,
}

/// What follows from a request that was performed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Effect<N> {
    /// Who is to be told what.
    pub attentions: Vec<(N, Attention)>,
    /// Nexuses whose commands must have ended before the request is answered (PREEMPT AND ABORT).
    pub victims: Vec<N>,
    /// The state differs from before: where it is kept over power loss, it has to be stored before
    /// the request is answered.
    pub is_changed: bool,
}

impl<N: Nexus> Effect<N> {
    pub(super) fn none() -> Effect<N> {
        Effect { attentions: Vec::new(), victims: Vec::new(), is_changed: false }
    }

    pub(super) fn changed() -> Effect<N> {
        Effect { is_changed: true, ..Effect::none() }
    }
}
