//! SCSI Response: how a task ended, and whether that can be true (RFC 7143 section 11.4).
//!
//! A good status means that every byte moved, except for those of which the residual speaks. A target
//! that says GOOD and delivered less is not believed.

use alloc::boxed::Box;

use super::error::ProtocolError;
use super::event::{Outcome, SenseBytes};
use super::receive::{Pending, Receive};
use super::session::Session;
use super::stage::{Move, Step};
use super::task::Task;
use crate::iscsi::pdu::{Bhs, Residual, ScsiResponse, ServiceResponse};
use crate::scsi::Status;

/// Bytes of SenseLength before the sense data (RFC 7143 section 11.4.7.1).
const SENSE_LENGTH_LEN: usize = 2;

impl Session {
    #[inline]
    pub(super) fn response(&mut self, bhs: &Bhs) -> Result<Receive, ProtocolError> {
        let pdu = ScsiResponse::decode(bhs)?;
        self.numbers(pdu.stat_sn, pdu.exp_cmd_sn, pdu.max_cmd_sn)?;
        let slot = self.tasks.at_target(pdu.itt)?;
        let task = &self.tasks[slot];
        task.check_exp_data_sn(&pdu)?;
        if pdu.response == ServiceResponse::Completed {
            task.judge(pdu.status, pdu.residual)?;
        }
        if pdu.data_len == 0 {
            self.response_arrived(slot, &pdu, &[])?;
            return Ok(Receive::Nothing);
        }
        self.pending = Pending::Response { slot, pdu };
        Ok(Receive::Inline { len: pdu.data_len })
    }

    #[inline]
    pub(super) fn response_arrived(
        &mut self,
        slot: u16,
        pdu: &ScsiResponse,
        data: &[u8],
    ) -> Result<(), ProtocolError> {
        if pdu.response != ServiceResponse::Completed {
            assert_eq!(self.advance(slot, Step::Status), Move::Finish);
            self.finish(slot, Outcome::TargetFailure(pdu.response));
            return Ok(());
        }
        let sense = if data.is_empty() { None } else { sense(data)? };
        self.end(slot, pdu.status, pdu.residual, sense);
        Ok(())
    }

    /// Ends a task with its status.
    #[inline]
    pub(super) fn end(
        &mut self,
        slot: u16,
        status: Status,
        residual: Residual,
        sense: Option<Box<SenseBytes>>,
    ) {
        let task = &self.tasks[slot];
        assert_eq!(task.stage.step(Step::Status), Move::Finish);
        let moved = task.moved();
        let outcome = match status {
            _ if task.is_spoiled => Outcome::Retry,
            Status::Good => Outcome::Good { residual, moved },
            status => Outcome::Status { status, residual, moved, sense },
        };
        self.finish(slot, outcome);
    }
}

/// The sense data of a data segment: two bytes of length, then the sense, then whatever the target
/// adds. In either format (SPC-4 section 4.5), which the layer above tells apart.
///
/// # Errors
/// A length beyond the segment.
pub(super) fn sense(data: &[u8]) -> Result<Option<Box<SenseBytes>>, ProtocolError> {
    let Some((len, rest)) = data.split_first_chunk::<SENSE_LENGTH_LEN>() else {
        return Err(ProtocolError::SenseLength { max: 0, found: data.len() as u32 });
    };
    let len = u16::from_be_bytes(*len);
    let wrong = ProtocolError::SenseLength { max: rest.len() as u32, found: u32::from(len) };
    let sense = rest.get(..usize::from(len)).ok_or(wrong)?;
    Ok((!sense.is_empty()).then(|| Box::new(SenseBytes::new(sense))))
}

impl Task {
    /// Targets exist that leave the field zero; any other value must be true.
    #[inline]
    fn check_exp_data_sn(&self, pdu: &ScsiResponse) -> Result<(), ProtocolError> {
        if pdu.exp_data_sn != 0 && pdu.exp_data_sn != self.data_sn {
            return Err(ProtocolError::ExpDataSn {
                expected: self.data_sn,
                found: pdu.exp_data_sn,
            });
        }
        Ok(())
    }

    /// Holds the residual against what moved. With any status but GOOD the data may end anywhere.
    #[inline]
    pub(super) fn judge(&self, status: Status, residual: Residual) -> Result<(), ProtocolError> {
        let len = self.command.len;
        let expected = match residual {
            Residual::None | Residual::Overflow(_) => len,
            Residual::Underflow(count) => len
                .checked_sub(count)
                .ok_or(ProtocolError::ResidualBeyondTransfer { len, found: count })?,
        };
        if status != Status::Good {
            return Ok(());
        }
        match (self.moved(), residual) {
            (found, _) if found == expected => Ok(()),
            (found, Residual::None) => Err(ProtocolError::MissingData { expected, found }),
            // A write may have sent more than the target needed.
            (found, _) if found > expected && self.inward.received == 0 => Ok(()),
            (found, _) => Err(ProtocolError::Residual { expected, found }),
        }
    }
}
