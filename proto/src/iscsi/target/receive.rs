//! What arrives: the header, then the data it announced; the order of requests by CmdSN.

use alloc::boxed::Box;

use super::Session;
use super::config::{INLINE_BYTES_MAX, STAT_SN_GAP_MAX};
use super::control::Logout;
use super::error::ProtocolError;
use super::held::{Item, Request};
use super::slab::TaskId;
use super::types::{DataOutcome, Receive};
use super::window::Order;
use crate::iscsi::pdu::{
    Bhs, DataOut, Field, InitiatorPdu, Itt, PduError, RejectReason, Ttt, data_segment_len,
};
use crate::serial::Serial;

/// Whose data segment is arriving.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Pending {
    /// None: a header is due.
    Header,
    /// Immediate data of a command.
    Immediate { task: TaskId, len: u32 },
    /// A Data-Out.
    DataOut { task: TaskId, len: u32, is_final: bool },
    /// Ping, text and the like.
    Inline,
    /// Nobody's.
    Discard,
}

impl Session {
    /// A header has arrived (with an intact digest). `bhs` is the basic part; additional header
    /// segments belong to no command spoken here, and a command that has them is refused.
    ///
    /// # Errors
    /// The connection must be closed, without sending anything more.
    ///
    /// # Panics
    /// Where the data of the previous header have not been reported.
    #[inline]
    pub fn handle_header(&mut self, bhs: &Bhs, now: u64) -> Result<Receive, ProtocolError> {
        assert!(self.pending == Pending::Header, "data come before the next header");
        self.now = now;
        self.keepalive.heard(now);
        let len = data_segment_len(bhs);
        self.check_header(len)?;
        if self.logout != Logout::None {
            // Only the answer to the logout is still to come (RFC 7143 section 11.14).
            return Ok(self.discard(len));
        }
        let receive = match InitiatorPdu::decode(bhs) {
            Ok(InitiatorPdu::ScsiCommand(command)) => self.command_header(command, bhs)?,
            Ok(InitiatorPdu::DataOut(pdu)) => self.data_out_header(&pdu, bhs),
            Ok(pdu) => self.request_header(&pdu, bhs, len)?,
            Err(error) => self.malformed(error, bhs, len)?,
        };
        self.outcome(receive)
    }

    fn check_header(&self, len: u32) -> Result<(), ProtocolError> {
        let max = self.terms.recv_segment_max;
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        if len > max {
            return Err(ProtocolError::SegmentTooLong { len, max });
        }
        Ok(())
    }

    /// True while data for the task are on their way into its buffer.
    pub(super) fn is_receiving(&self, id: TaskId) -> bool {
        match self.pending {
            Pending::Immediate { task, .. } | Pending::DataOut { task, .. } => task == id,
            Pending::Header | Pending::Inline | Pending::Discard => false,
        }
    }

    /// An answer that could not be queued ends the connection.
    fn outcome<T>(&self, value: T) -> Result<T, ProtocolError> {
        self.failure.map_or(Ok(value), Err)
    }

    /// A PDU that no initiator sends is answered with a Reject. Illegal contents of a known one end
    /// the connection (RFC 7143 section 7.7).
    fn malformed(
        &mut self,
        error: PduError,
        bhs: &Bhs,
        len: u32,
    ) -> Result<Receive, ProtocolError> {
        if error.field != Field::Opcode {
            return Err(ProtocolError::Format(error));
        }
        self.reject(RejectReason::CommandNotSupported, bhs);
        Ok(self.discard(len))
    }

    /// The data segment belongs to nobody.
    pub(super) fn discard(&mut self, len: u32) -> Receive {
        if len == 0 {
            return Receive::Nothing;
        }
        self.pending = Pending::Discard;
        Receive::Discard { len }
    }

    fn request_header(
        &mut self,
        pdu: &InitiatorPdu,
        bhs: &Bhs,
        len: u32,
    ) -> Result<Receive, ProtocolError> {
        if len > 0 {
            self.pending = Pending::Inline;
            self.pending_bhs = *bhs;
            return Ok(Receive::Inline { len });
        }
        self.request(pdu, bhs, &[])?;
        Ok(Receive::Nothing)
    }

