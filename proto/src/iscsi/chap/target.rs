//! The target's side of CHAP.
//!
//! ```text
//!   Waiting     -- CHAP_A                          -->  Challenged
//!   Challenged  -- CHAP_N CHAP_R                   -->  Done   (one-way)
//!   Challenged  -- CHAP_N CHAP_R CHAP_I CHAP_C     -->  Done   (mutual: CHAP_N CHAP_R go out)
//! ```
//! The target's own proof goes out only after the initiator's was right (RFC 7143 section 9.2.1).

use alloc::string::ToString;
use alloc::vec::Vec;

use super::keys::need;
use super::secret::check_distinct;
use super::value::{binary, equal_in_constant_time, small_number};
use super::{Algorithm, Challenge, ChapError, ChapKeys, Credentials, KeyValue, Peer, Secret};
use crate::iscsi::text::encode_hex;

/// The machine. It is fed the initiator's keys and says what to answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ChapTarget {
    peer: Peer,
    own: Option<Credentials>,
    algorithms: Vec<Algorithm>,
    challenge: Challenge,
    state: State,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum State {
    Waiting,
    Challenged(Algorithm),
    Done,
    Failed,
}

impl ChapTarget {
    /// Demands `peer` of the initiator; with `own`, proves itself when it is asked to. Of the
    /// initiator's list the first algorithm is taken that is in `algorithms`.
    ///
    /// # Errors
    /// `EqualSecrets`, `BadOwnName` and `NoAlgorithms`.
    pub fn new(
        peer: Peer,
        own: Option<Credentials>,
        algorithms: &[Algorithm],
        challenge: Challenge,
    ) -> Result<ChapTarget, ChapError> {
        if let Some(own) = &own {
            own.check_name()?;
            check_distinct(&own.secret, &peer.secret)?;
        }
        if algorithms.is_empty() {
            return Err(ChapError::NoAlgorithms);
        }
        let algorithms = algorithms.to_vec();
        Ok(ChapTarget { peer, own, algorithms, challenge, state: State::Waiting })
    }

    /// True when the initiator has proved itself.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// The initiator's next message; returns what to answer, which may be nothing after the last.
    ///
    /// # Errors
    /// The initiator's mistakes and failed proofs: close the connection.
    ///
    /// # Panics
    /// When it is called again after an error.
    pub fn handle(&mut self, keys: &ChapKeys<'_>) -> Result<Vec<KeyValue>, ChapError> {
        let (answer, next) = match core::mem::replace(&mut self.state, State::Failed) {
            State::Waiting => self.challenge(keys)?,
            State::Challenged(algorithm) => (self.verify(keys, algorithm)?, State::Done),
            State::Done => (keys.only(&[]).map(|()| Vec::new())?, State::Done),
            State::Failed => panic!("a failed authentication is not continued"),
        };
        self.state = next;
        Ok(answer)
    }

    fn challenge(&self, keys: &ChapKeys<'_>) -> Result<(Vec<KeyValue>, State), ChapError> {
        keys.only(&["CHAP_A"])?;
        let algorithm = self.choose(need("CHAP_A", keys.a)?)?;
        let answer = Vec::from([
            ("CHAP_A", algorithm.number().to_string()),
            ("CHAP_I", self.challenge.id.to_string()),
            ("CHAP_C", encode_hex(self.challenge.bytes(algorithm))),
        ]);
        Ok((answer, State::Challenged(algorithm)))
    }

    /// The list is in the initiator's order of preference; numbers nobody knows are passed over.
    fn choose(&self, list: &str) -> Result<Algorithm, ChapError> {
        let known = |text| small_number("CHAP_A", text).ok().and_then(Algorithm::from_number);
        let mut offered = list.split(',').filter_map(known);
        offered.find(|a| self.algorithms.contains(a)).ok_or(ChapError::NoCommonAlgorithm)
    }

    fn verify(
        &self,
        keys: &ChapKeys<'_>,
        algorithm: Algorithm,
    ) -> Result<Vec<KeyValue>, ChapError> {
        keys.only(&["CHAP_N", "CHAP_R", "CHAP_I", "CHAP_C"])?;
        let name = need("CHAP_N", keys.n)?;
        let response = binary("CHAP_R", need("CHAP_R", keys.r)?)?;
        let proof = self.own_proof(keys, algorithm)?;
        let challenge = self.challenge.bytes(algorithm);
        let answer = |secret: &Secret| secret.response(algorithm, self.challenge.id, challenge);
        let own = self.own.as_ref().map(|own| answer(&own.secret));
        if own.is_some_and(|own| equal_in_constant_time(&own, &response)) {
            return Err(ChapError::ReflectedResponse);
        }
        self.peer.check(name, &response, &answer(&self.peer.secret))?;
        Ok(proof)
    }

    /// The answer to the initiator's challenge, where it sent one.
    fn own_proof(
        &self,
        keys: &ChapKeys<'_>,
        algorithm: Algorithm,
    ) -> Result<Vec<KeyValue>, ChapError> {
        if keys.i.is_none() && keys.c.is_none() {
            return Ok(Vec::new());
        }
        let id = small_number("CHAP_I", need("CHAP_I", keys.i)?)?;
        let challenge = binary("CHAP_C", need("CHAP_C", keys.c)?)?;
        if challenge == self.challenge.bytes(algorithm) {
            return Err(ChapError::ReusedChallenge);
        }
        let own = self.own.as_ref().ok_or(ChapError::MutualNotConfigured)?;
        let response = own.secret.response(algorithm, id, &challenge);
        Ok(Vec::from([("CHAP_N", own.name.clone()), ("CHAP_R", encode_hex(&response))]))
    }
}
