//! Login of both sides (RFC 7143 sections 6.3, 11.12, 11.13), and the discovery of targets.
//!
//! Invariants: a login has at most `LOGIN_ROUNDS_MAX` rounds and texts of limited length; nothing a
//! peer sends makes a machine panic; an error ends the login.

mod address;
mod directory;
mod error;
mod parts;
mod remedy;

pub use address::{Host, PORT_DEFAULT, TargetAddress};
pub use directory::{Access, Authentication, ChapTerms, Directory, Presence, TargetEntry};
pub use error::{LoginError, Mismatch};
pub use remedy::remedy;

/// Rounds of a login: whole texts in either direction, and PDUs without text. Seven are enough for
/// mutual CHAP and all keys; a target that keeps T=0 for ever ends here.
pub const LOGIN_ROUNDS_MAX: u32 = 64;
