//! CHAP (RFC 1994) as iSCSI uses it (RFC 7143 sections 9.2.1 and 12.1.3): one side proves that it
//! knows a secret, and with mutual CHAP the other side does so too.
//!
//! Invariants: a secret has at least 96 bits and is never printed; the two directions have different
//! secrets and different challenges; the target reveals nothing before the initiator has proved
//! itself; responses are compared in constant time. The machines speak in keys and values: the login
//! machines carry them. Randomness is an argument ([`Challenge`]).

mod algorithm;
mod challenge;
mod error;
mod initiator;
mod keys;
mod secret;
mod target;
mod value;

pub use algorithm::{Algorithm, DEFAULT_ALGORITHMS};
pub use challenge::{CHALLENGE_LEN_MAX, Challenge};
pub use error::ChapError;
pub use initiator::ChapInitiator;
pub use keys::{ChapKeys, KEYS, KeyValue};
pub use secret::{Credentials, Peer, SECRET_LEN_MAX, SECRET_LEN_MIN, Secret};
pub use target::ChapTarget;

#[cfg(test)]
mod tests;
