//! The initiator's login.
//!
//! ```text
//!   Method       -- AuthMethod=None          -->  Leaving       Method  -- ... with T=1 -->  Operational
//!   Method       -- AuthMethod=CHAP          -->  Chap
//!   Chap         -- the target's keys        -->  Chap          while proofs are missing
//!   Chap         -- the target's keys        -->  Leaving       all proved; with T=1: Operational
//!   Leaving      -- T=1                      -->  Operational   T=0 stays: the target may keep us
//!   Operational  -- T=0                      -->  Operational
//!   Operational  -- T=1                      -->  Done
//!   any          -- status class 1           -->  Redirected
//!   any          -- any mistake              -->  Failed
//! ```
//! One request is answered by one response. CmdSN and ITT stay the same throughout.

mod check;
mod config;
mod security;

use alloc::boxed::Box;

pub use config::{LoginConfig, LoginOutcome, Proof};

use super::parts::Outgoing;
use super::{
    LOGIN_PART_LEN_MAX, LOGIN_ROUNDS_MAX, LoginError, Mismatch, Redirect, TargetAddress, keys,
};
use crate::iscsi::chap::ChapInitiator;
use crate::iscsi::negotiate::Negotiation;
use crate::iscsi::pdu::{
    Bhs, LoginClass, LoginFlags, LoginRequest, LoginResponse, LoginStatus, Stage,
};
use crate::iscsi::text::{Collector, Pair, TextOut, parse_pairs};
use crate::serial::Serial;

/// The machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Login {
    config: LoginConfig,
    state: State,
    outgoing: Outgoing,
    incoming: Collector,
    /// Where the text on its way out wants to go.
    want: Option<Stage>,
    /// Where a request since that text has asked to go: the target may agree in a later part.
    asked: Option<Stage>,
    is_awaiting: bool,
    rounds: u32,
    exp_stat_sn: Option<Serial>,
    declared: keys::Declared,
    negotiation: Negotiation,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum State {
    Method,
    Chap(Box<ChapInitiator>),
    Leaving,
    Operational,
    Done(Box<LoginOutcome>),
    Redirected(Redirect),
    Failed,
}

