//! The target's SecurityNegotiation stage (RFC 7143 sections 6.3.2 and 12.1).

use alloc::boxed::Box;

use super::{Login, State};
use crate::iscsi::chap::{ChapKeys, ChapTarget};
use crate::iscsi::login::{Authentication, ChapTerms, LoginError, keys};
use crate::iscsi::pdu::Stage;
use crate::iscsi::text::{Pair, TextOut, items};

impl Login {
    /// The initiator's list against the terms: there is one answer that is right.
    pub(super) fn method(
        &mut self,
        pairs: &[Pair],
        mut text: TextOut,
        terms: &Authentication,
    ) -> Result<(), LoginError> {
        let offered = keys::get(pairs, "AuthMethod");
        let has = |method| items(offered.unwrap_or("None")).any(|item| item == method);
        match terms {
            Authentication::None if has("None") => {
                if offered.is_some() {
                    text.push("AuthMethod", "None");
                }
                self.state = State::Open;
                self.leave_security(text)
            }
            Authentication::Chap(terms) if has("CHAP") => {
                text.push("AuthMethod", "CHAP");
                self.begin_chap(&keys::chap(pairs), text, terms)
            }
            _ => Err(LoginError::NoAuthMethod),
        }
    }

    /// Some initiators send their list of algorithms along with the method.
    fn begin_chap(
        &mut self,
        chap_keys: &ChapKeys<'_>,
        mut text: TextOut,
        terms: &ChapTerms,
    ) -> Result<(), LoginError> {
        let (peer, own) = (terms.peer.clone(), terms.own.clone());
        let challenge = self.config.challenge.clone();
        let mut chap = ChapTarget::new(peer, own, &terms.algorithms, challenge)?;
        if !chap_keys.is_empty() {
            keys::push_all(&mut text, &chap.handle(chap_keys)?);
        }
        self.state = State::Chap(Box::new(chap));
        self.answer(text, None);
        Ok(())
    }

    pub(super) fn chap(&mut self, pairs: &[Pair], mut text: TextOut) -> Result<(), LoginError> {
        let State::Chap(chap) = &mut self.state else { unreachable!("CHAP is going on") };
        keys::push_all(&mut text, &chap.handle(&keys::chap(pairs))?);
        if chap.is_done() {
            self.state = State::Open;
            return self.leave_security(text);
        }
        self.answer(text, None);
        Ok(())
    }

    /// Nothing is left to be proved.
    pub(super) fn leave_security(&mut self, text: TextOut) -> Result<(), LoginError> {
        match self.grant(&text) {
            Some(Stage::Operational) => {
                self.state = State::Operational;
                self.answer(text, Some(Stage::Operational));
            }
            Some(_) => return self.decide(text),
            None => self.answer(text, None),
        }
        Ok(())
    }

    /// The operational stage. Our own offers go out with the first answers, and are waited for once:
    /// an initiator that does not answer has the defaults.
    pub(super) fn operational(&mut self, mut text: TextOut) -> Result<(), LoginError> {
        let has_proposed = core::mem::replace(&mut self.has_proposed, true);
        let negotiation = self.negotiation();
        negotiation.propose(&mut text);
        let may_go_on = has_proposed || negotiation.is_settled();
        if may_go_on && self.grant(&text).is_some() {
            return self.decide(text);
        }
        self.answer(text, None);
        Ok(())
    }

    /// Everything is agreed; what it comes to is known before anybody decides.
    fn decide(&mut self, text: TextOut) -> Result<(), LoginError> {
        let params = Box::new(self.negotiation().finish()?);
        self.state = State::Deciding { text, params };
        Ok(())
    }
}
