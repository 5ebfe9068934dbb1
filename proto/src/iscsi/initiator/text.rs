//! Text exchanges in full-feature phase: one at a time, SendTargets above all.
//!
//! A response may come in pieces: every piece but the last is answered by an empty Text Request that
//! copies its tag and LUN (RFC 7143 section 11.11). What has no end is cut off.

use alloc::vec::Vec;

use super::error::ProtocolError;
use super::event::{Event, TextOutcome};
use super::session::{Exchange, Session};
use super::state::State;
use super::transmit::{Transmit, TransmitData};
use crate::iscsi::pdu::{Itt, RejectReason, TextRequest, TextResponse, Ttt};
use crate::scsi::Lun;

/// Most bytes of all responses to one request.
pub const TEXT_BYTES_MAX: u32 = 1 << 20;

/// Why a text exchange was not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TextError {
    /// Another one is under way.
    Busy,
    /// The session is not, or no longer, there for it.
    NotRunning(State),
    /// More bytes than the target takes in one PDU.
    TooLong {
        /// Its MaxRecvDataSegmentLength.
        max: u32,
    },
}

/// What is to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Request {
    keys: Vec<u8>,
    lun: Lun,
    ttt: Ttt,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Text {
    /// The tag of the exchange, from its first request to its end.
    itt: Option<Itt>,
    waiting: Option<Request>,
    received: Vec<u8>,
}

impl Text {
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }
}

impl Session {
    /// Sends `keys` (each `name=value` and a zero byte); [`Event::Text`] brings the answer.
    ///
    /// # Errors
    /// Where no exchange can be begun.
    pub fn text(&mut self, keys: Vec<u8>) -> Result<(), TextError> {
        if !self.state.takes_commands() {
            return Err(TextError::NotRunning(self.state));
        }
        if self.text.itt.is_some() {
            return Err(TextError::Busy);
        }
        if keys.len() > self.terms.send_max as usize {
            return Err(TextError::TooLong { max: self.terms.send_max });
        }
        self.text.itt = Some(self.tag(Exchange::Text));
        self.text.received.clear();
        self.text.waiting = Some(Request { keys, lun: Lun::ZERO, ttt: Ttt::NONE });
        self.is_urgent = true;
        Ok(())
    }

    /// A Text Request has its place in the order of commands, and waits for the window as they do.
    pub(super) fn send_text(&mut self) -> Option<Transmit> {
        if !self.state.sends_commands() || !self.commands.is_open() {
            return None;
        }
        let request = self.text.waiting.take()?;
        let bhs = TextRequest {
            immediate: false,
            is_final: true,
            is_continued: false,
            data_len: request.keys.len() as u32,
            lun: request.lun,
            itt: self.text.itt.expect("a request waits within an exchange only"),
            ttt: request.ttt,
            cmd_sn: self.commands.take(),
            exp_stat_sn: self.status.exp_stat_sn(),
        }
        .encode();
        let is_empty = request.keys.is_empty();
        let data = if is_empty { TransmitData::None } else { TransmitData::Bytes(request.keys) };
        Some(Transmit { bhs, data })
    }

    pub(super) fn text_arrived(
        &mut self,
        pdu: &TextResponse,
        data: &[u8],
    ) -> Result<(), ProtocolError> {
        if self.text.itt != Some(pdu.itt) || self.text.is_waiting() {
            return Err(ProtocolError::TaskTag(pdu.itt));
        }
        if self.text.received.len() + data.len() > TEXT_BYTES_MAX as usize {
            return Err(ProtocolError::TextLength { max: TEXT_BYTES_MAX });
        }
        self.text.received.extend_from_slice(data);
        if pdu.is_final {
            self.text.itt = None;
            let keys = core::mem::take(&mut self.text.received);
            self.tell(Event::Text(TextOutcome::Done(keys)));
        } else {
            let request = Request { keys: Vec::new(), lun: pdu.lun, ttt: pdu.ttt };
            self.text.waiting = Some(request);
            self.is_urgent = true;
        }
        Ok(())
    }

    /// The target does not take the request; the caller may ask again.
    pub(super) fn text_rejected(&mut self, itt: Itt, reason: RejectReason) -> bool {
        let is_it = self.text.itt == Some(itt);
        if is_it {
            self.text = Text::default();
            self.tell(Event::Text(TextOutcome::Rejected(reason)));
        }
        is_it
    }
}
