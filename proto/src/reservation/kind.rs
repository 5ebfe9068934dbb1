//! The six kinds of persistent reservation (SPC-4 section 6.15.3.4).

/// Whom a reservation shuts out, and from what. The discriminant is the TYPE field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// One nexus writes, all read.
    WriteExclusive = 1,
    /// One nexus writes and reads.
    ExclusiveAccess = 3,
    /// One nexus holds it, all registrants write, all read.
    WriteExclusiveRegistrantsOnly = 5,
    /// One nexus holds it, all registrants write and read.
    ExclusiveAccessRegistrantsOnly = 6,
    /// All registrants hold it and write, all read.
    WriteExclusiveAllRegistrants = 7,
    /// All registrants hold it, write and read.
    ExclusiveAccessAllRegistrants = 8,
}

impl Kind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Kind; 6] = [
        Kind::WriteExclusive,
        Kind::ExclusiveAccess,
        Kind::WriteExclusiveRegistrantsOnly,
        Kind::ExclusiveAccessRegistrantsOnly,
        Kind::WriteExclusiveAllRegistrants,
        Kind::ExclusiveAccessAllRegistrants,
    ];

    /// The kind of that TYPE; nothing for obsolete and reserved ones.
    #[must_use]
    pub fn from_type(number: u8) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.to_type() == number)
    }

    /// The TYPE field.
    #[must_use]
    pub fn to_type(self) -> u8 {
        self as u8
    }

    /// Every registrant is a holder.
    #[must_use]
    pub fn is_all_registrants(self) -> bool {
        matches!(self, Kind::WriteExclusiveAllRegistrants | Kind::ExclusiveAccessAllRegistrants)
    }

    /// Registrants have access though one nexus holds the reservation.
    #[must_use]
    pub fn is_registrants_only(self) -> bool {
        matches!(self, Kind::WriteExclusiveRegistrantsOnly | Kind::ExclusiveAccessRegistrantsOnly)
    }

    /// Reading is shut out too.
    #[must_use]
    pub fn is_exclusive_access(self) -> bool {
        matches!(
            self,
            Kind::ExclusiveAccess
                | Kind::ExclusiveAccessRegistrantsOnly
                | Kind::ExclusiveAccessAllRegistrants
        )
    }
}
