//! What the target sends, in two steps: the header when it is there, its effect when its data are.
//!
//! A header is checked in full and its numbers are taken at once; what it ends, ends when its data
//! segment has arrived. Any violation fails the session, in one place.

use super::command::TaskId;
use super::error::ProtocolError;
use super::event::Failure;
use super::session::Session;
use super::slab::Slab;
use crate::iscsi::pdu::{
    self, AsyncMessage, Bhs, Itt, NopIn, Opcode, Reject, Residual, ScsiResponse, TargetPdu,
    TextResponse,
};
use crate::scsi::Status;
use crate::serial::Serial;

/// Where the data segment of a PDU goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Receive {
    /// There is none: the PDU is done.
    Nothing,
    /// `len` bytes to `offset` of the task's buffer.
    Task {
        /// Whose.
        task: TaskId,
        /// The first byte.
        offset: u32,
        /// How many.
        len: u32,
    },
    /// `len` bytes that the session reads itself: hand them to [`Session::handle_data`].
    Inline {
        /// How many, at most our MaxRecvDataSegmentLength.
        len: u32,
    },
}

/// How a data segment arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DataOutcome {
    /// Whole, and with its digest where there is one.
    Arrived,
    /// With a digest that does not fit: it is as good as lost.
    DigestError,
}

/// A PDU that waits for its data segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Pending {
    Nothing,
    DataIn { slot: u16, ending: Option<(Status, Residual)> },
    Response { slot: u16, pdu: ScsiResponse },
    Nop(NopIn),
    Text(TextResponse),
    Async(AsyncMessage),
    Reject(Reject),
}

impl Session {
    /// Takes a header. Its additional headers, digest and data segment are not needed yet.
    ///
    /// # Errors
    /// What the target did wrong; the session failed.
    ///
    /// # Panics
    /// Where the data segment of the header before was not handed to [`Session::handle_data`].
    #[inline]
    pub fn handle_header(&mut self, bhs: &Bhs, now_ns: u64) -> Result<Receive, ProtocolError> {
        assert!(matches!(self.pending, Pending::Nothing), "one PDU at a time");
        self.nop.heard(now_ns);
        self.header(bhs, now_ns).map_err(|error| self.violated(error))
    }

    /// Takes the end of the data segment that [`Session::handle_header`] announced. `inline` holds
    /// it where that was [`Receive::Inline`].
    ///
    /// # Errors
    /// What the target did wrong; the session failed.
    #[inline]
    pub fn handle_data(
        &mut self,
        outcome: DataOutcome,
        inline: &[u8],
        now_ns: u64,
    ) -> Result<(), ProtocolError> {
        if let Pending::DataIn { slot, ending } = self.pending {
            self.pending = Pending::Nothing;
            self.data_arrived(slot, ending, outcome);
            return Ok(());
        }
        self.rare_data(outcome, inline, now_ns)
    }

    fn rare_data(
        &mut self,
        outcome: DataOutcome,
        inline: &[u8],
        now_ns: u64,
    ) -> Result<(), ProtocolError> {
        let pending = core::mem::replace(&mut self.pending, Pending::Nothing);
        if pending != Pending::Nothing && outcome == DataOutcome::DigestError {
            // What was lost cannot be asked for again without SNACK (RFC 7143 section 7.8).
            self.fail(Failure::DataDigest);
            return Ok(());
        }
        self.inline(pending, inline, now_ns).map_err(|error| self.violated(error))
    }

    #[cold]
    fn violated(&mut self, error: ProtocolError) -> ProtocolError {
        self.fail(Failure::Protocol(error));
        error
    }

    #[inline]
    fn header(&mut self, bhs: &Bhs, now_ns: u64) -> Result<Receive, ProtocolError> {
        if self.state.is_over() {
            return Err(ProtocolError::AfterEnd);
        }
        let len = pdu::data_segment_len(bhs);
        if len > self.terms.receive_max {
            return Err(ProtocolError::DataSegmentLength {
                max: self.terms.receive_max,
                found: len,
            });
        }
        if pdu::ahs_len(bhs) != 0 {
            return Err(ProtocolError::AdditionalHeader { found: pdu::ahs_len(bhs) });
        }
        match pdu::opcode(bhs) {
            Some(Opcode::DataIn) => self.data_in(bhs),
            Some(Opcode::ScsiResponse) => self.response(bhs),
            Some(Opcode::R2t) => self.r2t(bhs),
            _ => self.rare(bhs, len, now_ns),
        }
    }

