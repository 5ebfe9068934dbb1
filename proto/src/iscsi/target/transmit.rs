//! What leaves: the order among kinds of PDUs, and the numbers that are written at that moment.
//!
//! Answers to requests other than commands go first, they are few; then R2Ts, which keep the
//! initiator busy; then data and status. A window that the initiator believes closed is reopened by
//! a NOP-In that asks for nothing (RFC 7143 sections 4.2.2.1 and 11.19).

use super::Session;
use super::control::{Control, Logout};
use super::slab::TaskId;
use super::types::{Transmit, TransmitData};
use crate::iscsi::pdu::{Itt, NopIn, R2t, TargetPdu, Ttt};
use crate::scsi::Lun;
use crate::serial::Serial;

/// The numbers of a PDU on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Stamp {
    pub(super) stat_sn: Serial,
    pub(super) exp_cmd_sn: Serial,
    pub(super) max_cmd_sn: Serial,
}

impl Session {
    /// The next PDU to send; it must be sent, in this order.
    #[inline]
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        if self.logout == Logout::Over {
            return None;
        }
        if let Some(control) = self.control.pop_front() {
            return Some(self.control_pdu(control));
        }
        while let Some(task) = self.soliciting.pop_front() {
            if let Some(transmit) = self.r2t(task) {
                return Some(transmit);
            }
        }
        self.poll_answer().or_else(|| self.window_update())
    }

    /// The numbers of a PDU that carries no status: StatSN is told and not taken.
    #[inline]
    pub(super) fn stamp(&mut self) -> Stamp {
        let free = self.free_places();
        Stamp {
            stat_sn: self.stat_sn,
            exp_cmd_sn: self.window.expected(),
            max_cmd_sn: self.window.announce(free),
        }
    }

    /// The numbers of a PDU with a status: the one place where StatSN advances.
    #[inline]
    pub(super) fn stamp_status(&mut self) -> Stamp {
        let stamp = self.stamp();
        self.stat_sn = self.stat_sn.next();
        stamp
    }

    fn control_pdu(&mut self, control: Control) -> Transmit {
        let Control { mut pdu, data } = control;
        self.control_bytes -= data.len();
        let takes_stat_sn = !matches!(&pdu, TargetPdu::NopIn(nop) if nop.itt == Itt::NONE);
        let stamp = if takes_stat_sn { self.stamp_status() } else { self.stamp() };
        write_stamp(&mut pdu, stamp);
        self.control_left(&pdu);
        let data = if data.is_empty() { TransmitData::None } else { TransmitData::Bytes(data) };
        Transmit { bhs: pdu.encode(), data, ends: None }
    }

    /// One R2T; the task waits at the end of the queue where it may send another. None where a fault
    /// or an abort came while the data of another R2T are arriving.
    fn r2t(&mut self, id: TaskId) -> Option<Transmit> {
        let stamp = self.stamp();
        let r2ts_max = self.terms.r2ts_max;
        let task = self.tasks.at_mut(id);
        if task.abort.is_some() || !task.write.wants_r2t(r2ts_max) {
            task.is_soliciting = false;
            return None;
        }
        let solicit = task.write.solicit();
        task.is_soliciting = task.write.wants_r2t(r2ts_max);
        if task.is_soliciting {
            self.soliciting.push_back(id);
        }
        let pdu = R2t {
            lun: task.command.lun,
            itt: task.itt,
            ttt: Session::transfer_tag(id, solicit.r2t_sn),
            stat_sn: stamp.stat_sn,
            exp_cmd_sn: stamp.exp_cmd_sn,
            max_cmd_sn: stamp.max_cmd_sn,
            r2t_sn: solicit.r2t_sn,
            offset: solicit.offset,
            desired_len: solicit.len,
        };
        Some(Transmit { bhs: pdu.encode(), data: TransmitData::None, ends: None })
    }

    #[inline]
    fn window_update(&mut self) -> Option<Transmit> {
        if !self.window.owes_update(self.free_places()) {
            return None;
        }
        let Stamp { stat_sn, exp_cmd_sn, max_cmd_sn } = self.stamp();
        let (itt, ttt) = (Itt::NONE, Ttt::NONE);
        let pdu = NopIn { data_len: 0, lun: Lun::ZERO, itt, ttt, stat_sn, exp_cmd_sn, max_cmd_sn };
        Some(Transmit { bhs: pdu.encode(), data: TransmitData::None, ends: None })
    }
}

/// Data-In, R2T and SCSI Response are built with their numbers.
fn write_stamp(pdu: &mut TargetPdu, stamp: Stamp) {
    let (stat_sn, exp_cmd_sn, max_cmd_sn) = match pdu {
        TargetPdu::NopIn(pdu) => (&mut pdu.stat_sn, &mut pdu.exp_cmd_sn, &mut pdu.max_cmd_sn),
        TargetPdu::TaskManagementResponse(pdu) => {
            (&mut pdu.stat_sn, &mut pdu.exp_cmd_sn, &mut pdu.max_cmd_sn)
        }
        TargetPdu::TextResponse(pdu) => {
            (&mut pdu.stat_sn, &mut pdu.exp_cmd_sn, &mut pdu.max_cmd_sn)
        }
        TargetPdu::LogoutResponse(pdu) => {
            (&mut pdu.stat_sn, &mut pdu.exp_cmd_sn, &mut pdu.max_cmd_sn)
        }
        TargetPdu::Async(pdu) => (&mut pdu.stat_sn, &mut pdu.exp_cmd_sn, &mut pdu.max_cmd_sn),
        TargetPdu::Reject(pdu) => (&mut pdu.stat_sn, &mut pdu.exp_cmd_sn, &mut pdu.max_cmd_sn),
        _ => unreachable!("no other PDU waits in the control queue"),
    };
    (*stat_sn, *exp_cmd_sn, *max_cmd_sn) = (stamp.stat_sn, stamp.exp_cmd_sn, stamp.max_cmd_sn);
}
