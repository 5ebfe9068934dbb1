//! NBD after the protocol document of the NetworkBlockDevice project: the tables and the machines.
//!
//! Two phases: the handshake, in which options are haggled over, and the transmission, in which
//! requests get replies in any order. Numbers are big-endian. Payload never enters: machines speak of
//! offsets and lengths. Sections are cited as NBD, 'Section title'.

pub mod chunk;
pub mod client;
pub mod command;
pub mod context;
pub mod errno;
pub mod error;
pub mod extent;
pub mod flags;
pub mod greeting;
pub mod info;
pub mod limits;
pub mod listing;
pub mod magic;
pub mod option;
pub mod reply;
pub mod request;
pub mod server;

mod text;

pub use error::WireError;

/// How requests and replies look in the transmission phase, as negotiated.
///
/// Each stage includes what the one before it allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Headers {
    /// Compact requests, simple replies: a failed read cannot say where.
    Simple,
    /// Compact requests, replies in chunks (NBD, 'Structured reply chunk message').
    Structured,
    /// Requests and chunks with 64-bit lengths (NBD, 'Extended reply chunk message').
    Extended,
}

impl Headers {
    /// Bytes of a request without its payload.
    #[must_use]
    #[inline]
    pub fn request_len(self) -> usize {
        match self {
            Headers::Simple | Headers::Structured => request::COMPACT_LEN,
            Headers::Extended => request::EXTENDED_LEN,
        }
    }
}
