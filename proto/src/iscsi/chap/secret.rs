//! Secrets: never printed, wiped when dropped, refused when shorter than 96 bits (RFC 7143
//! section 9.2.1).
//!
//! Wiping is as good as safe code gets: the bytes are overwritten and the compiler is told that
//! someone looks at them. What a hash function keeps on the stack is beyond its reach.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::hint::black_box;

use super::value::equal_in_constant_time;
use super::{Algorithm, ChapError};
use crate::iscsi::text::VALUE_LEN_MAX;

/// The shortest secret in bytes: 96 bits.
pub const SECRET_LEN_MIN: usize = 12;
/// The longest secret in bytes.
pub const SECRET_LEN_MAX: usize = 256;

/// A secret that two sides share.
#[derive(Clone)]
pub struct Secret {
    bytes: Vec<u8>,
}

impl Secret {
    /// Takes the bytes as they are; text is not decoded.
    ///
    /// # Errors
    /// `SecretTooShort` and `SecretTooLong`, which tell the length alone.
    pub fn new(bytes: &[u8]) -> Result<Secret, ChapError> {
        match bytes.len() {
            len @ ..SECRET_LEN_MIN => Err(ChapError::SecretTooShort { len }),
            SECRET_LEN_MIN..=SECRET_LEN_MAX => Ok(Secret { bytes: bytes.to_vec() }),
            len => Err(ChapError::SecretTooLong { len }),
        }
    }

    /// The proof that this secret is known: the response to a challenge.
    pub(super) fn response(&self, algorithm: Algorithm, id: u8, challenge: &[u8]) -> Vec<u8> {
        algorithm.hash(id, &self.bytes, challenge)
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.bytes.fill(0);
        black_box(&self.bytes);
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Secret) -> bool {
        equal_in_constant_time(&self.bytes, &other.bytes)
    }
}

impl Eq for Secret {}

/// The hash of a machine is printed by simulations: nothing of the secret goes into it.
impl Hash for Secret {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// What a side proves itself with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Credentials {
    /// CHAP_N; often, but not necessarily, the iSCSI name.
    pub name: String,
    /// What the peer knows as well.
    pub secret: Secret,
}

impl Credentials {
    /// A name that no text can carry is a mistake of the configuration.
    pub(super) fn check_name(&self) -> Result<(), ChapError> {
        let is_legal = (1..=VALUE_LEN_MAX).contains(&self.name.len()) && !self.name.contains('\0');
        if is_legal { Ok(()) } else { Err(ChapError::BadOwnName) }
    }
}

/// What is demanded of the peer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Peer {
    /// The CHAP_N it must send; `None` accepts any, for the secret alone is the proof.
    pub name: Option<String>,
    /// What it must know.
    pub secret: Secret,
}

impl Peer {
    /// Compares the peer's proof with the right one. A wrong name is told from a wrong response here
    /// alone: the peer hears the same of both.
    pub(super) fn check(&self, name: &str, got: &[u8], right: &[u8]) -> Result<(), ChapError> {
        let is_right = equal_in_constant_time(got, right);
        if self.name.as_deref().is_some_and(|expected| expected != name) {
            return Err(ChapError::WrongName);
        }
        if is_right { Ok(()) } else { Err(ChapError::WrongResponse) }
    }
}

/// Refuses one secret for both directions: whoever can ask the one side could then answer for the
/// other (RFC 7143 section 9.2.1).
pub(super) fn check_distinct(one: &Secret, other: &Secret) -> Result<(), ChapError> {
    if one == other { Err(ChapError::EqualSecrets) } else { Ok(()) }
}
