//! What happens to a logical unit besides commands: nexuses come and go, resets, task management,
//! changes of size and of port groups (SAM-5 sections 5.14, 6.3 and 7).

use super::{LogicalUnit, NexusId, mode};
use crate::scsi::SenseCode;
use crate::scsi::data::AluaState;

/// How everything starts anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reset {
    /// LOGICAL UNIT RESET.
    LogicalUnit,
    /// TARGET WARM RESET or TARGET COLD RESET.
    Target,
    /// The process starts or behaves so: reservations that are not kept are gone.
    PowerOn,
}

impl LogicalUnit {
    /// A session of the nexus begins: its first command is told of the reset (29h/00h), or, where
    /// the nexus knows of that, of the loss of its session (29h/07h).
    pub fn nexus_established(&mut self, nexus: &NexusId) {
        self.attentions.establish(nexus);
    }

    /// The nexus is lost: a reservation of SPC-2 goes with it, persistent ones stay (SAM-5 section
    /// 6.3.4).
    pub fn nexus_lost(&mut self, nexus: &NexusId) {
        self.attentions.lose(nexus);
        if self.reserved_by.as_ref() == Some(nexus) {
            self.reserved_by = None;
        }
    }

    /// A reset. The shell has ended all commands of all nexuses before.
    pub fn reset(&mut self, reset: Reset) {
        self.reserved_by = None;
        self.mode = mode::Mode::at_start(&self.config);
        let code = match reset {
            Reset::LogicalUnit => SenseCode::BUS_DEVICE_RESET,
            Reset::Target => SenseCode::BUS_RESET,
            Reset::PowerOn => {
                self.reservations.power_loss();
                SenseCode::POWER_ON
            }
        };
        self.attentions.push_all(code);
    }

    /// CLEAR TASK SET of `by` ended commands of these nexuses; with the TAS bit they were answered
    /// with TASK ABORTED, without it they hear of it this way (SAM-5 section 7.4). ABORT TASK SET
    /// ends commands of its own nexus and tells nobody.
    pub fn task_set_cleared<'a>(
        &mut self,
        by: &NexusId,
        affected: impl IntoIterator<Item = &'a NexusId>,
    ) {
        if self.answers_task_aborted() {
            return;
        }
        for nexus in affected.into_iter().filter(|nexus| *nexus != by) {
            self.attentions.push(nexus, SenseCode::COMMANDS_CLEARED);
        }
    }

    /// Commands that others ended are answered with TASK ABORTED (the TAS bit).
    #[must_use]
    pub fn answers_task_aborted(&self) -> bool {
        self.mode.control.task_aborted
    }

    /// The size changes; every nexus is told (SBC-3 section 4.4).
    ///
    /// # Panics
    /// With no blocks at all.
    pub fn resize(&mut self, blocks: u64) {
        assert!(blocks > 0, "a logical unit has blocks");
        if blocks != self.config.blocks {
            self.config.blocks = blocks;
            self.attentions.push_all(SenseCode::CAPACITY_CHANGED);
        }
    }

    /// A port group changes its state; every nexus is told (SPC-4 section 5.11.2.5). False where
    /// there is no such group.
    pub fn set_alua(&mut self, group: u16, state: AluaState) -> bool {
        let Some(group) = self.config.groups.iter_mut().find(|found| found.id == group) else {
            return false;
        };
        if group.state != state {
            group.state = state;
            self.attentions.push_all(SenseCode::ALUA_STATE_CHANGED);
        }
        true
    }

    /// The list of logical units of the target changed; every nexus is told.
    pub fn luns_changed(&mut self) {
        self.attentions.push_all(SenseCode::REPORTED_LUNS_CHANGED);
    }
}
