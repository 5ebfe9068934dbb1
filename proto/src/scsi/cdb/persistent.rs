//! PERSISTENT RESERVE IN and OUT (SPC-4 sections 6.15 and 6.16).

use crate::scsi::{Cdb, Sense, opcode};

const SERVICE_ACTION_MASK: u8 = 0x1f;

/// What is asked of the reservations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReserveInAction {
    /// The keys of all registrants.
    ReadKeys,
    /// The reservation, if there is one.
    ReadReservation,
    /// What the logical unit can do.
    ReportCapabilities,
    /// The registrants with their names.
    ReadFullStatus,
}

/// PERSISTENT RESERVE IN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReserveIn {
    /// What is asked.
    pub action: ReserveInAction,
    /// Most bytes of the answer.
    pub allocation: u16,
}

impl ReserveIn {
    pub(super) fn parse(cdb: &Cdb) -> Result<ReserveIn, Sense> {
        let action = match cdb[1] & SERVICE_ACTION_MASK {
            0 => ReserveInAction::ReadKeys,
            1 => ReserveInAction::ReadReservation,
            2 => ReserveInAction::ReportCapabilities,
            3 => ReserveInAction::ReadFullStatus,
            _ => return Err(Sense::invalid_cdb_field(1)),
        };
        Ok(ReserveIn { action, allocation: u16::from_be_bytes([cdb[7], cdb[8]]) })
    }

    /// The PERSISTENT RESERVE IN command.
    #[must_use]
    pub fn build(self) -> Cdb {
        let mut cdb = Cdb::default();
        (cdb[0], cdb[1]) = (opcode::PERSISTENT_RESERVE_IN, self.action as u8);
        cdb[7..9].copy_from_slice(&self.allocation.to_be_bytes());
        cdb
    }
}

/// What is done to the reservations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReserveOutAction {
    /// A key appears, changes or goes, if the old one is right.
    Register,
    /// A reservation is made.
    Reserve,
    /// The reservation is given up.
    Release,
    /// Reservation and registrations all go.
    Clear,
    /// Others lose registration and reservation.
    Preempt,
    /// They lose their commands too.
    PreemptAndAbort,
    /// As REGISTER, whatever the old key.
    RegisterIgnore,
    /// The reservation moves to another nexus.
    RegisterMove,
}

/// PERSISTENT RESERVE OUT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReserveOut {
    /// What is done.
    pub action: ReserveOutAction,
    /// SCOPE, the upper half of byte 2; zero is the logical unit, the only one left.
    pub scope: u8,
    /// TYPE, the lower half of byte 2, in the numbers of the standard.
    pub kind: u8,
    /// Bytes of the parameter list.
    pub list_len: u32,
}

impl ReserveOut {
    pub(super) fn parse(cdb: &Cdb) -> Result<ReserveOut, Sense> {
        let action = match cdb[1] & SERVICE_ACTION_MASK {
            0 => ReserveOutAction::Register,
            1 => ReserveOutAction::Reserve,
            2 => ReserveOutAction::Release,
            3 => ReserveOutAction::Clear,
            4 => ReserveOutAction::Preempt,
            5 => ReserveOutAction::PreemptAndAbort,
            6 => ReserveOutAction::RegisterIgnore,
            7 => ReserveOutAction::RegisterMove,
            _ => return Err(Sense::invalid_cdb_field(1)),
        };
        let (scope, kind) = (cdb[2] >> 4, cdb[2] & 0x0f);
        Ok(ReserveOut { action, scope, kind, list_len: super::u32_at(cdb, 5) })
    }

    /// The PERSISTENT RESERVE OUT command.
    #[must_use]
    pub fn build(self) -> Cdb {
        let mut cdb = Cdb::default();
        (cdb[0], cdb[1]) = (opcode::PERSISTENT_RESERVE_OUT, self.action as u8);
        cdb[2] = self.scope << 4 | (self.kind & 0x0f);
        cdb[5..9].copy_from_slice(&self.list_len.to_be_bytes());
        cdb
    }
}
