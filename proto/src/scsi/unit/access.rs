//! Which commands pass: reservations of both kinds, and the state of the port group (SPC-4 tables 49
//! and 50, SBC-3 table 12, SPC-4 section 5.11.2).

use super::{LogicalUnit, NexusId};
use crate::reservation::{AccessKind, Verdict};
use crate::scsi::cdb::{Command, Report, StartStop};
use crate::scsi::data::AluaState;
use crate::scsi::{Sense, SenseCode};

/// What a command does, as persistent reservations see it. The match names every command, so that
/// none that writes is let through for want of a line.
pub(super) fn access_kind(command: &Command) -> AccessKind {
    match command {
        Command::Write(_)
        | Command::OrWrite(_)
        | Command::WriteVerify(_)
        | Command::WriteSame(_)
        | Command::CompareAndWrite(_)
        | Command::Unmap(_)
        | Command::SynchronizeCache(_)
        | Command::ModeSelect(_)
        | Command::PreventAllow { prevent: true } => AccessKind::Write,
        Command::StartStop(StartStop { start: true, power_condition: 0, load_eject: false, .. }) => {
            AccessKind::Free
        }
        Command::StartStop(_) => AccessKind::Write,
        Command::Read(_)
        | Command::Verify(_)
        | Command::Prefetch(_)
        | Command::GetLbaStatus(_)
        | Command::ModeSense(_)
        | Command::Report(Report::Opcodes { .. } | Report::TaskFunctions { .. }) => {
            AccessKind::Read
        }
        Command::TestUnitReady
        | Command::RequestSense(_)
        | Command::Inquiry(_)
        | Command::ReportLuns(_)
        | Command::ReadCapacity10
        | Command::ReadCapacity16 { .. }
        | Command::PreventAllow { prevent: false }
        | Command::Report(Report::TargetPortGroups { .. })
        // RESERVE and RELEASE have a rule of their own, PERSISTENT RESERVE OUT looks at keys.
        | Command::Reserve6
        | Command::Release6
        | Command::ReserveIn(_)
        | Command::ReserveOut(_) => AccessKind::Free,
    }
}

/// Commands that are performed whatever else is the case (SAM-5 section 5.14, SPC-4 section 5.11.2).
pub(super) fn is_exempt(command: &Command) -> bool {
    matches!(command, Command::Inquiry(_) | Command::ReportLuns(_) | Command::RequestSense(_))
}

impl LogicalUnit {
    /// False where a reservation shuts the command out.
    #[inline]
    pub(super) fn is_let_in(&self, nexus: &NexusId, command: &Command) -> bool {
        if is_exempt(command) {
            return true;
        }
        let is_reserved_by_other = self.reserved_by.as_ref().is_some_and(|by| by != nexus);
        if is_reserved_by_other && *command != Command::Release6 {
            return false;
        }
        self.reservations.check(nexus, access_kind(command)) == Verdict::Allow
    }

    /// The sense that tells that the port group of the nexus does not serve the command.
    #[inline]
    pub(super) fn refusal_of_port(&self, nexus: &NexusId, command: &Command) -> Option<Sense> {
        let state = self.alua_state(nexus.port);
        let is_always_served = is_exempt(command)
            || matches!(command, Command::Report(Report::TargetPortGroups { .. }));
        let is_served_in_standby = matches!(
            command,
            Command::ModeSense(_)
                | Command::ModeSelect(_)
                | Command::ReserveIn(_)
                | Command::ReserveOut(_)
        );
        let code = match state {
            _ if is_always_served => return None,
            AluaState::Standby if is_served_in_standby => return None,
            AluaState::Standby => SenseCode::ALUA_STANDBY,
            AluaState::Unavailable => SenseCode::ALUA_UNAVAILABLE,
            AluaState::Transitioning => SenseCode::ALUA_TRANSITION,
            AluaState::Optimized | AluaState::NonOptimized | AluaState::Other(_) => return None,
        };
        Some(Sense::not_ready(code))
    }
}
