//! The server's side: a machine for the handshake, and the rules of the transmission.
//!
//! The shell moves bytes. In the handshake it feeds what arrives, sends what comes out and answers
//! events; then it parses and judges requests by a [`Session`], which also writes heads of replies.

mod answer;
mod config;
mod error;
mod event;
mod handshake;
mod head;
mod judge;
mod options;
mod session;
mod status;
#[cfg(test)]
mod tests;

pub use config::{ExportInfo, HandshakeConfig, TlsPolicy};
pub use error::{HandshakeError, SessionError};
pub use event::{HandshakeEvent, Negotiated, Refusal, Wanted};
pub use handshake::Handshake;
pub use head::{ReplyHead, ReplyTo};
pub use judge::{Operation, Verdict};
pub use session::Session;

/// The number of the context `base:allocation` in replies to `BLOCK_STATUS`.
pub const ALLOCATION_ID: u32 = 1;
