//! The initiator's side of a discovery, in a session that does nothing else.

use alloc::vec::Vec;

use super::{DISCOVERY_PDUS_MAX, DiscoveredTarget, DiscoveryError, SendTargets, parse_listing};
use crate::iscsi::login::parts::Outgoing;
use crate::iscsi::pdu::{Bhs, Itt, Opcode, TextRequest, TextResponse, Ttt, opcode};
use crate::iscsi::text::{Collector, TextOut};
use crate::scsi::Lun;
use crate::serial::Serial;

/// One discovery.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DiscoveryConfig {
    /// What is asked for.
    pub what: SendTargets,
    /// The tag of the exchange.
    pub itt: Itt,
    /// The next CmdSN.
    pub cmd_sn: Serial,
    /// The next StatSN.
    pub exp_stat_sn: Serial,
    /// Longest data segment that the target takes, in bytes.
    pub part_len: u32,
}

/// The machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Discovery {
    config: DiscoveryConfig,
    outgoing: Outgoing,
    incoming: Collector,
    ttt: Ttt,
    lun: Lun,
    is_awaiting: bool,
    is_done: bool,
    pdus: u32,
    targets: Vec<DiscoveredTarget>,
}

impl Discovery {
    /// Begins; the first request is ready to be sent.
    pub fn new(config: DiscoveryConfig) -> Discovery {
        let mut text = TextOut::new();
        text.push("SendTargets", &config.what.value());
        let mut outgoing = Outgoing::new(config.part_len);
        outgoing.put(text);
        Discovery {
            config,
            outgoing,
            incoming: Collector::for_listing(),
            ttt: Ttt::NONE,
            lun: Lun::ZERO,
            is_awaiting: false,
            is_done: false,
            pdus: 0,
            targets: Vec::new(),
        }
    }

    /// The list, when it is complete.
    pub fn targets(&self) -> Option<&[DiscoveredTarget]> {
        self.is_done.then_some(&self.targets)
    }

    /// The next CmdSN and the next StatSN, for what the session does afterwards.
    pub fn numbers(&self) -> (Serial, Serial) {
        (self.config.cmd_sn, self.config.exp_stat_sn)
    }

    /// The next request: header and data segment. Each takes one CmdSN.
    pub fn poll_transmit(&mut self) -> Option<(Bhs, &[u8])> {
        if !self.outgoing.is_due() {
            return None;
        }
        self.is_awaiting = true;
        let cmd_sn = self.config.cmd_sn.take();
        let part = self.outgoing.next_part()?;
        let request = TextRequest {
            immediate: false,
            is_final: !part.is_continued,
            is_continued: part.is_continued,
            data_len: part.bytes.len() as u32,
            lun: self.lun,
            itt: self.config.itt,
            ttt: self.ttt,
            cmd_sn,
            exp_stat_sn: self.config.exp_stat_sn,
        };
        Some((request.encode(), part.bytes))
    }

    /// A PDU of the target.
    ///
    /// # Errors
    /// What the target did wrong: the discovery has failed.
    pub fn handle(&mut self, bhs: &Bhs, data: &[u8]) -> Result<(), DiscoveryError> {
        if !core::mem::take(&mut self.is_awaiting) {
            return Err(DiscoveryError::OutOfTurn);
        }
        let response = self.check(bhs, data)?;
        (self.ttt, self.lun) = (response.ttt, response.lun);
        if !self.outgoing.is_all_sent() {
            return self.next_part(&response, data);
        }
        if let Some(pairs) = self.incoming.take(data, response.is_continued)? {
            parse_listing(&pairs, &mut self.targets)?;
        }
        if response.is_final {
            self.is_done = true;
        } else {
            self.outgoing.put(TextOut::new());
        }
        Ok(())
    }

    fn check(&mut self, bhs: &Bhs, data: &[u8]) -> Result<TextResponse, DiscoveryError> {
        if opcode(bhs) != Some(Opcode::TextResponse) {
            return Err(DiscoveryError::NotText { first_byte: bhs[0] });
        }
        let response = TextResponse::decode(bhs)?;
        if response.itt != self.config.itt || response.data_len as usize != data.len() {
            return Err(DiscoveryError::WrongTag);
        }
        if response.stat_sn != self.config.exp_stat_sn {
            return Err(DiscoveryError::WrongStatSn);
        }
        self.config.exp_stat_sn = response.stat_sn.next();
        self.pdus += 1;
        if self.pdus > DISCOVERY_PDUS_MAX { Err(DiscoveryError::Endless) } else { Ok(response) }
    }

    fn next_part(&mut self, response: &TextResponse, data: &[u8]) -> Result<(), DiscoveryError> {
        if !data.is_empty() || response.is_continued || response.is_final {
            return Err(DiscoveryError::TextInsteadOfEmpty);
        }
        self.outgoing.resume();
        Ok(())
    }
}
