//! One request in, one response out.

use super::{Login, State, check};
use crate::iscsi::login::{Directory, LOGIN_ROUNDS_MAX, LoginError, Mismatch};
use crate::iscsi::pdu::{Bhs, LoginFlags, LoginRequest, LoginResponse, LoginStatus, Stage};
use crate::iscsi::text::{Pair, TextOut};
use crate::serial::Serial;

impl Login {
    pub(super) fn receive(
        &mut self,
        bhs: &Bhs,
        data: &[u8],
        directory: &Directory,
    ) -> Result<(), LoginError> {
        let is_first = self.first.is_none();
        let first = *self.first.get_or_insert_with(|| check::without_flags(bhs));
        let is_over =
            matches!(self.state, State::Deciding { .. } | State::Done(_) | State::Closing(_));
        if is_over || self.outgoing.is_due() {
            return Err(LoginError::OutOfTurn);
        }
        let request = check::request(bhs, data)?;
        check::same_login(&first, &request)?;
        if request.version_min > 0 {
            return Err(LoginError::Refused(LoginStatus::UnsupportedVersion));
        }
        self.enter_stage(&request.flags, is_first)?;
        self.count_round(data.is_empty() || !request.flags.is_continued)?;
        self.wish = request.flags.next;
        if !self.outgoing.is_all_sent() {
            return self.next_part(&request, data);
        }
        match self.incoming.take(data, request.flags.is_continued)? {
            Some(pairs) => self.step(&pairs, directory),
            None => {
                self.answer(TextOut::new(), None);
                Ok(())
            }
        }
    }

    /// The first request begins in either stage; from there both sides move together.
    fn enter_stage(&mut self, flags: &LoginFlags, is_first: bool) -> Result<(), LoginError> {
        if is_first {
            self.stage = flags.current;
        }
        if flags.current == self.stage {
            Ok(())
        } else {
            Err(LoginError::Mismatch(Mismatch::Stage))
        }
    }

    /// Parts do not count as rounds, for the length of texts is limited by itself.
    fn count_round(&mut self, is_round: bool) -> Result<(), LoginError> {
        self.rounds += u32::from(is_round && self.outgoing.is_all_sent());
        if self.rounds > LOGIN_ROUNDS_MAX { Err(LoginError::TooManyRounds) } else { Ok(()) }
    }

    fn next_part(&mut self, request: &LoginRequest, data: &[u8]) -> Result<(), LoginError> {
        if !data.is_empty() || request.flags.is_continued {
            return Err(LoginError::TextInsteadOfEmpty);
        }
        self.outgoing.resume();
        Ok(())
    }

    /// A whole text of the initiator. Answers to what it offers are due in any stage.
    fn step(&mut self, pairs: &[Pair], directory: &Directory) -> Result<(), LoginError> {
        let pairs = &self.declared.fresh(pairs);
        if matches!(self.state, State::Start) {
            return self.begin(pairs, directory);
        }
        let mut text = TextOut::new();
        self.negotiation().handle(pairs, &mut text)?;
        match &self.state {
            State::Chap(_) => self.chap(pairs, text),
            State::Open => self.leave_security(text),
            _ => self.operational(text),
        }
    }

    /// Where the initiator may go after this text. Not on, where it has not asked; nor where the
    /// text takes several PDUs, for the last of them answers a request that does not ask.
    pub(super) fn grant(&mut self, text: &TextOut) -> Option<Stage> {
        let wish = self.wish.filter(|_| self.outgoing.fits(text))?;
        if self.held < self.config.pace.held_rounds {
            self.held += 1;
            return None;
        }
        self.held = 0;
        Some(wish)
    }

    pub(super) fn answer(&mut self, text: TextOut, agreed: Option<Stage>) {
        self.outgoing.put(text);
        self.agreed = agreed;
    }

    /// The last response says why. A login that is over stays as it is.
    pub(super) fn close(&mut self, status: LoginStatus, text: TextOut) {
        if !matches!(self.state, State::Done(_) | State::Closing(_)) {
            self.outgoing.replace(text);
            self.agreed = None;
            self.state = State::Closing(status);
        }
    }

    pub(super) fn response(&mut self, flags: LoginFlags) -> LoginResponse {
        let first = self.first.as_ref().expect("a response answers a request");
        let (tsih, status) = match &self.state {
            State::Done(outcome) => (outcome.tsih, LoginStatus::Success),
            State::Closing(status) => (first.tsih, *status),
            _ => (first.tsih, LoginStatus::Success),
        };
        LoginResponse {
            flags,
            version_max: 0,
            version_active: 0,
            data_len: 0,
            isid: first.isid,
            tsih,
            itt: first.itt,
            stat_sn: self.stat_sn.take(),
            exp_cmd_sn: self.exp_cmd_sn(),
            max_cmd_sn: self.max_cmd_sn(),
            status,
        }
    }

    /// A login does not take its CmdSN: the first command has it again.
    pub(super) fn exp_cmd_sn(&self) -> Serial {
        self.first.as_ref().expect("a response answers a request").cmd_sn
    }

    pub(super) fn max_cmd_sn(&self) -> Serial {
        self.exp_cmd_sn().plus(self.config.window).minus(1)
    }
}
