//! Logout: by the caller's wish or the target's, after what is under way (RFC 7143 sections 11.14 and
//! 11.15).
//!
//! The request is immediate, so that a closed window does not hold it up, and it is the last PDU of
//! the connection.

use super::error::ProtocolError;
use super::event::{Event, Failure};
use super::session::{Exchange, Session};
use super::state::{State, Turn};
use super::transmit::{Transmit, TransmitData};
use crate::iscsi::pdu::{Itt, LogoutReason, LogoutRequest, LogoutResponse};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Logout {
    itt: Option<Itt>,
    /// While leaving: when to log out whatever is under way. Afterwards: when to stop waiting.
    by_ns: u64,
}

impl Default for Logout {
    fn default() -> Logout {
        Logout { itt: None, by_ns: u64::MAX }
    }
}

impl Logout {
    pub(super) fn by_ns(&self) -> u64 {
        self.by_ns
    }
}

impl Session {
    /// Closes the session: takes no more commands, finishes those that it has, logs out.
    /// [`Event::LoggedOut`] is the end.
    pub fn logout(&mut self) {
        self.turn_to(Turn::Close);
    }

    /// The target wants to be left by `by_ns`: no more commands are sent, those that were sent are
    /// waited for until then.
    pub(super) fn leave(&mut self, by_ns: u64) {
        if self.state != State::LoggingOut {
            self.logout.by_ns = self.logout.by_ns.min(by_ns);
        }
        self.turn_to(Turn::Leave);
    }

    pub(super) fn send_logout(&mut self, now_ns: u64) -> Option<Transmit> {
        let is_due = match self.state {
            State::Closing => self.tasks.used() == 0,
            State::Leaving => now_ns >= self.logout.by_ns || !self.has_sent_tasks(),
            _ => false,
        };
        if !is_due {
            return None;
        }
        let itt = self.tag(Exchange::Logout);
        self.logout =
            Logout { itt: Some(itt), by_ns: now_ns.saturating_add(self.config.logout_ns) };
        self.turn_to(Turn::LogoutSent);
        let bhs = LogoutRequest {
            immediate: true,
            reason: LogoutReason::CloseSession,
            itt,
            cid: 0,
            cmd_sn: self.commands.next(),
            exp_stat_sn: self.status.exp_stat_sn(),
        }
        .encode();
        Some(Transmit { bhs, data: TransmitData::None })
    }

    fn has_sent_tasks(&self) -> bool {
        self.tasks.iter().any(|(_, task)| task.stage.is_sent())
    }

    pub(super) fn logout_answered(&mut self, pdu: &LogoutResponse) -> Result<(), ProtocolError> {
        if self.state != State::LoggingOut || self.logout.itt != Some(pdu.itt) {
            return Err(ProtocolError::TaskTag(pdu.itt));
        }
        self.turn_to(Turn::LogoutAnswered);
        let (time2wait, time2retain) = (pdu.time2wait, pdu.time2retain);
        self.tell(Event::LoggedOut { result: pdu.result, time2wait, time2retain });
        Ok(())
    }

    pub(super) fn check_logout(&mut self, now_ns: u64) {
        if now_ns < self.logout.by_ns {
            return;
        }
        match self.state {
            State::LoggingOut => self.fail(Failure::LogoutTimedOut),
            _ => self.is_urgent = true,
        }
    }
}
