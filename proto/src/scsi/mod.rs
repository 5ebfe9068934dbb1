//! SCSI as Byway speaks it: the words of SAM-5, SPC-4 and SBC-3, built and parsed from both sides.
//!
//! An initiator builds command blocks and parses what comes back; a target does the reverse. Both
//! use the same tables, so a round trip is a test of both.

pub mod cdb;
pub mod data;
mod lun;
pub mod opcode;
pub mod sense;
mod status;
pub mod unit;

pub use cdb::Command;
pub use lun::Lun;
pub use sense::{Sense, SenseCode, SenseKey};
pub use status::Status;

/// A command descriptor block. Every command spoken here fits, shorter ones are padded with zeroes.
pub type Cdb = [u8; 16];