    /// The data segment announced by the last header has passed; `inline` is the data where
    /// [`Receive::Inline`] asked for them.
    ///
    /// # Errors
    /// The connection must be closed.
    ///
    /// # Panics
    /// Where no data were announced.
    #[inline]
    pub fn handle_data(
        &mut self,
        outcome: DataOutcome,
        inline: &[u8],
        now: u64,
    ) -> Result<(), ProtocolError> {
        self.now = now;
        let is_intact = outcome == DataOutcome::Arrived;
        match core::mem::replace(&mut self.pending, Pending::Header) {
            Pending::Header => panic!("no data were announced"),
            Pending::Immediate { task, len } => self.immediate_passed(task, len, is_intact),
            Pending::DataOut { task, len, is_final } => {
                self.data_out_passed(task, len, is_final, is_intact);
            }
            Pending::Inline => self.inline_passed(inline, is_intact)?,
            Pending::Discard => {}
        }
        self.outcome(())
    }

    /// A request with a digest error is discarded and takes no CmdSN (RFC 7143 section 7.8).
    fn inline_passed(&mut self, inline: &[u8], is_intact: bool) -> Result<(), ProtocolError> {
        let bhs = self.pending_bhs;
        if !is_intact {
            self.reject(RejectReason::DataDigestError, &bhs);
            return Ok(());
        }
        let pdu = InitiatorPdu::decode(&bhs).map_err(ProtocolError::Format)?;
        self.request(&pdu, &bhs, inline)
    }

    /// Notes what the initiator has seen (RFC 7143 section 4.2.2.2).
    #[inline]
    pub(super) fn acknowledge(&mut self, exp_stat_sn: Serial) -> Result<(), ProtocolError> {
        let stat_sn = self.stat_sn;
        if stat_sn.is_before(exp_stat_sn) {
            return Err(ProtocolError::StatSnAhead { exp_stat_sn, stat_sn });
        }
        if stat_sn.since(exp_stat_sn) > STAT_SN_GAP_MAX {
            return Err(ProtocolError::StatSnGap { exp_stat_sn, stat_sn });
        }
        if self.acknowledged.is_before(exp_stat_sn) {
            self.acknowledged = exp_stat_sn;
        }
        Ok(())
    }

    /// The highest StatSN that the initiator has acknowledged, plus one.
    #[must_use]
    pub fn acknowledged(&self) -> Serial {
        self.acknowledged
    }

    /// A request other than a SCSI command, with all its data.
    fn request(&mut self, pdu: &InitiatorPdu, bhs: &Bhs, data: &[u8]) -> Result<(), ProtocolError> {
        let Some((cmd_sn, exp_stat_sn, is_immediate)) = numbers(pdu) else {
            self.reject_unnumbered(pdu, bhs);
            return Ok(());
        };
        self.acknowledge(exp_stat_sn)?;
        if is_immediate {
            self.execute(pdu, bhs, data);
            return Ok(());
        }
        match self.window.judge(cmd_sn) {
            Order::Due => {
                self.window.advance();
                self.execute(pdu, bhs, data);
                self.deliver_held();
            }
            Order::Early => self.hold_request(cmd_sn, bhs, data),
            Order::Outside => {}
        }
        Ok(())
    }

    fn hold_request(&mut self, cmd_sn: Serial, bhs: &Bhs, data: &[u8]) {
        if self.held.contains(cmd_sn) {
            return;
        }
        if self.held.bytes() + data.len() > INLINE_BYTES_MAX {
            self.failure = Some(ProtocolError::Flooded);
            return;
        }
        let request = Request { bhs: *bhs, data: data.to_vec() };
        self.held.put(cmd_sn, Item::Request(Box::new(request)));
    }

    /// A command that is not immediate takes its place in the order.
    #[inline]
    pub(super) fn take_turn(&mut self, cmd_sn: Serial, item: Item) {
        match self.window.judge(cmd_sn) {
            Order::Due => {
                self.window.advance();
                self.deliver(item);
                self.deliver_held();
            }
            Order::Early => self.held.put(cmd_sn, item),
            Order::Outside => unreachable!("the header was judged, and the window only grows"),
        }
    }

