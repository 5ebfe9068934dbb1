//! How a command ended, in one byte (SAM-5 section 5.3).

use core::fmt;

/// The status of a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Status {
    /// The command did what it says.
    #[default]
    Good = 0x00,
    /// It did not; sense data say why.
    CheckCondition = 0x02,
    /// A PREFETCH found room for all of it (SBC-3 section 5.12).
    ConditionMet = 0x04,
    /// The logical unit cannot take the command at the moment.
    Busy = 0x08,
    /// A reservation of another nexus forbids the command.
    ReservationConflict = 0x18,
    /// The task set is full; commands of this nexus are still in it.
    TaskSetFull = 0x28,
    /// An auto contingent allegiance is in the way.
    AcaActive = 0x30,
    /// Another nexus ended the command, and this nexus asked to be told (the TAS bit).
    TaskAborted = 0x40,
}

impl Status {
    const ALL: [Status; 8] = [
        Status::Good,
        Status::CheckCondition,
        Status::ConditionMet,
        Status::Busy,
        Status::ReservationConflict,
        Status::TaskSetFull,
        Status::AcaActive,
        Status::TaskAborted,
    ];

    /// The status of that byte; nothing for obsolete and reserved ones.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Status> {
        Status::ALL.into_iter().find(|status| status.to_byte() == byte)
    }

    /// The byte of the wire.
    #[must_use]
    pub fn to_byte(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Status::Good => "GOOD",
            Status::CheckCondition => "CHECK CONDITION",
            Status::ConditionMet => "CONDITION MET",
            Status::Busy => "BUSY",
            Status::ReservationConflict => "RESERVATION CONFLICT",
            Status::TaskSetFull => "TASK SET FULL",
            Status::AcaActive => "ACA ACTIVE",
            Status::TaskAborted => "TASK ABORTED",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_a_status_or_nothing() {
        let known = (0..=u8::MAX).filter_map(Status::from_byte).count();
        assert_eq!(known, Status::ALL.len());
        assert_eq!(Status::from_byte(0x18), Some(Status::ReservationConflict));
        assert_eq!(Status::from_byte(0x22), None);
    }
}
