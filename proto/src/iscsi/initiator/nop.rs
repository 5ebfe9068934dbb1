//! NOP in both directions, and what silence means (RFC 7143 sections 11.18 and 11.19).
//!
//! Our pings are immediate, so that a closed window does not stop them, and one is on its way at a
//! time, which is what a target has to take. They go out when nothing was heard for a while, whether
//! the session is idle or stalled.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::error::ProtocolError;
use super::event::{Event, Failure};
use super::session::{Exchange, Session};
use super::transmit::{Transmit, TransmitData};
use crate::iscsi::pdu::{Itt, NopIn, NopOut, Ttt};
use crate::scsi::Lun;

/// Most answers that wait to be sent. A target that pings faster than it reads gets no session.
pub const PINGS_MAX: u16 = 64;

/// An answer to the target.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Answer {
    lun: Lun,
    ttt: Ttt,
    data: Vec<u8>,
}

/// A ping of ours that is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Flight {
    itt: Itt,
    sent_ns: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Nop {
    heard_ns: u64,
    misses: u8,
    is_wanted: bool,
    /// The caller waits for the answer.
    is_asked: bool,
    flight: Option<Flight>,
    answers: VecDeque<Answer>,
}

impl Nop {
    pub(super) fn new(now_ns: u64) -> Nop {
        Nop {
            heard_ns: now_ns,
            misses: 0,
            is_wanted: false,
            is_asked: false,
            flight: None,
            answers: VecDeque::new(),
        }
    }

    /// Something came: the target lives.
    #[inline]
    pub(super) fn heard(&mut self, now_ns: u64) {
        self.heard_ns = now_ns;
        self.misses = 0;
    }

    /// When silence has lasted for one more period.
    pub(super) fn silence_ends_ns(&self, ka_ns: u64) -> u64 {
        self.heard_ns.saturating_add(ka_ns.saturating_mul(u64::from(self.misses) + 1))
    }
}

impl Session {
    /// Pings the target; [`Event::Pong`] tells of the answer.
    pub fn ping(&mut self) {
        self.nop.is_asked = true;
        self.want_ping();
    }

    fn want_ping(&mut self) {
        if self.nop.flight.is_none() && self.state.sends() {
            self.nop.is_wanted = true;
            self.is_urgent = true;
        }
    }

    pub(super) fn send_ping(&mut self, now_ns: u64) -> Option<Transmit> {
        if !core::mem::take(&mut self.nop.is_wanted) {
            return None;
        }
        let itt = self.tag(Exchange::Nop);
        self.nop.flight = Some(Flight { itt, sent_ns: now_ns });
        Some(self.nop_out(itt, Answer { lun: Lun::ZERO, ttt: Ttt::NONE, data: Vec::new() }))
    }

    pub(super) fn send_ping_answer(&mut self) -> Option<Transmit> {
        let answer = self.nop.answers.pop_front()?;
        Some(self.nop_out(Itt::NONE, answer))
    }

    fn nop_out(&mut self, itt: Itt, answer: Answer) -> Transmit {
        let bhs = NopOut {
            immediate: true,
            data_len: answer.data.len() as u32,
            lun: answer.lun,
            itt,
            ttt: answer.ttt,
            cmd_sn: self.commands.next(),
            exp_stat_sn: self.status.exp_stat_sn(),
        }
        .encode();
        let is_empty = answer.data.is_empty();
        let data = if is_empty { TransmitData::None } else { TransmitData::Bytes(answer.data) };
        Transmit { bhs, data }
    }

    pub(super) fn nop_arrived(
        &mut self,
        pdu: &NopIn,
        data: &[u8],
        now_ns: u64,
    ) -> Result<(), ProtocolError> {
        if pdu.itt != Itt::NONE {
            return self.pong(pdu, now_ns);
        }
        if pdu.ttt == Ttt::NONE {
            return Ok(());
        }
        let len = data.len().min(self.terms.send_max as usize);
        self.answer(pdu.lun, pdu.ttt, data[..len].to_vec())
    }

    fn pong(&mut self, pdu: &NopIn, now_ns: u64) -> Result<(), ProtocolError> {
        let flight = self.nop.flight.take_if(|flight| flight.itt == pdu.itt);
        let flight = flight.ok_or(ProtocolError::TaskTag(pdu.itt))?;
        if pdu.data_len != 0 {
            return Err(ProtocolError::PingData { expected: 0, found: pdu.data_len });
        }
        if core::mem::take(&mut self.nop.is_asked) {
            let round_trip_ns = now_ns.saturating_sub(flight.sent_ns);
            self.tell(Event::Pong { round_trip_ns });
        }
        Ok(())
    }

    /// Queues a NOP-Out that wants no answer: LUN and tag are those of the target (RFC 7143 section
    /// 11.18.2).
    pub(super) fn answer(
        &mut self,
        lun: Lun,
        ttt: Ttt,
        data: Vec<u8>,
    ) -> Result<(), ProtocolError> {
        if self.nop.answers.len() == usize::from(PINGS_MAX) {
            return Err(ProtocolError::PingCount { max: PINGS_MAX });
        }
        if self.state.sends() {
            self.nop.answers.push_back(Answer { lun, ttt, data });
            self.is_urgent = true;
        }
        Ok(())
    }

    /// The target took our ping for one too many: another follows when it is silent for longer.
    pub(super) fn ping_rejected(&mut self, itt: Itt) -> bool {
        self.nop.flight.take_if(|flight| flight.itt == itt).is_some()
    }

    /// Pings a silent target, and gives up on one that stays silent.
    pub(super) fn check_silence(&mut self, now_ns: u64) {
        if now_ns < self.nop.silence_ends_ns(self.config.ka_ns) {
            return;
        }
        if self.nop.misses == self.config.ka_misses_max {
            self.fail(Failure::Silent);
            return;
        }
        self.nop.misses += 1;
        self.want_ping();
    }
}
