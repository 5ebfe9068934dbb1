//! The initiator's side of CHAP.
//!
//! ```text
//!   Offered    -- CHAP_A CHAP_I CHAP_C -->  Answered    (mutual: CHAP_I CHAP_C go out as well)
//!   Offered    -- CHAP_A CHAP_I CHAP_C -->  Done        (one-way)
//!   Answered   -- CHAP_N CHAP_R        -->  Done
//! ```

use alloc::string::ToString;
use alloc::vec::Vec;

use super::keys::need;
use super::secret::check_distinct;
use super::value::{binary, equal_in_constant_time, small_number};
use super::{Algorithm, Challenge, ChapError, ChapKeys, Credentials, KeyValue, Peer};
use crate::iscsi::text::encode_hex;

/// The machine. It is fed the target's keys and says what to answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ChapInitiator {
    own: Credentials,
    peer: Option<(Peer, Challenge)>,
    algorithms: Vec<Algorithm>,
    state: State,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum State {
    Offered,
    Answered { algorithm: Algorithm, sent: Vec<u8> },
    Done,
    Failed,
}

impl ChapInitiator {
    /// Proves `own` to the target; with `peer`, the target must prove itself too, by the response to
    /// the challenge. `algorithms` are offered in this order.
    ///
    /// # Errors
    /// `EqualSecrets`, `BadOwnName` and `NoAlgorithms`.
    pub fn new(
        own: Credentials,
        peer: Option<(Peer, Challenge)>,
        algorithms: &[Algorithm],
    ) -> Result<ChapInitiator, ChapError> {
        own.check_name()?;
        if let Some((peer, _)) = &peer {
            check_distinct(&own.secret, &peer.secret)?;
        }
        if algorithms.is_empty() {
            return Err(ChapError::NoAlgorithms);
        }
        Ok(ChapInitiator { own, peer, algorithms: algorithms.to_vec(), state: State::Offered })
    }

    /// The first message.
    pub fn offer(&self) -> Vec<KeyValue> {
        Vec::from([("CHAP_A", Algorithm::list_text(&self.algorithms))])
    }

    /// True when all is proved that is to be proved on this side.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// The target's next message; returns what to answer, nothing after the last.
    ///
    /// # Errors
    /// The target's mistakes and failed proofs.
    ///
    /// # Panics
    /// When it is called again after an error.
    pub fn handle(&mut self, keys: &ChapKeys<'_>) -> Result<Vec<KeyValue>, ChapError> {
        let (answer, next) = match core::mem::replace(&mut self.state, State::Failed) {
            State::Offered => self.answer(keys)?,
            State::Answered { algorithm, sent } => {
                self.verify(keys, algorithm, &sent)?;
                (Vec::new(), State::Done)
            }
            State::Done => (keys.only(&[]).map(|()| Vec::new())?, State::Done),
            State::Failed => panic!("a failed authentication is not continued"),
        };
        self.state = next;
        Ok(answer)
    }

    fn answer(&self, keys: &ChapKeys<'_>) -> Result<(Vec<KeyValue>, State), ChapError> {
        keys.only(&["CHAP_A", "CHAP_I", "CHAP_C"])?;
        let algorithm = self.chosen(need("CHAP_A", keys.a)?)?;
        let id = small_number("CHAP_I", need("CHAP_I", keys.i)?)?;
        let challenge = binary("CHAP_C", need("CHAP_C", keys.c)?)?;
        let sent = self.own.secret.response(algorithm, id, &challenge);
        let mut answer =
            Vec::from([("CHAP_N", self.own.name.clone()), ("CHAP_R", encode_hex(&sent))]);
        let Some((_, own)) = &self.peer else { return Ok((answer, State::Done)) };
        let bytes = own.bytes(algorithm);
        // The target cannot have foreseen ours: somebody drew the same bytes twice.
        if bytes == challenge {
            return Err(ChapError::ReusedChallenge);
        }
        answer.extend([("CHAP_I", own.id.to_string()), ("CHAP_C", encode_hex(bytes))]);
        Ok((answer, State::Answered { algorithm, sent }))
    }

    fn chosen(&self, text: &str) -> Result<Algorithm, ChapError> {
        let algorithm = Algorithm::from_number(small_number("CHAP_A", text)?);
        algorithm.filter(|a| self.algorithms.contains(a)).ok_or(ChapError::AlgorithmNotOffered)
    }

    /// The target's proof. A response that we sent, or would send to our own challenge, proves only
    /// that the target has heard us (RFC 7143 section 9.2.1).
    fn verify(
        &self,
        keys: &ChapKeys<'_>,
        algorithm: Algorithm,
        sent: &[u8],
    ) -> Result<(), ChapError> {
        keys.only(&["CHAP_N", "CHAP_R"])?;
        let (peer, own) = self.peer.as_ref().expect("only mutual CHAP waits for a proof");
        let name = need("CHAP_N", keys.n)?;
        let response = binary("CHAP_R", need("CHAP_R", keys.r)?)?;
        let challenge = own.bytes(algorithm);
        let reflected = self.own.secret.response(algorithm, own.id, challenge);
        if equal_in_constant_time(&response, sent) || equal_in_constant_time(&response, &reflected)
        {
            return Err(ChapError::ReflectedResponse);
        }
        peer.check(name, &response, &peer.secret.response(algorithm, own.id, challenge))
    }
}
