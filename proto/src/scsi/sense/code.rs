//! Additional sense codes by name (SPC-4 annex F.2), as far as a block device meets them.

use core::fmt;

/// The precise reason: code and qualifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SenseCode {
    /// ADDITIONAL SENSE CODE.
    pub asc: u8,
    /// ADDITIONAL SENSE CODE QUALIFIER.
    pub ascq: u8,
}

const fn code(asc: u8, ascq: u8) -> SenseCode {
    SenseCode { asc, ascq }
}

#[allow(missing_docs, reason = "the table below says in words what the names say")]
impl SenseCode {
    pub const NO_ADDITIONAL: SenseCode = code(0x00, 0x00);
    pub const NOT_READY_CAUSE_NOT_REPORTABLE: SenseCode = code(0x04, 0x00);
    pub const BECOMING_READY: SenseCode = code(0x04, 0x01);
    pub const INITIALIZING_COMMAND_REQUIRED: SenseCode = code(0x04, 0x02);
    pub const MANUAL_INTERVENTION_REQUIRED: SenseCode = code(0x04, 0x03);
    pub const ALUA_TRANSITION: SenseCode = code(0x04, 0x0a);
    pub const ALUA_STANDBY: SenseCode = code(0x04, 0x0b);
    pub const ALUA_UNAVAILABLE: SenseCode = code(0x04, 0x0c);
    pub const WRITE_ERROR: SenseCode = code(0x0c, 0x00);
    pub const UNRECOVERED_READ_ERROR: SenseCode = code(0x11, 0x00);
    pub const PARAMETER_LIST_LENGTH_ERROR: SenseCode = code(0x1a, 0x00);
    pub const MISCOMPARE: SenseCode = code(0x1d, 0x00);
    pub const INVALID_OPCODE: SenseCode = code(0x20, 0x00);
    pub const LBA_OUT_OF_RANGE: SenseCode = code(0x21, 0x00);
    pub const INVALID_FIELD_IN_CDB: SenseCode = code(0x24, 0x00);
    pub const LUN_NOT_SUPPORTED: SenseCode = code(0x25, 0x00);
    pub const INVALID_FIELD_IN_PARAMETER_LIST: SenseCode = code(0x26, 0x00);
    pub const PARAMETER_NOT_SUPPORTED: SenseCode = code(0x26, 0x01);
    pub const PARAMETER_VALUE_INVALID: SenseCode = code(0x26, 0x02);
    pub const INVALID_RELEASE_OF_RESERVATION: SenseCode = code(0x26, 0x04);
    pub const WRITE_PROTECTED: SenseCode = code(0x27, 0x00);
    pub const SPACE_ALLOCATION_FAILED: SenseCode = code(0x27, 0x07);
    pub const MEDIUM_MAY_HAVE_CHANGED: SenseCode = code(0x28, 0x00);
    pub const RESET_OCCURRED: SenseCode = code(0x29, 0x00);
    pub const POWER_ON: SenseCode = code(0x29, 0x01);
    pub const BUS_RESET: SenseCode = code(0x29, 0x02);
    pub const BUS_DEVICE_RESET: SenseCode = code(0x29, 0x03);
    pub const INTERNAL_RESET: SenseCode = code(0x29, 0x04);
    pub const NEXUS_LOSS: SenseCode = code(0x29, 0x07);
    pub const PARAMETERS_CHANGED: SenseCode = code(0x2a, 0x00);
    pub const MODE_PARAMETERS_CHANGED: SenseCode = code(0x2a, 0x01);
    pub const RESERVATIONS_PREEMPTED: SenseCode = code(0x2a, 0x03);
    pub const RESERVATIONS_RELEASED: SenseCode = code(0x2a, 0x04);
    pub const REGISTRATIONS_PREEMPTED: SenseCode = code(0x2a, 0x05);
    pub const ALUA_STATE_CHANGED: SenseCode = code(0x2a, 0x06);
    pub const CAPACITY_CHANGED: SenseCode = code(0x2a, 0x09);
    pub const COMMAND_SEQUENCE_ERROR: SenseCode = code(0x2c, 0x00);
    pub const COMMANDS_CLEARED: SenseCode = code(0x2f, 0x00);
    pub const PARAMETERS_ROUNDED: SenseCode = code(0x37, 0x00);
    pub const THIN_THRESHOLD_REACHED: SenseCode = code(0x38, 0x07);
    pub const SAVING_NOT_SUPPORTED: SenseCode = code(0x39, 0x00);
    pub const MEDIUM_NOT_PRESENT: SenseCode = code(0x3a, 0x00);
    pub const INQUIRY_DATA_CHANGED: SenseCode = code(0x3f, 0x03);
    pub const REPORTED_LUNS_CHANGED: SenseCode = code(0x3f, 0x0e);
    pub const INTERNAL_TARGET_FAILURE: SenseCode = code(0x44, 0x00);
    pub const PARITY_ERROR: SenseCode = code(0x47, 0x00);
    pub const PROTOCOL_CRC_ERROR: SenseCode = code(0x47, 0x05);
    pub const INITIATOR_DETECTED_ERROR: SenseCode = code(0x48, 0x00);
    pub const DATA_PHASE_ERROR: SenseCode = code(0x4b, 0x00);
    pub const OVERLAPPED_COMMANDS: SenseCode = code(0x4e, 0x00);
    pub const MEDIUM_REMOVAL_PREVENTED: SenseCode = code(0x53, 0x02);
    pub const INSUFFICIENT_RESOURCES: SenseCode = code(0x55, 0x03);
    pub const INSUFFICIENT_REGISTRATION_RESOURCES: SenseCode = code(0x55, 0x04);
}