    /// Everything that is not on the data path.
    fn rare(&mut self, bhs: &Bhs, len: u32, now_ns: u64) -> Result<Receive, ProtocolError> {
        let pending = match TargetPdu::decode(bhs)? {
            TargetPdu::NopIn(pdu) => {
                self.window(pdu.exp_cmd_sn, pdu.max_cmd_sn);
                if pdu.itt != Itt::NONE {
                    self.status.accept(pdu.stat_sn)?;
                }
                Pending::Nop(pdu)
            }
            TargetPdu::TextResponse(pdu) => {
                self.numbers(pdu.stat_sn, pdu.exp_cmd_sn, pdu.max_cmd_sn)?;
                Pending::Text(pdu)
            }
            TargetPdu::Async(pdu) => {
                self.numbers(pdu.stat_sn, pdu.exp_cmd_sn, pdu.max_cmd_sn)?;
                Pending::Async(pdu)
            }
            TargetPdu::Reject(pdu) => {
                self.numbers(pdu.stat_sn, pdu.exp_cmd_sn, pdu.max_cmd_sn)?;
                Pending::Reject(pdu)
            }
            TargetPdu::TaskManagementResponse(pdu) => {
                self.numbers(pdu.stat_sn, pdu.exp_cmd_sn, pdu.max_cmd_sn)?;
                return self.tmf_answered(&pdu).map(|()| Receive::Nothing);
            }
            TargetPdu::LogoutResponse(pdu) => {
                self.numbers(pdu.stat_sn, pdu.exp_cmd_sn, pdu.max_cmd_sn)?;
                return self.logout_answered(&pdu).map(|()| Receive::Nothing);
            }
            TargetPdu::LoginResponse(_) => {
                return Err(ProtocolError::OutOfPhase(Opcode::LoginResponse));
            }
            TargetPdu::DataIn(_) | TargetPdu::ScsiResponse(_) | TargetPdu::R2t(_) => {
                unreachable!("they were taken before")
            }
        };
        self.await_inline(pending, len, now_ns)
    }

    /// Waits for a data segment that the session reads itself, or acts where there is none.
    fn await_inline(
        &mut self,
        pending: Pending,
        len: u32,
        now_ns: u64,
    ) -> Result<Receive, ProtocolError> {
        if len == 0 {
            self.inline(pending, &[], now_ns)?;
            return Ok(Receive::Nothing);
        }
        self.pending = pending;
        Ok(Receive::Inline { len })
    }

    fn inline(&mut self, pending: Pending, data: &[u8], now_ns: u64) -> Result<(), ProtocolError> {
        match pending {
            Pending::Nothing | Pending::DataIn { .. } => Ok(()),
            Pending::Response { slot, pdu } => self.response_arrived(slot, &pdu, data),
            Pending::Nop(pdu) => self.nop_arrived(&pdu, data, now_ns),
            Pending::Text(pdu) => self.text_arrived(&pdu, data),
            Pending::Async(pdu) => self.async_arrived(&pdu, data, now_ns),
            Pending::Reject(pdu) => self.reject_arrived(&pdu, data, now_ns),
        }
    }

    /// The command window as the target sees it. More room may let queued commands go.
    #[inline]
    pub(super) fn window(&mut self, exp_cmd_sn: Serial, max_cmd_sn: Serial) {
        self.commands.update(exp_cmd_sn, max_cmd_sn);
    }

    /// The numbers of a PDU that takes a StatSN.
    #[inline]
    pub(super) fn numbers(
        &mut self,
        stat_sn: Serial,
        exp_cmd_sn: Serial,
        max_cmd_sn: Serial,
    ) -> Result<(), ProtocolError> {
        self.window(exp_cmd_sn, max_cmd_sn);
        Ok(self.status.accept(stat_sn)?)
    }
}

impl Slab {
    /// The task that the target speaks of.
    #[inline]
    pub(super) fn at_target(&self, itt: Itt) -> Result<u16, ProtocolError> {
        let slot = self.find(TaskId(itt.0)).ok_or(ProtocolError::TaskTag(itt))?;
        if !self[slot].stage.is_at_target() {
            return Err(ProtocolError::NotSent(itt));
        }
        Ok(slot)
    }
}
