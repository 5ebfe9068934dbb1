//! The hash functions of CHAP by their IANA numbers (RFC 1994 section 3, RFC 7143 section 12.1.3, and
//! the registry "PPP Authentication Algorithms").
//!
//! Some peers number them otherwise (tgt calls SHA-1 number 7), so what is offered and in which
//! order is a list that each target may have for itself.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::Sha256;
use sha3::Sha3_256;

/// One hash function of CHAP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Algorithm {
    /// Number 5, 16 bytes: the one that every peer has.
    Md5 = 5,
    /// Number 6, 20 bytes.
    Sha1 = 6,
    /// Number 7, 32 bytes.
    Sha256 = 7,
    /// Number 8, 32 bytes.
    Sha3_256 = 8,
}

/// What is offered where nobody says otherwise: the strongest first.
pub const DEFAULT_ALGORITHMS: [Algorithm; 4] =
    [Algorithm::Sha3_256, Algorithm::Sha256, Algorithm::Sha1, Algorithm::Md5];

impl Algorithm {
    /// The algorithm with this IANA number.
    pub fn from_number(number: u8) -> Option<Algorithm> {
        DEFAULT_ALGORITHMS.into_iter().find(|algorithm| algorithm.number() == number)
    }

    /// The IANA number.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// Length of a response in bytes.
    pub fn digest_len(self) -> usize {
        match self {
            Algorithm::Md5 => 16,
            Algorithm::Sha1 => 20,
            Algorithm::Sha256 | Algorithm::Sha3_256 => 32,
        }
    }

    /// The response: the hash of identifier, secret and challenge, in this order (RFC 1994
    /// section 4.1).
    pub(super) fn hash(self, id: u8, secret: &[u8], challenge: &[u8]) -> Vec<u8> {
        let parts = [&[id], secret, challenge];
        match self {
            Algorithm::Md5 => hash_with::<Md5>(&parts),
            Algorithm::Sha1 => hash_with::<Sha1>(&parts),
            Algorithm::Sha256 => hash_with::<Sha256>(&parts),
            Algorithm::Sha3_256 => hash_with::<Sha3_256>(&parts),
        }
    }

    /// The value of CHAP_A that offers `list` in this order.
    pub(super) fn list_text(list: &[Algorithm]) -> String {
        let numbers: Vec<String> = list.iter().map(|a| a.number().to_string()).collect();
        numbers.join(",")
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Sha1 => "SHA1",
            Algorithm::Sha256 => "SHA-256",
            Algorithm::Sha3_256 => "SHA3-256",
        })
    }
}

fn hash_with<D: Digest>(parts: &[&[u8]]) -> Vec<u8> {
    let mut digest = D::new();
    parts.iter().for_each(|part| digest.update(part));
    digest.finalize().to_vec()
}
