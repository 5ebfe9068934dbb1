//! Login of both sides (RFC 7143 sections 6.3, 11.12, 11.13), and the discovery of targets.
//!
//! Invariants: a login has at most `LOGIN_ROUNDS_MAX` rounds, and texts of limited length; nothing a
//! peer sends makes a machine panic; an error ends the login. Start with [`initiator::Login`] or
//! [`target::Login`].

mod address;
mod directory;
pub mod discovery;
mod error;
pub mod initiator;
mod keys;
mod parts;
mod redirect;
mod remedy;
pub mod target;
#[cfg(test)]
mod tests;

pub use address::{Host, PORT_DEFAULT, TargetAddress};
pub use directory::{Access, Authentication, ChapTerms, Directory, Presence, TargetEntry};
pub use error::{LoginError, Mismatch};
pub use redirect::{REDIRECTS_MAX, Redirect, RedirectTrail};
pub use remedy::remedy;

/// Rounds of a login: whole texts of the peer, and its PDUs without text. Seven are enough for mutual
/// CHAP and all keys; a target that keeps T=0 for ever ends here.
pub const LOGIN_ROUNDS_MAX: u32 = 64;
/// Bytes of text in one PDU of a login: what every peer takes before anything else was declared
/// (RFC 7143 section 13.12).
pub const LOGIN_PART_LEN_MAX: u32 = 8192;