/// What the codes say, in the order of the codes.
const TEXTS: &[(SenseCode, &str)] = &[
    (SenseCode::NO_ADDITIONAL, "no additional sense information"),
    (SenseCode::NOT_READY_CAUSE_NOT_REPORTABLE, "logical unit not ready, cause not reportable"),
    (SenseCode::BECOMING_READY, "logical unit is in process of becoming ready"),
    (
        SenseCode::INITIALIZING_COMMAND_REQUIRED,
        "logical unit not ready, initializing command required",
    ),
    (
        SenseCode::MANUAL_INTERVENTION_REQUIRED,
        "logical unit not ready, manual intervention required",
    ),
    (SenseCode::ALUA_TRANSITION, "logical unit not accessible, asymmetric access state transition"),
    (SenseCode::ALUA_STANDBY, "logical unit not accessible, target port in standby state"),
    (SenseCode::ALUA_UNAVAILABLE, "logical unit not accessible, target port in unavailable state"),
    (SenseCode::WRITE_ERROR, "write error"),
    (SenseCode::UNRECOVERED_READ_ERROR, "unrecovered read error"),
    (SenseCode::PARAMETER_LIST_LENGTH_ERROR, "parameter list length error"),
    (SenseCode::MISCOMPARE, "miscompare during verify operation"),
    (SenseCode::INVALID_OPCODE, "invalid command operation code"),
    (SenseCode::LBA_OUT_OF_RANGE, "logical block address out of range"),
    (SenseCode::INVALID_FIELD_IN_CDB, "invalid field in CDB"),
    (SenseCode::LUN_NOT_SUPPORTED, "logical unit not supported"),
    (SenseCode::INVALID_FIELD_IN_PARAMETER_LIST, "invalid field in parameter list"),
    (SenseCode::PARAMETER_NOT_SUPPORTED, "parameter not supported"),
    (SenseCode::PARAMETER_VALUE_INVALID, "parameter value invalid"),
    (SenseCode::INVALID_RELEASE_OF_RESERVATION, "invalid release of persistent reservation"),
    (SenseCode::WRITE_PROTECTED, "write protected"),
    (SenseCode::SPACE_ALLOCATION_FAILED, "space allocation failed write protect"),
    (SenseCode::MEDIUM_MAY_HAVE_CHANGED, "not ready to ready change, medium may have changed"),
    (SenseCode::RESET_OCCURRED, "power on, reset, or bus device reset occurred"),
    (SenseCode::POWER_ON, "power on occurred"),
    (SenseCode::BUS_RESET, "SCSI bus reset occurred"),
    (SenseCode::BUS_DEVICE_RESET, "bus device reset function occurred"),
    (SenseCode::INTERNAL_RESET, "device internal reset"),
    (SenseCode::NEXUS_LOSS, "I_T nexus loss occurred"),
    (SenseCode::PARAMETERS_CHANGED, "parameters changed"),
    (SenseCode::MODE_PARAMETERS_CHANGED, "mode parameters changed"),
    (SenseCode::RESERVATIONS_PREEMPTED, "reservations preempted"),
    (SenseCode::RESERVATIONS_RELEASED, "reservations released"),
    (SenseCode::REGISTRATIONS_PREEMPTED, "registrations preempted"),
    (SenseCode::ALUA_STATE_CHANGED, "asymmetric access state changed"),
    (SenseCode::CAPACITY_CHANGED, "capacity data has changed"),
    (SenseCode::COMMAND_SEQUENCE_ERROR, "command sequence error"),
    (SenseCode::COMMANDS_CLEARED, "commands cleared by another initiator"),
    (SenseCode::PARAMETERS_ROUNDED, "rounded parameter"),
    (SenseCode::THIN_THRESHOLD_REACHED, "thin provisioning soft threshold reached"),
    (SenseCode::SAVING_NOT_SUPPORTED, "saving parameters not supported"),
    (SenseCode::MEDIUM_NOT_PRESENT, "medium not present"),
    (SenseCode::INQUIRY_DATA_CHANGED, "INQUIRY data has changed"),
    (SenseCode::REPORTED_LUNS_CHANGED, "reported LUNs data has changed"),
    (SenseCode::INTERNAL_TARGET_FAILURE, "internal target failure"),
    (SenseCode::PARITY_ERROR, "SCSI parity error"),
    (SenseCode::PROTOCOL_CRC_ERROR, "protocol service CRC error"),
    (SenseCode::INITIATOR_DETECTED_ERROR, "initiator detected error message received"),
    (SenseCode::DATA_PHASE_ERROR, "data phase error"),
    (SenseCode::OVERLAPPED_COMMANDS, "overlapped commands attempted"),
    (SenseCode::MEDIUM_REMOVAL_PREVENTED, "medium removal prevented"),
    (SenseCode::INSUFFICIENT_RESOURCES, "insufficient resources"),
    (SenseCode::INSUFFICIENT_REGISTRATION_RESOURCES, "insufficient registration resources"),
];

impl SenseCode {
    /// The words of the standard, where the code is known here.
    #[must_use]
    pub fn text(self) -> Option<&'static str> {
        TEXTS.iter().find(|(code, _)| *code == self).map(|(_, text)| *text)
    }
}

impl fmt::Display for SenseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}/{:02x}", self.asc, self.ascq)?;
        self.text().map_or(Ok(()), |text| write!(f, " {text}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_names_each_code_once() {
        assert!(TEXTS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
