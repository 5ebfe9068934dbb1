//! The write data of one task: the unsolicited run, then sequences asked for by R2T, in order.
//!
//! Invariants: data arrive in the order of their offsets (DataPDUInOrder and DataSequenceInOrder are
//! Yes), R2Ts are fulfilled in the order in which they were sent (RFC 7143 section 11.8), and so two
//! counters and one position describe everything. DataSN counts from 0 in each sequence (11.7.5).
//!
//! A fault ends the task only after all data asked for have passed, as section 11.17.1 asks: until
//! then they are taken and thrown away, and no more are asked for.

use super::burst::{Limits, cut};
use super::task::Fault;
use crate::iscsi::pdu::{DataOut, Ttt};

/// What to do with the data of one Data-Out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Verdict {
    /// Keep them, at this offset.
    Keep { offset: u32 },
    /// Take them off the wire and forget them.
    Discard,
    /// No sequence of that tag is open.
    NoSequence,
}

/// A request for data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Solicit {
    pub(super) r2t_sn: u32,
    pub(super) offset: u32,
    pub(super) len: u32,
}

/// How far the write data of a task have come.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct WriteData {
    /// Bytes expected in all; 0 for commands that write nothing.
    len: u32,
    /// Bytes that have arrived, counted from the start.
    arrived: u32,
    /// The unsolicited run is open: the command's F bit was 0.
    is_unsolicited: bool,
    /// Bytes that unsolicited data may reach to.
    unsolicited_end: u32,
    /// FirstBurstLength, which the unsolicited run must fill where there is more to come.
    first_burst: u32,
    /// Where the first R2T starts.
    solicited_start: u32,
    burst: u32,
    /// R2Ts sent and R2Ts fulfilled.
    asked: u32,
    fulfilled: u32,
    /// DataSN due in the sequence that is arriving.
    data_sn: u32,
    pub(super) fault: Option<Fault>,
}

impl WriteData {
    /// For a command of `len` bytes of which `immediate` came with it.
    #[inline]
    pub(super) fn new(len: u32, first_burst: u32, burst: u32) -> WriteData {
        WriteData {
            len,
            arrived: 0,
            is_unsolicited: false,
            unsolicited_end: first_burst.min(len),
            first_burst,
            solicited_start: 0,
            burst,
            asked: 0,
            fulfilled: 0,
            data_sn: 0,
            fault: None,
        }
    }

    /// Keeps the first fault.
    pub(super) fn fail(&mut self, fault: Fault) {
        self.fault = self.fault.or(Some(fault));
    }

    /// Room that immediate data have.
    pub(super) fn immediate_max(&self) -> u32 {
        self.unsolicited_end
    }

    /// `len` bytes came with the command.
    #[inline]
    pub(super) fn immediate_arrived(&mut self, len: u32) {
        self.arrived = len;
        self.solicited_start = len;
    }

    /// The command said that unsolicited Data-Out follow.
    pub(super) fn open_unsolicited(&mut self) {
        self.is_unsolicited = true;
    }

    /// True while data are under way that the initiator was allowed or asked to send.
    #[inline]
    pub(super) fn is_open(&self) -> bool {
        self.is_unsolicited || self.asked != self.fulfilled
    }

    /// True while an R2T is unfulfilled.
    pub(super) fn is_solicited(&self) -> bool {
        self.asked != self.fulfilled
    }

    /// True where nothing is missing.
    #[inline]
    pub(super) fn is_complete(&self) -> bool {
        self.arrived == self.len
    }

    /// Where the sequence ends that is arriving.
    #[inline]
    fn sequence_end(&self) -> u32 {
        if self.is_unsolicited {
            return self.unsolicited_end;
        }
        let done = u64::from(self.fulfilled) * u64::from(self.burst);
        let end = u64::from(self.solicited_start) + done + u64::from(self.burst);
        u64::from(self.len).min(end) as u32
    }

    /// Judges a Data-Out by its header. `due` is the tag of the oldest unfulfilled R2T.
    #[inline]
    pub(super) fn judge(&mut self, pdu: &DataOut, due: Ttt) -> Verdict {
        let is_open = if pdu.ttt == Ttt::NONE { self.is_unsolicited } else { self.is_solicited() };
        if !is_open || (pdu.ttt != Ttt::NONE && pdu.ttt != due) {
            return Verdict::NoSequence;
        }
        if let Some(fault) = self.fault_of(pdu) {
            self.fail(fault);
        }
        match self.fault {
            None => Verdict::Keep { offset: pdu.offset },
            Some(_) => Verdict::Discard,
        }
    }

    /// A DataSN out of order means that a PDU was lost to a digest error (RFC 7143 section 7.9).
    #[inline]
    fn fault_of(&self, pdu: &DataOut) -> Option<Fault> {
        let end = pdu.offset.checked_add(pdu.data_len);
        if pdu.data_sn != self.data_sn {
            Some(Fault::Crc)
        } else if pdu.offset != self.arrived || end.is_none_or(|end| end > self.sequence_end()) {
            Some(Fault::IncorrectAmount)
        } else {
            None
        }
    }

    /// The data of a judged Data-Out have passed.
    #[inline]
    pub(super) fn passed(&mut self, len: u32, is_final: bool) {
        self.data_sn = self.data_sn.wrapping_add(1);
        if self.fault.is_none() {
            self.arrived += len;
        }
        if is_final {
            self.end_sequence();
        }
    }

    #[inline]
    fn end_sequence(&mut self) {
        let is_short = if self.is_unsolicited {
            self.len > self.first_burst && self.arrived != self.first_burst
        } else {
            self.arrived != self.sequence_end()
        };
        if is_short {
            self.fail(Fault::IncorrectAmount);
        }
        self.data_sn = 0;
        if self.is_unsolicited {
            self.is_unsolicited = false;
            self.solicited_start = self.arrived;
        } else {
            self.fulfilled += 1;
        }
    }

    /// True where another R2T may be sent with at most `r2ts_max` outstanding.
    #[inline]
    pub(super) fn wants_r2t(&self, r2ts_max: u32) -> bool {
        let has_room = self.asked - self.fulfilled < r2ts_max;
        has_room && !self.is_unsolicited && self.fault.is_none() && self.asked_end() < self.len
    }

    #[inline]
    fn asked_end(&self) -> u32 {
        let asked = u64::from(self.asked) * u64::from(self.burst);
        u64::from(self.len).min(u64::from(self.solicited_start) + asked) as u32
    }

    /// The next R2T.
    #[inline]
    pub(super) fn solicit(&mut self) -> Solicit {
        let start = self.solicited_start;
        let limits = Limits { segment: self.burst, burst: self.burst };
        let piece = cut(limits, self.asked_end() - start, self.len - start);
        let r2t_sn = self.asked;
        self.asked += 1;
        Solicit { r2t_sn, offset: start + piece.offset, len: piece.len }
    }

    /// R2TSN of the oldest unfulfilled R2T.
    #[inline]
    pub(super) fn due_r2t_sn(&self) -> u32 {
        self.fulfilled
    }
}
