//! SCSI Data-In: reads, and the status that comes with the last of their data.
//!
//! Checked here: DataSN and Buffer Offset in order, nothing beyond the expected length, StatSN only with
//! S=1 (RFC 7143 sections 11.7.3 to 11.7.6). Where sequences end is not: targets exist that send all of
//! a read as one, above MaxBurstLength, and the expected length bounds the data anyway.

use super::command::{Direction, TaskId};
use super::config::Terms;
use super::error::ProtocolError;
use super::receive::{DataOutcome, Pending, Receive};
use super::session::Session;
use super::stage::Step;
use super::task::Task;
use crate::iscsi::pdu::{Bhs, DataIn, Residual, Ttt};
use crate::scsi::Status;

impl Session {
    #[inline]
    pub(super) fn data_in(&mut self, bhs: &Bhs) -> Result<Receive, ProtocolError> {
        let pdu = DataIn::decode(bhs)?;
        self.window(pdu.exp_cmd_sn, pdu.max_cmd_sn);
        let slot = self.tasks.at_target(pdu.itt)?;
        let task = &mut self.tasks[slot];
        task.take_data_in(&pdu, &self.terms)?;
        let ending = match pdu.status {
            None => None,
            Some(status) => {
                if !matches!(status, Status::Good | Status::ConditionMet) {
                    return Err(ProtocolError::StatusInDataIn { found: status.to_byte() });
                }
                self.status.accept(pdu.stat_sn)?;
                task.judge(status, pdu.residual)?;
                Some((status, pdu.residual))
            }
        };
        if pdu.data_len == 0 {
            self.data_arrived(slot, ending, DataOutcome::Arrived);
            return Ok(Receive::Nothing);
        }
        let task = TaskId::new(task.generation, slot);
        self.pending = Pending::DataIn { slot, ending };
        Ok(Receive::Task { task, offset: pdu.offset, len: pdu.data_len })
    }

    /// The data of one PDU are where they belong, or lost: then the whole command has to be asked for
    /// again, once the target is done with it (RFC 7143 section 7.8, choice b).
    #[inline]
    pub(super) fn data_arrived(
        &mut self,
        slot: u16,
        ending: Option<(Status, Residual)>,
        outcome: DataOutcome,
    ) {
        if outcome == DataOutcome::DigestError {
            self.tasks[slot].is_spoiled = true;
            if ending.is_none() {
                self.advance(slot, Step::Spoiled);
            }
        }
        if let Some((status, residual)) = ending {
            self.end(slot, status, residual, None);
        }
    }
}

impl Task {
    #[inline]
    fn take_data_in(&mut self, pdu: &DataIn, terms: &Terms) -> Result<(), ProtocolError> {
        if self.command.direction != Direction::Read {
            return Err(ProtocolError::DataInForNoRead(pdu.itt));
        }
        if pdu.ttt != Ttt::NONE && pdu.lun != self.command.lun {
            return Err(ProtocolError::Lun { expected: self.command.lun, found: pdu.lun });
        }
        if pdu.data_sn != self.data_sn {
            return Err(ProtocolError::DataSn { expected: self.data_sn, found: pdu.data_sn });
        }
        let inward = &mut self.inward;
        if terms.is_pdu_in_order && terms.is_sequence_in_order && pdu.offset != inward.next {
            return Err(ProtocolError::BufferOffset { expected: inward.next, found: pdu.offset });
        }
        let (len, end) = (self.command.len, u64::from(pdu.offset) + u64::from(pdu.data_len));
        if end > u64::from(len) {
            return Err(ProtocolError::DataBeyondTransfer { len, end });
        }
        inward.next = pdu.offset + pdu.data_len;
        inward.received = inward.received.saturating_add(pdu.data_len);
        self.data_sn = self.data_sn.wrapping_add(1);
        self.has_progress = true;
        Ok(())
    }
}
