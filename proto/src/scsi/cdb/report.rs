//! MAINTENANCE IN: target port groups, supported commands and task management functions (SPC-4
//! sections 6.35 to 6.37).

use super::flag;
use crate::scsi::{Cdb, Sense, opcode};

/// A target port groups answer with the extended header.
const EXTENDED: u8 = 0x20;
const FORMAT_MASK: u8 = 0xe0;
/// Command timeouts descriptors are wanted.
const TIMEOUTS: u8 = 0x80;
const OPTIONS_MASK: u8 = 0x07;
const SERVICE_ACTION_MASK: u8 = 0x1f;

/// One of the reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Report {
    /// The states of the target port groups.
    TargetPortGroups {
        /// With the extended header.
        is_extended: bool,
        /// Most bytes of the answer.
        allocation: u32,
    },
    /// The commands that the logical unit supports.
    Opcodes {
        /// Which of them.
        which: Which,
        /// With command timeouts descriptors (RCTD).
        timeouts: bool,
        /// Most bytes of the answer.
        allocation: u32,
    },
    /// The task management functions that the logical unit supports.
    TaskFunctions {
        /// The long form of the answer (REPD).
        is_long: bool,
        /// Most bytes of the answer.
        allocation: u32,
    },
}

/// Which commands are asked for (REPORTING OPTIONS).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Which {
    /// All of them.
    All,
    /// One without service actions.
    Plain(u8),
    /// One with that service action.
    Action(u8, u16),
    /// One in either form: a service action of zero fits commands without.
    Either(u8, u16),
}

impl Report {
    pub(super) fn parse(cdb: &Cdb) -> Result<Report, Sense> {
        let allocation = super::u32_at(cdb, 6);
        match cdb[1] & SERVICE_ACTION_MASK {
            opcode::SA_REPORT_TARGET_PORT_GROUPS => match cdb[1] & FORMAT_MASK {
                0 => Ok(Report::TargetPortGroups { is_extended: false, allocation }),
                EXTENDED => Ok(Report::TargetPortGroups { is_extended: true, allocation }),
                _ => Err(Sense::invalid_cdb_field(1)),
            },
            opcode::SA_REPORT_OPCODES => {
                let (which, timeouts) = (Which::parse(cdb)?, cdb[2] & TIMEOUTS != 0);
                Ok(Report::Opcodes { which, timeouts, allocation })
            }
            opcode::SA_REPORT_TASK_FUNCTIONS => {
                Ok(Report::TaskFunctions { is_long: cdb[2] & TIMEOUTS != 0, allocation })
            }
            _ => Err(Sense::invalid_cdb_field(1)),
        }
    }

    /// The MAINTENANCE IN command.
    #[must_use]
    pub fn build(self) -> Cdb {
        let mut cdb = Cdb::default();
        cdb[0] = opcode::MAINTENANCE_IN;
        let allocation = match self {
            Report::TargetPortGroups { is_extended, allocation } => {
                cdb[1] = opcode::SA_REPORT_TARGET_PORT_GROUPS | flag(is_extended, EXTENDED);
                allocation
            }
            Report::Opcodes { which, timeouts, allocation } => {
                cdb[1] = opcode::SA_REPORT_OPCODES;
                which.write(&mut cdb);
                cdb[2] |= flag(timeouts, TIMEOUTS);
                allocation
            }
            Report::TaskFunctions { is_long, allocation } => {
                cdb[1] = opcode::SA_REPORT_TASK_FUNCTIONS;
                cdb[2] = flag(is_long, TIMEOUTS);
                allocation
            }
        };
        cdb[6..10].copy_from_slice(&allocation.to_be_bytes());
        cdb
    }
}

impl Which {
    fn parse(cdb: &Cdb) -> Result<Which, Sense> {
        let (code, action) = (cdb[3], u16::from_be_bytes([cdb[4], cdb[5]]));
        match cdb[2] & OPTIONS_MASK {
            0 => Ok(Which::All),
            1 => Ok(Which::Plain(code)),
            2 => Ok(Which::Action(code, action)),
            3 => Ok(Which::Either(code, action)),
            _ => Err(Sense::invalid_cdb_field(2)),
        }
    }

    fn write(self, cdb: &mut Cdb) {
        let (options, code, action) = match self {
            Which::All => (0, 0, 0),
            Which::Plain(code) => (1, code, 0),
            Which::Action(code, action) => (2, code, action),
            Which::Either(code, action) => (3, code, action),
        };
        (cdb[2], cdb[3]) = (options, code);
        cdb[4..6].copy_from_slice(&action.to_be_bytes());
    }
}
