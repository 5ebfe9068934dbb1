//! The initiator's SecurityNegotiation stage (RFC 7143 sections 6.3.2 and 12.1).

use alloc::boxed::Box;

use super::{Login, Proof, State};
use crate::iscsi::chap::ChapInitiator;
use crate::iscsi::login::LoginError;
use crate::iscsi::login::keys;
use crate::iscsi::pdu::Stage;
use crate::iscsi::text::{Pair, TextOut, items};

/// The CHAP machine that the configuration asks for.
pub(super) fn chap(proof: &Proof) -> Result<Option<ChapInitiator>, LoginError> {
    let Proof::Chap { own, peer, algorithms } = proof else { return Ok(None) };
    Ok(Some(ChapInitiator::new(own.clone(), peer.clone(), algorithms)?))
}

impl Login {
    /// The first text: who we are, what we want, how we prove it. Where no proof is offered the
    /// stage may end at once.
    pub(super) fn introduce(&mut self) {
        let mut text = TextOut::new();
        self.negotiation.identify(&mut text);
        text.push("AuthMethod", self.config.proof.methods());
        let want = (self.config.proof == Proof::None).then_some(Stage::Operational);
        self.say(text, want);
    }

    /// The target has chosen. One that leaves out the answer, as some do, has chosen None.
    pub(super) fn method(
        &mut self,
        pairs: &[Pair],
        mut text: TextOut,
        is_transit: bool,
    ) -> Result<(), LoginError> {
        let chosen = keys::get(pairs, "AuthMethod").unwrap_or("None");
        let is_offered = items(self.config.proof.methods()).any(|method| method == chosen);
        match chosen {
            _ if !is_offered => Err(LoginError::NoAuthMethod),
            "None" => self.leave(text, is_transit),
            _ if is_transit => Err(LoginError::NotAuthenticated),
            _ => {
                let chap = chap(&self.config.proof)?.expect("CHAP was offered");
                keys::push_all(&mut text, &chap.offer());
                self.say(text, None);
                self.state = State::Chap(Box::new(chap));
                Ok(())
            }
        }
    }

    /// The target's challenge, or its proof. With our last proof we ask to go on.
    pub(super) fn chap(
        &mut self,
        mut chap: Box<ChapInitiator>,
        pairs: &[Pair],
        mut text: TextOut,
        is_transit: bool,
    ) -> Result<(), LoginError> {
        let answer = chap.handle(&keys::chap(pairs))?;
        let is_done = chap.is_done();
        if is_done && answer.is_empty() {
            return self.leave(text, is_transit);
        }
        if is_transit {
            return Err(LoginError::NotAuthenticated);
        }
        keys::push_all(&mut text, &answer);
        self.say(text, Some(Stage::Operational));
        self.state = if is_done { State::Leaving } else { State::Chap(chap) };
        Ok(())
    }

    /// Nothing is left to be proved: on to the operational keys, or ask again.
    pub(super) fn leave(&mut self, text: TextOut, is_transit: bool) -> Result<(), LoginError> {
        if is_transit {
            self.enter_operational(text);
        } else {
            self.say(text, Some(Stage::Operational));
            self.state = State::Leaving;
        }
        Ok(())
    }
}
