//! REQUEST SENSE, START STOP UNIT and PREVENT ALLOW MEDIUM REMOVAL (SPC-4 section 6.39, SBC-3
//! sections 5.14 and 5.25).

use super::flag;
use crate::scsi::{Cdb, opcode};

const DESCRIPTOR: u8 = 0x01;
const IMMEDIATE: u8 = 0x01;
const NO_FLUSH: u8 = 0x04;
const LOAD_EJECT: u8 = 0x02;
const START: u8 = 0x01;

/// What is there to say?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestSense {
    /// In descriptor format.
    pub descriptor: bool,
    /// Most bytes of the answer.
    pub allocation: u8,
}

impl RequestSense {
    pub(super) fn parse(cdb: &Cdb) -> RequestSense {
        RequestSense { descriptor: cdb[1] & DESCRIPTOR != 0, allocation: cdb[4] }
    }

    /// The REQUEST SENSE command.
    #[must_use]
    pub fn build(self) -> Cdb {
        let mut cdb = Cdb::default();
        (cdb[0], cdb[1]) = (opcode::REQUEST_SENSE, flag(self.descriptor, DESCRIPTOR));
        cdb[4] = self.allocation;
        cdb
    }
}

/// The medium is to be started, stopped, loaded or ejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StartStop {
    /// The status may be sent before the work is done.
    pub immediate: bool,
    /// POWER CONDITION; with anything but zero the bits below mean nothing.
    pub power_condition: u8,
    /// The cache need not be written back first.
    pub no_flush: bool,
    /// Load or eject.
    pub load_eject: bool,
    /// Start rather than stop.
    pub start: bool,
}

impl StartStop {
    pub(super) fn parse(cdb: &Cdb) -> StartStop {
        StartStop {
            immediate: cdb[1] & IMMEDIATE != 0,
            power_condition: cdb[4] >> 4,
            no_flush: cdb[4] & NO_FLUSH != 0,
            load_eject: cdb[4] & LOAD_EJECT != 0,
            start: cdb[4] & START != 0,
        }
    }

    /// The START STOP UNIT command.
    #[must_use]
    pub fn build(self) -> Cdb {
        let mut cdb = Cdb::default();
        (cdb[0], cdb[1]) = (opcode::START_STOP_UNIT, flag(self.immediate, IMMEDIATE));
        cdb[4] = self.power_condition << 4
            | flag(self.no_flush, NO_FLUSH)
            | flag(self.load_eject, LOAD_EJECT)
            | flag(self.start, START);
        cdb
    }
}
