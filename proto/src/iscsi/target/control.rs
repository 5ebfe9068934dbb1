//! Everything that is no command: pings, logout, asynchronous messages, rejects, and the bounded
//! queue in which their PDUs wait.

use alloc::vec::Vec;

use super::Session;
use super::answer::sense_segment;
use super::config::{CONTROL_MAX, INLINE_BYTES_MAX, REJECTS_MAX};
use super::error::ProtocolError;
use super::types::{Event, Scope};
use crate::iscsi::pdu::{
    AsyncEvent, AsyncMessage, Bhs, Itt, LogoutReason, LogoutRequest, LogoutResponse, LogoutResult,
    NopIn, NopOut, Reject, RejectReason, TargetPdu, TaskResponse, Ttt,
};
use crate::scsi::Lun;
use crate::serial::Serial;

/// Reject has a DataSN that only a SNACK's needs; it is reserved elsewhere.
const NO_DATA_SN: u32 = 0;
/// Written over when the PDU leaves.
pub(super) const LATER: Serial = Serial(0);

/// A PDU that waits, without its numbers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Control {
    pub(super) pdu: TargetPdu,
    pub(super) data: Vec<u8>,
}

/// How far a logout is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Logout {
    None,
    /// Tasks are being ended.
    Waiting {
        itt: Itt,
    },
    /// The response waits to be sent.
    Answered,
    /// The response has been handed over; nothing follows.
    Over,
}

impl Session {
    /// Queues a PDU that nothing else bounds.
    pub(super) fn push_control(&mut self, pdu: TargetPdu, data: Vec<u8>) {
        self.control_bytes += data.len();
        if self.control.len() >= CONTROL_MAX + REJECTS_MAX + self.tasks.capacity() as usize {
            self.failure = Some(ProtocolError::Flooded);
        }
        self.control.push_back(Control { pdu, data });
    }

    /// False while answers wait that the peer does not take: the shell stops reading, so that a peer
    /// that only sends fills its own socket and not this host's memory.
    #[must_use]
    #[inline]
    pub fn wants_receive(&self) -> bool {
        self.control.len() < CONTROL_MAX && self.control_bytes < INLINE_BYTES_MAX
    }

    /// Answers with a Reject that carries the header. One too many ends the connection.
    pub(super) fn reject(&mut self, reason: RejectReason, bhs: &Bhs) {
        if self.control.len() >= CONTROL_MAX + REJECTS_MAX {
            self.failure = Some(ProtocolError::Flooded);
            return;
        }
        let pdu = Reject {
            reason,
            data_len: bhs.len() as u32,
            stat_sn: LATER,
            exp_cmd_sn: LATER,
            max_cmd_sn: LATER,
            data_sn: NO_DATA_SN,
        };
        self.push_control(TargetPdu::Reject(pdu), bhs.to_vec());
    }

    /// A ping is answered with as much of its data as the initiator can take; an answer to a ping of
    /// ours is checked against the tag (RFC 7143 section 11.18).
    pub(super) fn nop_out(&mut self, pdu: &NopOut, bhs: &Bhs, data: &[u8]) {
        if pdu.itt != Itt::NONE {
            return self.echo(pdu, bhs, data);
        }
        if pdu.ttt != Ttt::NONE && !self.keepalive.answered(pdu.ttt) {
            self.reject(RejectReason::InvalidPduField, bhs);
        }
    }

    fn echo(&mut self, pdu: &NopOut, bhs: &Bhs, data: &[u8]) {
        let has_room = self.control_bytes + data.len() <= INLINE_BYTES_MAX;
        if pdu.immediate && !(has_room && self.control.len() < CONTROL_MAX) {
            return self.reject(RejectReason::ImmediateCommandReject, bhs);
        }
        if !has_room {
            self.failure = Some(ProtocolError::Flooded);
            return;
        }
        let room = self.terms.send_segment_max as usize;
        let data = data.get(..room).unwrap_or(data);
        self.push_control(nop_in(pdu.itt, Ttt::NONE, Lun::ZERO, data.len()), data.to_vec());
    }

    /// The tasks of the session end with it, and the response waits for them. Only the one
    /// connection there is can be closed (RFC 7143 section 11.14).
    pub(super) fn log_out(&mut self, pdu: &LogoutRequest) {
        let is_other = pdu.reason != LogoutReason::CloseSession && pdu.cid != self.cid;
        match pdu.reason {
            LogoutReason::RemoveForRecovery => {
                self.push_logout(pdu.itt, LogoutResult::RecoveryNotSupported);
            }
            LogoutReason::CloseConnection if is_other => {
                self.push_logout(pdu.itt, LogoutResult::CidNotFound);
            }
            LogoutReason::CloseConnection | LogoutReason::CloseSession => {
                self.logout = Logout::Waiting { itt: pdu.itt };
                self.events.push_back(Event::Logout { reason: pdu.reason });
                self.terminate(Scope::Session, false);
                self.settle_logout();
            }
        }
    }

    /// Sends the response once every task has ended.
    pub(super) fn settle_logout(&mut self) {
        let Logout::Waiting { itt } = self.logout else { return };
        let answering = self.answering.len() + self.parked.len();
        if answering == 0 && self.executing().next().is_none() {
            self.logout = Logout::Answered;
            self.push_logout(itt, LogoutResult::Closed);
        }
    }

    fn push_logout(&mut self, itt: Itt, result: LogoutResult) {
        let pdu = LogoutResponse {
            result,
            itt,
            stat_sn: LATER,
            exp_cmd_sn: LATER,
            max_cmd_sn: LATER,
            time2wait: 0,
            time2retain: 0,
        };
        self.push_control(TargetPdu::LogoutResponse(pdu), Vec::new());
    }

    /// A PDU from the control queue is handed over; some of them are the last.
    pub(super) fn control_left(&mut self, pdu: &TargetPdu) {
        let is_closing = match pdu {
            TargetPdu::LogoutResponse(pdu) => pdu.result == LogoutResult::Closed,
            TargetPdu::TaskManagementResponse(pdu) => {
                pdu.response == TaskResponse::Complete && self.management.is_cold_reset(pdu.itt)
            }
            TargetPdu::Async(pdu) => matches!(
                pdu.event,
                AsyncEvent::ConnectionDropped { .. } | AsyncEvent::SessionDropped { .. }
            ),
            _ => false,
        };
        if is_closing {
            self.logout = Logout::Over;
            self.events.push_back(Event::Close);
        }
    }

    /// Tells the initiator something unasked (RFC 7143 section 11.9). `sense` goes with
    /// [`AsyncEvent::Scsi`]. After a dropped connection or session nothing more is sent and
    /// [`Event::Close`] follows.
    pub fn send_async(&mut self, event: AsyncEvent, lun: Lun, sense: &[u8]) {
        let data = sense_segment(sense);
        let data_len = data.len() as u32;
        let (stat_sn, exp_cmd_sn, max_cmd_sn) = (LATER, LATER, LATER);
        let pdu = AsyncMessage { event, data_len, lun, stat_sn, exp_cmd_sn, max_cmd_sn };
        self.push_control(TargetPdu::Async(pdu), data);
    }
}

/// A NOP-In without its numbers.
pub(super) fn nop_in(itt: Itt, ttt: Ttt, lun: Lun, data_len: usize) -> TargetPdu {
    TargetPdu::NopIn(NopIn {
        data_len: data_len as u32,
        lun,
        itt,
        ttt,
        stat_sn: LATER,
        exp_cmd_sn: LATER,
        max_cmd_sn: LATER,
    })
}