/// Where a login stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginState<'a> {
    /// On its way, in this stage.
    Negotiating(Stage),
    /// Full-feature phase begins.
    Done(&'a LoginOutcome),
    /// Close the connection, log in elsewhere.
    Redirected(&'a Redirect),
    /// Close the connection.
    Failed,
}

impl Login {
    /// Begins a login; the first request is ready to be sent.
    ///
    /// # Errors
    /// What is wrong with the configuration: CHAP, or an alias that cannot be sent.
    pub fn new(config: LoginConfig) -> Result<Login, LoginError> {
        Login::with_parts(config, LOGIN_PART_LEN_MAX)
    }

    /// The same, with texts in parts of at most `part_len` bytes. For tests: peers understand parts
    /// of `LOGIN_PART_LEN_MAX`.
    ///
    /// # Errors
    /// As [`Login::new`].
    pub fn with_parts(config: LoginConfig, part_len: u32) -> Result<Login, LoginError> {
        security::chap(&config.proof)?;
        let alias = config.offer.initiator_alias.as_deref();
        if !alias.is_none_or(keys::is_sendable) {
            return Err(LoginError::BadValue { key: "InitiatorAlias" });
        }
        let negotiation = Negotiation::initiator(config.offer.clone());
        let mut login = Login {
            config,
            state: State::Method,
            outgoing: Outgoing::new(part_len.min(LOGIN_PART_LEN_MAX)),
            incoming: Collector::for_negotiation(),
            want: None,
            asked: None,
            is_awaiting: false,
            rounds: 0,
            exp_stat_sn: None,
            declared: keys::Declared::default(),
            negotiation,
        };
        login.introduce();
        Ok(login)
    }

    /// Where the login stands.
    pub fn state(&self) -> LoginState<'_> {
        match &self.state {
            State::Done(outcome) => LoginState::Done(outcome),
            State::Redirected(redirect) => LoginState::Redirected(redirect),
            State::Failed => LoginState::Failed,
            _ => LoginState::Negotiating(self.stage()),
        }
    }

    /// The next request: header and data segment.
    pub fn poll_transmit(&mut self) -> Option<(Bhs, &[u8])> {
        if !self.outgoing.is_due() {
            return None;
        }
        let is_last = self.outgoing.is_last();
        let next = self.want.filter(|_| is_last);
        let flags = LoginFlags { current: self.stage(), next, is_continued: !is_last };
        self.asked = self.asked.or(next);
        self.is_awaiting = true;
        let request = self.request(flags);
        let part = self.outgoing.next_part()?;
        Some((LoginRequest { data_len: part.bytes.len() as u32, ..request }.encode(), part.bytes))
    }

    /// A PDU of the target. A response of success moves the login on; see [`Login::state`].
    ///
    /// # Errors
    /// What the target did wrong, or why it refused: the login has failed.
    pub fn handle(&mut self, bhs: &Bhs, data: &[u8]) -> Result<(), LoginError> {
        let result = self.receive(bhs, data);
        if result.is_err() {
            self.state = State::Failed;
        }
        result
    }

    fn stage(&self) -> Stage {
        match self.state {
            State::Operational | State::Done(_) => Stage::Operational,
            _ => Stage::Security,
        }
    }

    fn request(&self, flags: LoginFlags) -> LoginRequest {
        LoginRequest {
            flags,
            version_max: 0,
            version_min: 0,
            data_len: 0,
            isid: self.config.isid,
            tsih: self.config.tsih,
            itt: self.config.itt,
            cid: self.config.cid,
            cmd_sn: self.config.cmd_sn,
            exp_stat_sn: self.exp_stat_sn.unwrap_or_default(),
        }
    }

    fn receive(&mut self, bhs: &Bhs, data: &[u8]) -> Result<(), LoginError> {
        if !core::mem::take(&mut self.is_awaiting) {
            return Err(LoginError::OutOfTurn);
        }
        let response = check::response(bhs, data)?;
        match response.status.class() {
            LoginClass::Success => self.proceed(&response, data),
            LoginClass::Redirection => self.redirect(response.status, data),
            _ => Err(LoginError::Refused(response.status)),
        }
    }

    fn proceed(&mut self, response: &LoginResponse, data: &[u8]) -> Result<(), LoginError> {
        check::identity(&self.config, response)?;
        self.check_stat_sn(response.stat_sn)?;
        let flags = response.flags;
        if flags.current != self.stage() {
            return Err(LoginError::Mismatch(Mismatch::Stage));
        }
        if flags.next.is_some() && flags.next != self.asked {
            return Err(LoginError::Mismatch(Mismatch::Transit));
        }
        self.count_round(data.is_empty() || !flags.is_continued)?;
        if !self.outgoing.is_all_sent() {
            return self.next_part(&flags, data);
        }
        match self.incoming.take(data, flags.is_continued)? {
            Some(pairs) => self.step(&pairs, response),
            None => {
                self.outgoing.put(TextOut::new());
                self.want = None;
                Ok(())
            }
        }
    }

    /// The first StatSN is the target's choice; from there it counts responses.
    fn check_stat_sn(&mut self, stat_sn: Serial) -> Result<(), LoginError> {
        if self.exp_stat_sn.is_some_and(|expected| expected != stat_sn) {
            return Err(LoginError::Mismatch(Mismatch::StatSn));
        }
        self.exp_stat_sn = Some(stat_sn.next());
        Ok(())
    }

    /// Parts do not count as rounds, for the length of texts is limited by itself.
    fn count_round(&mut self, is_round: bool) -> Result<(), LoginError> {
        self.rounds += u32::from(is_round && self.outgoing.is_all_sent());
        if self.rounds > LOGIN_ROUNDS_MAX { Err(LoginError::TooManyRounds) } else { Ok(()) }
    }

    fn next_part(&mut self, flags: &LoginFlags, data: &[u8]) -> Result<(), LoginError> {
        if !data.is_empty() || flags.is_continued {
            return Err(LoginError::TextInsteadOfEmpty);
        }
        self.outgoing.resume();
        Ok(())
    }

    fn say(&mut self, text: TextOut, want: Option<Stage>) {
        self.outgoing.put(text);
        self.want = want;
        self.asked = None;
    }

    /// A whole text of the target. Answers to what it offers are due in any stage.
    fn step(&mut self, pairs: &[Pair], response: &LoginResponse) -> Result<(), LoginError> {
        let mut text = TextOut::new();
        self.negotiation.handle(&self.declared.fresh(pairs), &mut text)?;
        self.check_portal_group()?;
        let is_transit = response.flags.next.is_some();
        match core::mem::replace(&mut self.state, State::Failed) {
            State::Method => self.method(pairs, text, is_transit),
            State::Chap(chap) => self.chap(chap, pairs, text, is_transit),
            State::Leaving => self.leave(text, is_transit),
            State::Operational if is_transit => self.complete(&text, response),
            State::Operational => {
                self.say(text, Some(Stage::FullFeature));
                self.state = State::Operational;
                Ok(())
            }
            State::Done(_) | State::Redirected(_) | State::Failed => Err(LoginError::OutOfTurn),
        }
    }

    /// Another portal group is another target port: not the nexus that is meant (RFC 7143
    /// section 6.3.1).
    fn check_portal_group(&self) -> Result<(), LoginError> {
        match (self.config.portal_group, self.negotiation.target_portal_group_tag()) {
            (Some(expected), Some(told)) if expected != told => {
                Err(LoginError::WrongPortalGroup { expected, told })
            }
            _ => Ok(()),
        }
    }

    fn enter_operational(&mut self, mut text: TextOut) {
        self.negotiation.propose(&mut text);
        self.state = State::Operational;
        self.say(text, Some(Stage::FullFeature));
    }

    /// The last response. What is still to be answered cannot be answered any more.
    fn complete(&mut self, text: &TextOut, response: &LoginResponse) -> Result<(), LoginError> {
        if !text.is_empty() {
            return Err(LoginError::Mismatch(Mismatch::Transit));
        }
        if response.tsih == 0 {
            return Err(LoginError::Mismatch(Mismatch::Tsih));
        }
        self.state = State::Done(Box::new(LoginOutcome {
            params: self.negotiation.finish()?,
            refused: self.negotiation.refused().to_vec(),
            tsih: response.tsih,
            cmd_sn: self.config.cmd_sn,
            exp_stat_sn: response.stat_sn.next(),
            exp_cmd_sn: response.exp_cmd_sn,
            max_cmd_sn: response.max_cmd_sn,
        }));
        Ok(())
    }

    fn redirect(&mut self, status: LoginStatus, data: &[u8]) -> Result<(), LoginError> {
        let key = "TargetAddress";
        let pairs = parse_pairs(data)?;
        let address = keys::get(&pairs, key).ok_or(LoginError::Missing { key })?;
        let to = TargetAddress::parse(address).ok_or(LoginError::BadValue { key })?;
        let is_permanent = status == LoginStatus::MovedPermanently;
        self.state = State::Redirected(Redirect { is_permanent, to });
        Ok(())
    }
}

#[cfg(test)]
impl Login {
    /// The state by name, for tables.
    pub(super) fn state_name(&self) -> alloc::string::String {
        alloc::format!("{:?}", self.state)
    }

    /// The StatSN that the next response must have.
    pub(super) fn next_stat_sn(&self) -> u32 {
        self.exp_stat_sn.unwrap_or_default().0
    }
}
