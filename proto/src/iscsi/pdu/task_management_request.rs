//! Task Management Function Request (RFC 7143 section 11.5).

use zerocopy::byteorder::big_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{BHS_LEN, Bhs, FINAL, Itt, Opcode, PduError, U24, is_immediate, no_data, to_bhs, view};
use crate::scsi::Lun;
use crate::serial::Serial;

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Wire {
    opcode: u8,
    function: u8,
    reserved: [u8; 2],
    ahs_len: u8,
    data_len: U24,
    lun: U64,
    itt: U32,
    referenced: U32,
    cmd_sn: U32,
    exp_stat_sn: U32,
    ref_cmd_sn: U32,
    exp_data_sn: U32,
    reserved2: U64,
}

const _: () = assert!(size_of::<Wire>() == BHS_LEN);

/// What a target is to do about tasks (RFC 7143 section 11.5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaskFunction {
    /// 1: ABORT TASK, the one named by Referenced Task Tag.
    AbortTask,
    /// 2: ABORT TASK SET, all of this nexus on the logical unit.
    AbortTaskSet,
    /// 3: CLEAR ACA.
    ClearAca,
    /// 4: CLEAR TASK SET, all of every nexus on the logical unit.
    ClearTaskSet,
    /// 5: LOGICAL UNIT RESET.
    LogicalUnitReset,
    /// 6: TARGET WARM RESET.
    TargetWarmReset,
    /// 7: TARGET COLD RESET, which also drops all connections.
    TargetColdReset,
    /// 8: TASK REASSIGN to this connection.
    TaskReassign,
    /// Anything else is answered with "not supported".
    Other(u8),
}

impl TaskFunction {
    fn code(self) -> u8 {
        match self {
            TaskFunction::AbortTask => 1,
            TaskFunction::AbortTaskSet => 2,
            TaskFunction::ClearAca => 3,
            TaskFunction::ClearTaskSet => 4,
            TaskFunction::LogicalUnitReset => 5,
            TaskFunction::TargetWarmReset => 6,
            TaskFunction::TargetColdReset => 7,
            TaskFunction::TaskReassign => 8,
            TaskFunction::Other(code) => code & !FINAL,
        }
    }

    fn from_code(code: u8) -> TaskFunction {
        match code {
            1 => TaskFunction::AbortTask,
            2 => TaskFunction::AbortTaskSet,
            3 => TaskFunction::ClearAca,
            4 => TaskFunction::ClearTaskSet,
            5 => TaskFunction::LogicalUnitReset,
            6 => TaskFunction::TargetWarmReset,
            7 => TaskFunction::TargetColdReset,
            8 => TaskFunction::TaskReassign,
            _ => TaskFunction::Other(code),
        }
    }
}

/// A request about other tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TaskManagementRequest {
    /// The I bit.
    pub immediate: bool,
    /// What to do.
    pub function: TaskFunction,
    /// The logical unit, where the function has one.
    pub lun: Lun,
    /// The tag of this request.
    pub itt: Itt,
    /// Referenced Task Tag: the task to abort or reassign, otherwise [`Itt::NONE`].
    pub referenced: Itt,
    /// Place in the session's order: what the function covers comes before it.
    pub cmd_sn: Serial,
    /// Acknowledges every StatSN before it.
    pub exp_stat_sn: Serial,
    /// CmdSN of the task to abort; lets a target abort a command that never arrived.
    pub ref_cmd_sn: Serial,
    /// For TASK REASSIGN: the next DataSN or R2TSN to send; otherwise 0.
    pub exp_data_sn: u32,
}

impl TaskManagementRequest {
    /// The header.
    #[must_use]
    pub fn encode(&self) -> Bhs {
        to_bhs(&Wire {
            opcode: Opcode::TaskManagementRequest.byte(self.immediate),
            function: FINAL | self.function.code(),
            reserved: [0; 2],
            ahs_len: 0,
            data_len: U24::ZERO,
            lun: self.lun.0.into(),
            itt: self.itt.0.into(),
            referenced: self.referenced.0.into(),
            cmd_sn: self.cmd_sn.0.into(),
            exp_stat_sn: self.exp_stat_sn.0.into(),
            ref_cmd_sn: self.ref_cmd_sn.0.into(),
            exp_data_sn: self.exp_data_sn.into(),
            reserved2: U64::ZERO,
        })
    }

    /// Reads the header.
    ///
    /// # Errors
    /// Data that must not be there.
    pub fn decode(bhs: &Bhs) -> Result<TaskManagementRequest, PduError> {
        let wire = view::<Wire>(bhs);
        no_data(Opcode::TaskManagementRequest, wire.data_len)?;
        Ok(TaskManagementRequest {
            immediate: is_immediate(bhs),
            function: TaskFunction::from_code(wire.function & !FINAL),
            lun: Lun(wire.lun.get()),
            itt: Itt(wire.itt.get()),
            referenced: Itt(wire.referenced.get()),
            cmd_sn: Serial(wire.cmd_sn.get()),
            exp_stat_sn: Serial(wire.exp_stat_sn.get()),
            ref_cmd_sn: Serial(wire.ref_cmd_sn.get()),
            exp_data_sn: wire.exp_data_sn.get(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_abort_looks_as_in_the_figure() {
        let wire: Bhs = [
            0x42, 0x81, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 4, 0, 0, 0,
            0x20, 0, 0, 0, 0x30, 0, 0, 0, 0x1f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ];
        let pdu = TaskManagementRequest {
            immediate: true,
            function: TaskFunction::AbortTask,
            lun: Lun::ZERO,
            itt: Itt(9),
            referenced: Itt(4),
            cmd_sn: Serial(0x20),
            exp_stat_sn: Serial(0x30),
            ref_cmd_sn: Serial(0x1f),
            exp_data_sn: 0,
        };
        assert_eq!(pdu.encode(), wire);
        assert_eq!(TaskManagementRequest::decode(&wire), Ok(pdu));
    }

    #[test]
    fn every_function_code_survives() {
        for code in 0..0x80 {
            assert_eq!(TaskFunction::from_code(code).code(), code);
        }
    }
}
