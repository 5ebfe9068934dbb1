//! The device server of a logical unit, target side, as a pure machine (SAM-5, SPC-4, SBC-3).
//!
//! A command goes through one gate after the other: parse, reservations, unit attention, state of
//! the port group; then it is answered from memory, or turned into block I/O that is inside the
//! range and the limits. The shell does the I/O and asks for the answer.
//!
//! Invariants: a command that a reservation shuts out changes nothing, not even a unit attention
//! condition; no command writes that the table in `access.rs` does not call writing.

use alloc::vec::Vec;

pub use action::{Action, BlockOp, BlockRequest, BlockResult, ScsiReply};
pub use config::{Limits, UnitConfig};
pub use event::Reset;
pub use nexus::NexusId;

use super::cdb::{Command, RequestSense};
use super::{Cdb, Sense, SenseCode, SenseKey, Status, opcode};
use crate::reservation::Reservations;
use attention::Attentions;

mod access;
mod action;
mod attention;
mod blocks;
mod config;
mod event;
mod identity;
mod mode;
mod nexus;
mod report;
mod reserve;
#[cfg(test)]
mod tests;

/// Most bytes of a parameter list that [`LogicalUnit::handle`] has to be given.
pub const PARAMETER_LIST_LEN_MAX: usize = 1 << 16;

/// True where the data out of a command are a parameter list for [`LogicalUnit::handle`], rather than
/// blocks for the shell.
#[must_use]
pub fn has_parameter_list(cdb: &Cdb) -> bool {
    matches!(
        cdb[0],
        opcode::UNMAP
            | opcode::MODE_SELECT_6
            | opcode::MODE_SELECT_10
            | opcode::PERSISTENT_RESERVE_OUT
    )
}

/// A logical unit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LogicalUnit {
    config: UnitConfig,
    mode: mode::Mode,
    attentions: Attentions,
    reservations: Reservations<NexusId>,
    /// The nexus that holds a reservation of SPC-2 (RESERVE and RELEASE).
    reserved_by: Option<NexusId>,
}

impl LogicalUnit {
    /// A logical unit after power on, without reservations.
    ///
    /// # Panics
    /// Where the configuration makes no sense: no blocks, or blocks that are no power of two.
    #[must_use]
    pub fn new(config: UnitConfig) -> LogicalUnit {
        assert!(config.blocks > 0, "a logical unit has blocks");
        assert!(config.block_len.is_power_of_two(), "blocks have a power of two of bytes");
        LogicalUnit {
            mode: mode::Mode::at_start(&config),
            config,
            attentions: Attentions::default(),
            reservations: Reservations::new(),
            reserved_by: None,
        }
    }

    /// What it is; the size and the states of port groups are the present ones.
    #[must_use]
    pub fn config(&self) -> &UnitConfig {
        &self.config
    }

    /// Its persistent reservations.
    #[must_use]
    pub fn reservations(&self) -> &Reservations<NexusId> {
        &self.reservations
    }

    /// Performs a command. `data_out` is the parameter list of UNMAP, MODE SELECT and PERSISTENT
    /// RESERVE OUT, as far as the initiator sent it; blocks to be written stay with the shell.
    #[must_use]
    pub fn handle(&mut self, nexus: &NexusId, cdb: &Cdb, data_out: &[u8]) -> Action {
        self.perform(nexus, cdb, data_out).unwrap_or_else(Action::Done)
    }

    /// Bytes of sense data in the format that the control mode page asks for.
    #[must_use]
    pub fn sense_bytes(&self, sense: &Sense) -> Vec<u8> {
        if self.mode.control.descriptor_sense {
            sense.to_descriptor()
        } else {
            Vec::from(sense.to_fixed())
        }
    }

    fn perform(&mut self, nexus: &NexusId, cdb: &Cdb, list: &[u8]) -> Result<Action, ScsiReply> {
        let parsed = Command::parse(cdb);
        // A command that makes no sense is let through to its sense: it does nothing either way.
        if parsed.is_ok_and(|command| !self.is_let_in(nexus, &command)) {
            return Err(ScsiReply::status(Status::ReservationConflict));
        }
        let is_exempt = parsed.is_ok_and(|command| access::is_exempt(&command));
        if let Some(code) = (!is_exempt).then(|| self.attentions.take(nexus)).flatten() {
            return Err(ScsiReply::check(Sense::attention(code)));
        }
        let command = parsed.map_err(ScsiReply::check)?;
        match self.refusal_of_port(nexus, &command) {
            Some(sense) => Err(ScsiReply::check(sense)),
            None => self.dispatch(nexus, command, list),
        }
    }

    fn dispatch(
        &mut self,
        nexus: &NexusId,
        command: Command,
        list: &[u8],
    ) -> Result<Action, ScsiReply> {
        let answer = match command {
            Command::TestUnitReady | Command::PreventAllow { .. } => Ok(ScsiReply::good()),
            Command::RequestSense(request) => Ok(self.request_sense(nexus, request)),
            Command::Inquiry(inquiry) => self.inquiry(nexus, inquiry),
            Command::ReportLuns(report) => Ok(self.report_luns(nexus, report)),
            Command::ReadCapacity10 => Ok(self.read_capacity_10()),
            Command::ReadCapacity16 { allocation } => Ok(self.read_capacity_16(allocation)),
            Command::Report(report) => self.report(report),
            Command::ModeSense(sense) => self.mode_sense(sense),
            Command::ModeSelect(select) => return self.mode_select(nexus, select, list),
            Command::Reserve6 => Ok(self.reserve_6(nexus)),
            Command::Release6 => Ok(self.release_6(nexus)),
            Command::ReserveIn(reserve) => Ok(self.reserve_in(reserve)),
            Command::ReserveOut(reserve) => return self.reserve_out(nexus, reserve, list),
            on_blocks => return self.on_blocks(on_blocks, list),
        };
        answer.map(Action::Done)
    }

    /// The oldest unit attention condition, taken (SPC-4 section 6.39).
    fn request_sense(&mut self, nexus: &NexusId, request: RequestSense) -> ScsiReply {
        let code = self.attentions.take(nexus);
        let nothing = Sense::new(SenseKey::NoSense, SenseCode::NO_ADDITIONAL);
        let sense = code.map_or(nothing, Sense::attention);
        let bytes =
            if request.descriptor { sense.to_descriptor() } else { Vec::from(sense.to_fixed()) };
        ScsiReply::data(bytes, request.allocation.into())
    }
}

/// A field of the command block at that byte is wrong.
fn invalid_cdb(byte: u16) -> ScsiReply {
    ScsiReply::check(Sense::invalid_cdb_field(byte))
}

fn illegal(code: SenseCode) -> ScsiReply {
    ScsiReply::check(Sense::illegal(code))
}

/// The parameter list of that length, where all of it arrived.
fn parameter_list(list: &[u8], len: usize) -> Result<&[u8], ScsiReply> {
    list.get(..len).ok_or(illegal(SenseCode::PARAMETER_LIST_LENGTH_ERROR))
}
