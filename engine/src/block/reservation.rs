//! Persistent reservations with one meaning for SCSI (SPC-4 section 5.13) and NVMe (Base 2.0,
//! section 8.19).

/// The six types of a reservation, in the field's short names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReservationType {
    /// Write Exclusive.
    WriteExclusive,
    /// Exclusive Access.
    ExclusiveAccess,
    /// Write Exclusive, Registrants Only.
    WriteExclusiveRegistrants,
    /// Exclusive Access, Registrants Only.
    ExclusiveAccessRegistrants,
    /// Write Exclusive, All Registrants.
    WriteExclusiveAll,
    /// Exclusive Access, All Registrants.
    ExclusiveAccessAll,
}

/// A change of registrations or of the reservation. Keys are never zero except where said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReservationOut {
    /// Registers `new` for this initiator; `old` must match what is registered, zero for nothing.
    /// A `new` of zero unregisters.
    Register {
        /// The registered key, zero if none.
        old: u64,
        /// The key from now on, zero to unregister.
        new: u64,
        /// Do not compare `old`.
        ignore_existing: bool,
        /// Keep registrations and reservation across power loss of the device.
        persist: bool,
    },
    /// Takes the reservation.
    Reserve {
        /// This initiator's key.
        key: u64,
        /// The type to hold.
        kind: ReservationType,
    },
    /// Gives the reservation up.
    Release {
        /// This initiator's key.
        key: u64,
        /// The type held.
        kind: ReservationType,
    },
    /// Removes every registration and the reservation.
    Clear {
        /// This initiator's key.
        key: u64,
    },
    /// Removes the registrations under `victim` and takes over a reservation held under it.
    Preempt {
        /// This initiator's key.
        key: u64,
        /// The key to remove.
        victim: u64,
        /// The type to hold afterwards.
        kind: ReservationType,
        /// Abort the victim's commands too, and complete only when they are drained.
        abort: bool,
    },
}

/// A question about reservations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReservationIn {
    /// The registered keys.
    ReadKeys,
    /// The reservation and its holder.
    ReadReservation,
    /// Every registration with its initiator.
    ReadFullStatus,
}

/// One registration.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Registration {
    /// The registered key.
    pub key: u64,
    /// Whose it is: an initiator port's name (iSCSI name and ISID) or a host identifier in hex.
    /// Empty where the question does not tell.
    pub initiator: String,
    /// True where this registrant holds the reservation.
    pub holder: bool,
}

/// The answer to a question about reservations.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReservationReport {
    /// Counts changes of registrations (PRGENERATION); wraps.
    pub generation: u32,
    /// The registrations that the question asked for.
    pub registrations: Vec<Registration>,
    /// The type of the reservation, where one is held.
    pub held: Option<ReservationType>,
}
