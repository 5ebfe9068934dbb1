//! Reject: which PDU the target did not take, and what that means (RFC 7143 section 11.17).
//!
//! By itself a Reject ends no SCSI task: where the target had the command, it sends a status as well.
//! Where it had not, the command's number is still to be used, and the same PDU goes out again.

use super::command::TaskId;
use super::error::ProtocolError;
use super::event::Failure;
use super::session::Session;
use super::slab::Lane;
use super::stage::{Stage, Step};
use crate::iscsi::pdu::{
    BHS_LEN, Bhs, DataOut, InitiatorPdu, Itt, Reject, RejectReason, ScsiCommand,
};

/// How often one command is sent again.
const BOUNCES_MAX: u8 = 3;

/// What a Reject asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Verdict {
    /// The exchange that was rejected goes on, comes again or ends; the session lives.
    Exchange,
    /// The target takes nothing but a logout.
    Leave,
    /// We and the target disagree on the protocol.
    Fail,
}

/// The one table of the reasons. What answers a SNACK, a DataACK or a reassignment cannot concern us:
/// nothing of the kind was sent.
fn verdict(reason: RejectReason) -> Verdict {
    match reason {
        RejectReason::DataDigestError
        | RejectReason::CommandNotSupported
        | RejectReason::ImmediateCommandReject
        | RejectReason::InvalidPduField
        | RejectReason::OutOfResources => Verdict::Exchange,
        RejectReason::WaitingForLogout => Verdict::Leave,
        RejectReason::ProtocolError
        | RejectReason::SnackReject
        | RejectReason::TaskInProgress
        | RejectReason::InvalidDataAck
        | RejectReason::Other(_) => Verdict::Fail,
    }
}

impl Session {
    pub(super) fn reject_arrived(
        &mut self,
        pdu: &Reject,
        data: &[u8],
        now_ns: u64,
    ) -> Result<(), ProtocolError> {
        let Some(bhs) = data.first_chunk::<BHS_LEN>() else {
            let found = data.len() as u32;
            return Err(ProtocolError::RejectedHeader { expected: BHS_LEN as u32, found });
        };
        match verdict(pdu.reason) {
            Verdict::Fail => self.fail(Failure::Rejected(pdu.reason)),
            Verdict::Leave => self.leave(now_ns),
            Verdict::Exchange => {
                if !self.rejected(bhs, pdu.reason, now_ns)? {
                    self.fail(Failure::Rejected(pdu.reason));
                }
            }
        }
        Ok(())
    }

    /// Deals with one rejected PDU; answers false where the session cannot go on without it.
    fn rejected(
        &mut self,
        bhs: &Bhs,
        reason: RejectReason,
        now_ns: u64,
    ) -> Result<bool, ProtocolError> {
        Ok(match InitiatorPdu::decode(bhs)? {
            InitiatorPdu::NopOut(pdu) => pdu.itt == Itt::NONE || self.ping_rejected(pdu.itt),
            InitiatorPdu::TaskManagement(pdu) => self.tmf_rejected(pdu.itt, reason, now_ns),
            // A hole in the order of commands would stay behind a rejected request that is not
            // immediate, unless the target has counted it.
            InitiatorPdu::Text(pdu) => {
                let is_counted = pdu.cmd_sn.is_before(self.commands.exp_cmd_sn());
                is_counted && self.text_rejected(pdu.itt, reason)
            }
            InitiatorPdu::ScsiCommand(pdu) => self.command_rejected(&pdu, reason)?,
            InitiatorPdu::DataOut(pdu) => self.data_rejected(&pdu, reason),
            // A logout must be taken; without it the session ends just the same.
            InitiatorPdu::Logout(_) | InitiatorPdu::Login(_) | InitiatorPdu::Snack(_) => false,
        })
    }

    /// A command with a damaged data segment was thrown away: it goes again under its number, unless
    /// the target has counted it and so owes a status (RFC 7143 section 7.8).
    fn command_rejected(
        &mut self,
        pdu: &ScsiCommand,
        reason: RejectReason,
    ) -> Result<bool, ProtocolError> {
        let slot = self.tasks.at_target(pdu.itt)?;
        let task = &mut self.tasks[slot];
        if task.cmd_sn.is_before(self.commands.exp_cmd_sn()) {
            return Ok(true);
        }
        if !reason.can_be_resent() || task.bounces == BOUNCES_MAX || task.stage != Stage::Active {
            return Ok(false);
        }
        task.bounces += 1;
        self.advance(slot, Step::Bounced);
        self.tasks.leave(slot);
        self.tasks.join_front(slot, Lane::Commands);
        Ok(true)
    }

    /// The target asks for lost data again or ends the task with a status. Where the task has ended
    /// already, its last data crossed with the status.
    fn data_rejected(&self, pdu: &DataOut, reason: RejectReason) -> bool {
        let is_over = self.tasks.find(TaskId(pdu.itt.0)).is_none();
        is_over || reason == RejectReason::DataDigestError
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_point_18_every_reason_has_a_verdict() {
        let count = |wanted| {
            (0..=u8::MAX).map(RejectReason::from_code).filter(|r| verdict(*r) == wanted).count()
        };
        assert_eq!(count(Verdict::Exchange), 5);
        assert_eq!(count(Verdict::Leave), 1);
        assert_eq!(count(Verdict::Fail), 250);
    }
}
