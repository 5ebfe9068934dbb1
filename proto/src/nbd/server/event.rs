//! What a handshake wants of its shell, and what it ends with.

use alloc::boxed::Box;
use alloc::string::String;

use super::config::ExportInfo;
use crate::nbd::Headers;
use crate::nbd::context::ClientId;
use crate::nbd::option::OptError;

/// For what a client names an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wanted {
    /// To be told about it.
    Info,
    /// To use it.
    Go,
    /// To use it, without a way to be told why not.
    ExportName,
    /// To be told about its metadata contexts, or to select some.
    Contexts,
}

impl Wanted {
    /// True where the transmission begins if the answer is yes.
    #[must_use]
    pub fn begins(self) -> bool {
        matches!(self, Wanted::Go | Wanted::ExportName)
    }
}

/// Why an export is not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// There is no such export.
    Unknown,
    /// The server does not want this client there.
    Policy,
    /// The export is for clients under TLS.
    TlsRequired,
    /// The client must ask for the block sizes.
    BlockSizeRequired,
    /// The server is going away.
    Shutdown,
    /// The device cannot be used.
    Platform,
    /// The export has too many clients.
    TooMany,
}

impl Refusal {
    /// The error on the wire.
    #[must_use]
    pub fn error(self) -> OptError {
        match self {
            Refusal::Unknown => OptError::UnknownExport,
            Refusal::Policy | Refusal::TooMany => OptError::Policy,
            Refusal::TlsRequired => OptError::TlsRequired,
            Refusal::BlockSizeRequired => OptError::BlockSizeRequired,
            Refusal::Shutdown => OptError::Shutdown,
            Refusal::Platform => OptError::Platform,
        }
    }

    /// What a person at the client reads.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Refusal::Unknown => "no such export; ask for the list",
            Refusal::Policy => "this client may not use the export",
            Refusal::TlsRequired => "this export is served under TLS only",
            Refusal::BlockSizeRequired => "ask for the block sizes to use this export",
            Refusal::Shutdown => "the server is shutting down",
            Refusal::Platform => "the device of this export cannot be used",
            Refusal::TooMany => "the export has as many clients as it takes",
        }
    }
}

/// What both sides agreed on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Negotiated {
    /// The name by which the client opened the export.
    pub export: String,
    /// The export, with the flags that the client was told.
    pub info: ExportInfo,
    /// How requests and replies look.
    pub headers: Headers,
    /// True where the client selected `base:allocation`.
    pub has_allocation: bool,
    /// True under TLS.
    pub is_tls: bool,
}

/// What the shell must do. No bytes are taken while an event waits for its answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HandshakeEvent {
    /// The client wants the names: answer with `list`.
    List,
    /// The client names an export: answer with `opened` or `refused`.
    Open {
        /// The name; empty for the default export.
        name: String,
        /// What for.
        wanted: Wanted,
        /// The client that asks that nothing of its earlier connections goes on: answer when that
        /// is so.
        client: Option<ClientId>,
    },
    /// Send the output, run TLS on the connection, then call `tls_started`.
    StartTls,
    /// Send the output; the transmission has begun. Bytes that were not taken are requests.
    Begin(Box<Negotiated>),
    /// The client leaves: send the output and close.
    Abort,
    /// The client cannot be told why not: close.
    HangUp,
}
