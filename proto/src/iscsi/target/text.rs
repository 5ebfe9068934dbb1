//! Text requests: collected over their PDUs, answered over as many as the answer needs
//! (RFC 7143 sections 6.2, 11.10 and 11.11). One exchange at a time.

use alloc::vec::Vec;

use super::Session;
use super::config::TEXT_LEN_MAX;
use super::control::LATER;
use super::types::{Event, TextId};
use crate::iscsi::pdu::{Bhs, Itt, RejectReason, TargetPdu, TextRequest, TextResponse, Ttt};
use crate::scsi::Lun;

/// Set in the tags of text exchanges, as in those of pings.
const TEXT: u32 = 0x8000_8000;

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Turn {
    /// More of the request comes.
    Initiator,
    /// The shell answers.
    Shell,
    /// More of the answer is fetched.
    Answer,
}

/// A request on its way, and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct TextExchange {
    id: TextId,
    itt: Itt,
    turn: Turn,
    is_final: bool,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl TextExchange {
    fn ttt(&self) -> Ttt {
        Ttt((self.id.0 & 0x7ffe) << 16 | TEXT)
    }
}

impl Session {
    /// A request without a transfer tag starts anew and forgets what was before; one with a tag
    /// continues.
    pub(super) fn text_request(&mut self, pdu: &TextRequest, bhs: &Bhs, data: &[u8]) {
        if pdu.itt == Itt::NONE {
            return self.reject(RejectReason::InvalidPduField, bhs);
        }
        if pdu.ttt == Ttt::NONE {
            self.start_text(pdu.itt);
        }
        let is_next = |text: &TextExchange| {
            let is_same = pdu.ttt == Ttt::NONE || pdu.ttt == text.ttt();
            text.itt == pdu.itt && is_same && text.turn != Turn::Shell
        };
        let Some(mut text) = self.text.take_if(|text| is_next(text)) else {
            return self.reject(RejectReason::InvalidPduField, bhs);
        };
        if text.request.len() + data.len() > TEXT_LEN_MAX {
            return self.reject(RejectReason::ProtocolError, bhs);
        }
        text.request.extend_from_slice(data);
        text.is_final = pdu.is_final;
        self.continue_text(text, pdu.is_continued);
    }

    fn start_text(&mut self, itt: Itt) {
        self.texts = self.texts.wrapping_add(2);
        self.text = Some(TextExchange {
            id: TextId(self.texts),
            itt,
            turn: Turn::Initiator,
            is_final: false,
            request: Vec::new(),
            answer: Vec::new(),
        });
    }

    /// A request with its C bit set is answered with nothing until the rest has come.
    fn continue_text(&mut self, mut text: TextExchange, is_continued: bool) {
        if text.turn == Turn::Answer && !text.answer.is_empty() {
            self.send_text(text);
        } else if is_continued {
            text.turn = Turn::Initiator;
            self.push_text(&text, Vec::new(), false, false);
            self.text = Some(text);
        } else {
            text.turn = Turn::Shell;
            let request = core::mem::take(&mut text.request);
            let (id, is_final) = (text.id, text.is_final);
            self.text = Some(text);
            self.events.push_back(Event::Text { id, text: request, is_final });
        }
    }

    /// Answers a text request with keys and values; forgotten where the initiator has started anew.
    pub fn text_reply(&mut self, id: TextId, answer: Vec<u8>) {
        let is_asked = |text: &TextExchange| text.id == id && text.turn == Turn::Shell;
        if let Some(mut text) = self.text.take_if(|text| is_asked(text)) {
            text.answer = answer;
            self.send_text(text);
        }
    }

    /// Sends what fits one PDU; the C bit asks the initiator to fetch the rest.
    fn send_text(&mut self, mut text: TextExchange) {
        let room = self.terms.send_segment_max as usize;
        let rest = text.answer.split_off(text.answer.len().min(room));
        let piece = core::mem::replace(&mut text.answer, rest);
        let is_continued = !text.answer.is_empty();
        let is_final = !is_continued && text.is_final;
        self.push_text(&text, piece, is_final, is_continued);
        if !is_final {
            text.turn = Turn::Answer;
            self.text = Some(text);
        }
    }

    fn push_text(&mut self, text: &TextExchange, data: Vec<u8>, is_final: bool, continued: bool) {
        let pdu = TextResponse {
            is_final,
            is_continued: continued,
            data_len: data.len() as u32,
            lun: Lun::ZERO,
            itt: text.itt,
            ttt: if is_final { Ttt::NONE } else { text.ttt() },
            stat_sn: LATER,
            exp_cmd_sn: LATER,
            max_cmd_sn: LATER,
        };
        self.push_control(TargetPdu::TextResponse(pdu), data);
    }
}
