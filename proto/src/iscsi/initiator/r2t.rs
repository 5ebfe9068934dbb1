//! Ready To Transfer: the target asks for the data of a write (RFC 7143 section 11.8).
//!
//! Every task has a ring of MaxOutstandingR2T entries. They are answered in the order in which they
//! came, each with its own tag and with DataSN from 0.

use super::command::Direction;
use super::config::Terms;
use super::error::ProtocolError;
use super::receive::Receive;
use super::session::Session;
use super::task::{Ready, Task};
use crate::iscsi::pdu::{Bhs, R2t};

impl Session {
    #[inline]
    pub(super) fn r2t(&mut self, bhs: &Bhs) -> Result<Receive, ProtocolError> {
        let pdu = R2t::decode(bhs)?;
        self.window(pdu.exp_cmd_sn, pdu.max_cmd_sn);
        let slot = self.tasks.at_target(pdu.itt)?;
        let task = &mut self.tasks[slot];
        let ready = task.take_r2t(&pdu, &self.terms)?;
        if !task.is_muted {
            let at = (task.outward.ready_head + task.outward.ready_count) % self.terms.r2ts_max;
            task.outward.ready_count += 1;
            let at = self.ring(slot, at);
            self.ready[at] = ready;
            self.begin_solicited(slot);
        }
        Ok(Receive::Nothing)
    }

    /// The index of an entry of a task's ring.
    #[inline]
    fn ring(&self, slot: u16, at: u16) -> usize {
        usize::from(slot) * usize::from(self.terms.r2ts_max) + usize::from(at)
    }

    /// The R2T that is to be answered first.
    #[inline]
    pub(super) fn first_ready(&self, slot: u16) -> Ready {
        self.ready[self.ring(slot, self.tasks[slot].outward.ready_head)]
    }

    /// Forgets the oldest R2T, which is answered in full.
    #[inline]
    pub(super) fn drop_ready(&mut self, slot: u16) {
        let outward = &mut self.tasks[slot].outward;
        outward.ready_head = (outward.ready_head + 1) % self.terms.r2ts_max;
        outward.ready_count -= 1;
    }
}

impl Task {
    #[inline]
    fn take_r2t(&mut self, pdu: &R2t, terms: &Terms) -> Result<Ready, ProtocolError> {
        if self.command.direction != Direction::Write {
            return Err(ProtocolError::R2tForNoWrite(pdu.itt));
        }
        if pdu.lun != self.command.lun {
            return Err(ProtocolError::Lun { expected: self.command.lun, found: pdu.lun });
        }
        if pdu.r2t_sn != self.data_sn {
            return Err(ProtocolError::R2tSn { expected: self.data_sn, found: pdu.r2t_sn });
        }
        if pdu.desired_len == 0 || pdu.desired_len > terms.burst_max {
            return Err(ProtocolError::R2tLength { max: terms.burst_max, found: pdu.desired_len });
        }
        let (len, end) = (self.command.len, u64::from(pdu.offset) + u64::from(pdu.desired_len));
        if end > u64::from(len) {
            return Err(ProtocolError::R2tBeyondTransfer { len, end });
        }
        let outward = &mut self.outward;
        if terms.is_sequence_in_order && pdu.offset != outward.asked {
            return Err(ProtocolError::R2tOffset { expected: outward.asked, found: pdu.offset });
        }
        if outward.ready_count == terms.r2ts_max {
            return Err(ProtocolError::R2tCount { max: terms.r2ts_max });
        }
        outward.asked = pdu.offset + pdu.desired_len;
        self.data_sn = self.data_sn.wrapping_add(1);
        self.has_progress = true;
        Ok(Ready { ttt: pdu.ttt, offset: pdu.offset, end: outward.asked })
    }
}
