//! Capacity, logical units, port groups, supported commands (SPC-4 sections 6.33 to 6.37, SBC-3
//! sections 5.15 and 5.16).

use alloc::vec::Vec;

use super::{LogicalUnit, NexusId, ScsiReply, invalid_cdb};
use crate::scsi::cdb::{Report, ReportLuns, Which};
use crate::scsi::data::{self, AluaState, Capacity, PortGroup};
use crate::scsi::opcode::{SUPPORTED, Supported};
use crate::scsi::{Lun, SenseCode};

/// ABORT TASK, ABORT TASK SET, CLEAR TASK SET, LOGICAL UNIT RESET and TARGET RESET.
const TASK_FUNCTIONS: u8 = 0xda;
/// Well-known logical units only.
const SELECT_WELL_KNOWN: u8 = 1;

impl LogicalUnit {
    pub(super) fn read_capacity_10(&self) -> ScsiReply {
        ScsiReply::data(Vec::from(self.capacity().to_10()), u32::MAX)
    }

    pub(super) fn read_capacity_16(&self, allocation: u32) -> ScsiReply {
        ScsiReply::data(Vec::from(self.capacity().to_16()), allocation)
    }

    fn capacity(&self) -> Capacity {
        Capacity {
            last_lba: self.config.blocks - 1,
            block_len: self.config.block_len,
            physical_exponent: self.config.physical_exponent,
            lowest_aligned: 0,
            is_thin: self.config.thin,
            reads_zeroes: self.config.thin,
        }
    }

    /// A logical unit knows only itself: a target with several answers REPORT LUNS in its place.
    pub(super) fn report_luns(&mut self, nexus: &NexusId, report: ReportLuns) -> ScsiReply {
        self.attentions.clear(nexus, SenseCode::REPORTED_LUNS_CHANGED);
        let luns: &[Lun] = if report.select == SELECT_WELL_KNOWN { &[] } else { &[Lun::ZERO] };
        ScsiReply::data(data::build_luns(luns), report.allocation)
    }

    pub(super) fn report(&self, report: Report) -> Result<ScsiReply, ScsiReply> {
        Ok(match report {
            Report::TargetPortGroups { is_extended, allocation } => {
                let bytes = data::build_port_groups(&self.config.groups, is_extended);
                ScsiReply::data(bytes, allocation)
            }
            Report::Opcodes { which, timeouts, allocation } => {
                ScsiReply::data(self.opcodes(which, timeouts)?, allocation)
            }
            Report::TaskFunctions { is_long, allocation } => {
                let mut bytes = Vec::from([TASK_FUNCTIONS, 0, 0, 0]);
                if is_long {
                    bytes.resize(16, 0);
                    bytes[3] = 12;
                }
                ScsiReply::data(bytes, allocation)
            }
        })
    }

    fn opcodes(&self, which: Which, timeouts: bool) -> Result<Vec<u8>, ScsiReply> {
        let known: Vec<Supported> =
            SUPPORTED.iter().copied().filter(|command| self.supports(command)).collect();
        let find = |opcode: u8, action: Option<u16>| {
            known.iter().find(|command| {
                command.opcode == opcode && command.service_action.map(u16::from) == action
            })
        };
        let has_actions =
            |opcode: u8| known.iter().any(|c| c.opcode == opcode && c.service_action.is_some());
        let is_known = |opcode: u8| known.iter().any(|command| command.opcode == opcode);
        let one = match which {
            Which::All => return Ok(data::build_opcodes(&known, timeouts)),
            // The option has to fit the command (SPC-4 table 242).
            Which::Plain(opcode) if has_actions(opcode) => return Err(invalid_cdb(2)),
            Which::Action(opcode, _) if is_known(opcode) && !has_actions(opcode) => {
                return Err(invalid_cdb(2));
            }
            Which::Plain(opcode) => find(opcode, None),
            Which::Action(opcode, action) => find(opcode, Some(action)),
            Which::Either(opcode, 0) => find(opcode, None).or_else(|| find(opcode, Some(0))),
            Which::Either(opcode, action) => find(opcode, Some(action)),
        };
        Ok(data::build_opcode(one, timeouts))
    }

    pub(super) fn group_of(&self, port: u16) -> Option<&PortGroup> {
        self.config.groups.iter().find(|group| group.ports.contains(&port))
    }

    /// The state in which commands through that port are served.
    #[must_use]
    pub fn alua_state(&self, port: u16) -> AluaState {
        self.group_of(port).map_or(AluaState::Optimized, |group| group.state)
    }
}