    #[inline]
    pub(super) fn deliver_held(&mut self) {
        while let Some(item) = self.held.take(self.window.expected()) {
            self.window.advance();
            self.deliver(item);
        }
    }

    fn deliver(&mut self, item: Item) {
        match item {
            Item::Task(task) => self.deliver_task(task),
            Item::Request(request) => {
                let pdu = InitiatorPdu::decode(&request.bhs);
                let pdu = pdu.expect("it was decoded when it came");
                self.execute(&pdu, &request.bhs, &request.data);
            }
            Item::Plug => {}
        }
    }

    /// A discovery session knows text and logout, and answers to its own pings; all other requests
    /// MUST be rejected (RFC 7143 section 4.3).
    fn execute(&mut self, pdu: &InitiatorPdu, bhs: &Bhs, data: &[u8]) {
        let is_foreign = match pdu {
            InitiatorPdu::NopOut(pdu) => pdu.itt != Itt::NONE,
            pdu => matches!(pdu, InitiatorPdu::TaskManagement(_)),
        };
        if self.terms.is_discovery && is_foreign {
            return self.reject(RejectReason::ProtocolError, bhs);
        }
        match pdu {
            InitiatorPdu::NopOut(pdu) => self.nop_out(pdu, bhs, data),
            InitiatorPdu::TaskManagement(pdu) => self.manage(pdu, bhs),
            InitiatorPdu::Text(pdu) => self.text_request(pdu, bhs, data),
            InitiatorPdu::Logout(pdu) => self.log_out(pdu),
            InitiatorPdu::ScsiCommand(_)
            | InitiatorPdu::DataOut(_)
            | InitiatorPdu::Login(_)
            | InitiatorPdu::Snack(_) => unreachable!("these have paths of their own"),
        }
    }

    /// SNACK needs error recovery level 1 (RFC 7143 section 11.16); the login is over.
    fn reject_unnumbered(&mut self, pdu: &InitiatorPdu, bhs: &Bhs) {
        let reason = match pdu {
            InitiatorPdu::Snack(_) => RejectReason::SnackReject,
            _ => RejectReason::ProtocolError,
        };
        self.reject(reason, bhs);
    }

    fn data_out_header(&mut self, pdu: &DataOut, bhs: &Bhs) -> Receive {
        // Initiators are known to send a stale ExpStatSN here; it is believed where it helps.
        let is_news = self.acknowledged.is_before(pdu.exp_stat_sn);
        if is_news && pdu.exp_stat_sn.is_at_most(self.stat_sn) {
            self.acknowledged = pdu.exp_stat_sn;
        }
        let Some(id) = self.by_itt.get(pdu.itt) else {
            // Data that were asked for before the task ended (RFC 7143 section 4.2.3.3).
            return self.discard(pdu.data_len);
        };
        self.data_of_task(id, pdu, bhs)
    }

    /// The tag of an R2T: its number, the life of the slot, and the slot, which is never ffff.
    #[inline]
    pub(super) fn transfer_tag(task: TaskId, r2t_sn: u32) -> Ttt {
        let life = u32::from(task.generation() & 0xff) << 16;
        Ttt((r2t_sn & 0xff) << 24 | life | u32::from(task.slot()))
    }
}

/// CmdSN, ExpStatSN and the I bit of a request that has them and is no SCSI command.
fn numbers(pdu: &InitiatorPdu) -> Option<(Serial, Serial, bool)> {
    match pdu {
        InitiatorPdu::NopOut(pdu) => Some((pdu.cmd_sn, pdu.exp_stat_sn, pdu.immediate)),
        InitiatorPdu::TaskManagement(pdu) => Some((pdu.cmd_sn, pdu.exp_stat_sn, pdu.immediate)),
        InitiatorPdu::Text(pdu) => Some((pdu.cmd_sn, pdu.exp_stat_sn, pdu.immediate)),
        InitiatorPdu::Logout(pdu) => Some((pdu.cmd_sn, pdu.exp_stat_sn, pdu.immediate)),
        _ => None,
    }
}
