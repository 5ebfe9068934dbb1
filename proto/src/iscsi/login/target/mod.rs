//! The target's login.
//!
//! ```text
//!   Start        -- first keys, CSG=0         -->  Chap, or Open where no proof is demanded
//!   Start        -- first keys, CSG=1         -->  Operational, where no proof is demanded
//!   Chap         -- the initiator's keys      -->  Chap, or Open when all is proved
//!   Open         -- T=1, NSG=1                -->  Operational      (T=0, or held: stays)
//!   Open         -- T=1, NSG=3                -->  Deciding
//!   Operational  -- T=1                       -->  Deciding         (T=0, or held: stays)
//!   Deciding     -- accept                    -->  Done
//!   any          -- mistake, reject, redirect -->  Closing
//! ```
//! One request is answered by one response. The shell decides in `Deciding`: it tears an old session
//! of the same initiator port down first (RFC 7143 section 6.3.5). In `Closing` and `Done` one last
//! response is to be sent.

mod begin;
mod check;
mod config;
mod receive;
mod security;

use alloc::boxed::Box;

pub use config::{Applicant, Pace, TargetLoginConfig, TargetLoginOutcome};

use super::parts::Outgoing;
use super::{Directory, LOGIN_PART_LEN_MAX, LoginError, keys};
use crate::iscsi::chap::ChapTarget;
use crate::iscsi::negotiate::{Negotiation, SessionParams};
use crate::iscsi::pdu::{Bhs, LoginFlags, LoginRequest, LoginResponse, LoginStatus, Stage};
use crate::iscsi::text::{Collector, TextOut};
use crate::serial::Serial;

/// The machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Login {
    config: TargetLoginConfig,
    state: State,
    /// The stage of the request that is answered.
    stage: Stage,
    first: Option<LoginRequest>,
    applicant: Option<Applicant>,
    outgoing: Outgoing,
    incoming: Collector,
    /// Where the response on its way out agrees to go.
    agreed: Option<Stage>,
    /// Where the request that is answered wants to go.
    wish: Option<Stage>,
    held: u32,
    rounds: u32,
    stat_sn: Serial,
    /// From the first keys on, which tell the target and so its alias.
    negotiation: Option<Negotiation>,
    has_proposed: bool,
    declared: keys::Declared,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum State {
    Start,
    Chap(Box<ChapTarget>),
    Open,
    Operational,
    Deciding { text: TextOut, params: Box<SessionParams> },
    Done(Box<TargetLoginOutcome>),
    Closing(LoginStatus),
}

/// Where a login stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetLoginState<'a> {
    /// On its way, in this stage.
    Negotiating(Stage),
    /// Everything is agreed: [`Login::accept`] or [`Login::reject`].
    Deciding(&'a Applicant),
    /// Send what is to be sent; full-feature phase begins.
    Done(&'a TargetLoginOutcome),
    /// Send what is to be sent and close the connection.
    Closing(LoginStatus),
}

impl Login {
    /// Waits for the first request.
    pub fn new(config: TargetLoginConfig) -> Login {
        Login {
            state: State::Start,
            stage: Stage::Security,
            first: None,
            applicant: None,
            outgoing: Outgoing::new(config.pace.part_len.min(LOGIN_PART_LEN_MAX)),
            incoming: Collector::for_negotiation(),
            agreed: None,
            wish: None,
            held: 0,
            rounds: 0,
            stat_sn: config.stat_sn,
            negotiation: None,
            has_proposed: false,
            declared: keys::Declared::default(),
            config,
        }
    }

    /// Where the login stands.
    pub fn state(&self) -> TargetLoginState<'_> {
        match &self.state {
            State::Deciding { .. } => TargetLoginState::Deciding(self.applicant()),
            State::Done(outcome) => TargetLoginState::Done(outcome),
            State::Closing(status) => TargetLoginState::Closing(*status),
            _ => TargetLoginState::Negotiating(self.stage),
        }
    }

    /// The next response: header and data segment.
    pub fn poll_transmit(&mut self) -> Option<(Bhs, &[u8])> {
        if !self.outgoing.is_due() {
            return None;
        }
        let is_last = self.outgoing.is_last();
        let next = self.agreed.filter(|_| is_last);
        let flags = LoginFlags { current: self.stage, next, is_continued: !is_last };
        let response = self.response(flags);
        if next == Some(Stage::Operational) {
            self.stage = Stage::Operational;
        }
        let part = self.outgoing.next_part()?;
        Some((LoginResponse { data_len: part.bytes.len() as u32, ..response }.encode(), part.bytes))
    }

    /// A PDU of the initiator, judged by what the directory says.
    ///
    /// # Errors
    /// What the initiator did wrong. The machine is `Closing` and has a last response, which tells
    /// the initiator by its status.
    pub fn handle(
        &mut self,
        bhs: &Bhs,
        data: &[u8],
        directory: &Directory,
    ) -> Result<(), LoginError> {
        let result = self.receive(bhs, data, directory);
        if let Err(error) = &result {
            self.close(check::status_of(error), TextOut::new());
        }
        result
    }

    /// Lets the applicant in, as session `tsih`.
    ///
    /// # Panics
    /// When nothing is to be decided, or `tsih` is 0.
    pub fn accept(&mut self, tsih: u16) {
        assert!(tsih != 0, "the last response names the session");
        let State::Deciding { text, params } = self.state.clone() else {
            panic!("nothing is to be decided")
        };
        let outcome = TargetLoginOutcome {
            applicant: self.applicant().clone(),
            tsih,
            params: *params,
            exp_cmd_sn: self.exp_cmd_sn(),
            max_cmd_sn: self.max_cmd_sn(),
            stat_sn: self.stat_sn.next(),
        };
        self.state = State::Done(Box::new(outcome));
        self.answer(text, Some(Stage::FullFeature));
    }

    /// Turns the applicant away: `SessionDoesNotExist`, `TooManyConnections`, `OutOfResources`...
    ///
    /// # Panics
    /// When nothing is to be decided.
    pub fn reject(&mut self, status: LoginStatus) {
        assert!(matches!(self.state, State::Deciding { .. }), "nothing is to be decided");
        self.close(status, TextOut::new());
    }

    fn negotiation(&mut self) -> &mut Negotiation {
        self.negotiation.as_mut().expect("the first keys began the negotiation")
    }

    fn applicant(&self) -> &Applicant {
        self.applicant.as_ref().expect("the first keys named the applicant")
    }
}

#[cfg(test)]
impl Login {
    /// The state by name, for tables.
    pub(super) fn state_name(&self) -> alloc::string::String {
        alloc::format!("{:?}", self.state)
    }
}
