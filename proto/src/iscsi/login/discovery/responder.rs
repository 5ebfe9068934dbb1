//! The target's side of a text exchange. One responder answers one exchange; its transfer tag ties
//! the requests of the exchange together.

use alloc::collections::VecDeque;

use super::{DiscoveryError, listing};
use crate::iscsi::login::Directory;
use crate::iscsi::login::parts::Outgoing;
use crate::iscsi::negotiate::{Sender, SessionParams, redeclare};
use crate::iscsi::pdu::{Bhs, Itt, TextRequest, TextResponse, Ttt};
use crate::iscsi::text::{Collector, TextOut};
use crate::scsi::Lun;
use crate::serial::Serial;

/// The numbers of a response, which belong to the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseNumbers {
    /// The number of this response.
    pub stat_sn: Serial,
    /// First command not yet received in order.
    pub exp_cmd_sn: Serial,
    /// Last command that may be sent.
    pub max_cmd_sn: Serial,
}

/// The machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TextResponder {
    itt: Itt,
    ttt: Ttt,
    outgoing: Outgoing,
    incoming: Collector,
    /// Texts that follow the one on its way out.
    more: VecDeque<TextOut>,
    is_answered: bool,
    has_begun: bool,
}

impl TextResponder {
    /// For the exchange with this task tag. `ttt` is a transfer tag that the session does not use
    /// otherwise; `part_len` the longest data segment that the initiator takes, in bytes.
    ///
    /// # Panics
    /// With the reserved transfer tag, or a length of 0.
    pub fn new(itt: Itt, ttt: Ttt, part_len: u32) -> TextResponder {
        assert!(ttt != Ttt::NONE, "an exchange is tied together by its tag");
        TextResponder {
            itt,
            ttt,
            outgoing: Outgoing::new(part_len),
            incoming: Collector::for_negotiation(),
            more: VecDeque::new(),
            is_answered: false,
            has_begun: false,
        }
    }

    /// True when the last response was handed out.
    pub fn is_done(&self) -> bool {
        let nothing_follows = self.outgoing.is_all_sent() && self.more.is_empty();
        self.is_answered && nothing_follows && !self.outgoing.is_due()
    }

    /// A request of the exchange. The list is made from the directory; what the initiator declares
    /// again goes into the session's `params`.
    ///
    /// # Errors
    /// What the initiator did wrong; the session answers with a Reject.
    pub fn handle(
        &mut self,
        request: &TextRequest,
        data: &[u8],
        params: &mut SessionParams,
        directory: &Directory,
    ) -> Result<(), DiscoveryError> {
        self.check(request, data)?;
        if self.is_answered {
            // An empty request asks for the next part, whatever its F bit says.
            if !data.is_empty() || request.is_continued {
                return Err(DiscoveryError::TextInsteadOfEmpty);
            }
            self.go_on();
            return Ok(());
        }
        let text = match self.incoming.take(data, request.is_continued)? {
            None => TextOut::new(),
            Some(pairs) => {
                self.is_answered = true;
                let mut text = TextOut::new();
                redeclare(params, Sender::Target, &pairs, &mut text)?;
                self.more = listing::answer(text, &pairs, params, directory);
                self.more.pop_front().expect("an answer has at least one text")
            }
        };
        self.outgoing.put(text);
        Ok(())
    }

    /// The next part of a text, or the next text.
    fn go_on(&mut self) {
        match self.outgoing.is_all_sent() {
            true => self.outgoing.put(self.more.pop_front().expect("the exchange is not done")),
            false => self.outgoing.resume(),
        }
    }

    fn check(&mut self, request: &TextRequest, data: &[u8]) -> Result<(), DiscoveryError> {
        if self.outgoing.is_due() || self.is_done() {
            return Err(DiscoveryError::OutOfTurn);
        }
        let ttt = if self.has_begun { self.ttt } else { Ttt::NONE };
        let fits = request.itt == self.itt
            && request.ttt == ttt
            && request.data_len as usize == data.len();
        self.has_begun = true;
        if fits { Ok(()) } else { Err(DiscoveryError::WrongTag) }
    }

    /// The next response: header and data segment.
    pub fn poll_transmit(&mut self, numbers: ResponseNumbers) -> Option<(Bhs, &[u8])> {
        let is_last_text = self.is_answered && self.more.is_empty();
        let (itt, ttt) = (self.itt, self.ttt);
        let part = self.outgoing.next_part()?;
        let is_final = is_last_text && !part.is_continued;
        let response = TextResponse {
            is_final,
            is_continued: part.is_continued,
            data_len: part.bytes.len() as u32,
            lun: Lun::ZERO,
            itt,
            ttt: if is_final { Ttt::NONE } else { ttt },
            stat_sn: numbers.stat_sn,
            exp_cmd_sn: numbers.exp_cmd_sn,
            max_cmd_sn: numbers.max_cmd_sn,
        };
        Some((response.encode(), part.bytes))
    }
}
