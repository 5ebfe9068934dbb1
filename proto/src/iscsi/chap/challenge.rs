//! The challenge that this side sends: an identifier and random bytes, drawn by the shell for each
//! login anew.

use super::Algorithm;

/// The longest challenge or response in bytes that a peer may send (RFC 7143 section 12.1.3).
pub const CHALLENGE_LEN_MAX: usize = 1024;

/// Random bytes for one challenge. As many of them are sent as the algorithm's response has bytes.
///
/// Never use one twice: a listener who knows the response could answer for the peer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Challenge {
    /// The identifier that goes into the hash (CHAP_I).
    pub id: u8,
    /// From a generator whose output cannot be foreseen.
    pub random: [u8; 32],
}

impl Challenge {
    /// The bytes of CHAP_C.
    pub(super) fn bytes(&self, algorithm: Algorithm) -> &[u8] {
        &self.random[..algorithm.digest_len()]
    }
}
