//! What a client holds against a server: why it did not let in, and how it broke the protocol.

use alloc::string::String;
use core::fmt;

use crate::nbd::option::OptError;

/// How the server broke the protocol of the transmission phase. The connection is closed for it, and
/// nothing that was out counts as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReplyFault {
    /// A reply that opens with no magic number that was negotiated.
    BadMagic,
    /// A reply to nothing that is out.
    UnknownCookie,
    /// A simple reply to a read, where structured replies were negotiated.
    SimpleRead,
    /// A chunk of a kind that does not exist.
    UnknownChunk,
    /// A chunk whose length does not fit its kind.
    BadLength,
    /// A chunk of no bytes that says it is not the last.
    NoneNotLast,
    /// An extended header that names another offset than the request did.
    ForeignOffset,
    /// Content or an error outside of what was asked for.
    OutOfRequest,
    /// Content that has come before.
    Overlap,
    /// Content of no bytes.
    EmptyContent,
    /// More pieces with gaps between them than anybody needs.
    TooManyPieces,
    /// Content of another kind than was asked for.
    ForeignContent,
    /// Block status in a context or a form that was not negotiated.
    ForeignContext,
    /// The end of a read of which bytes are missing.
    Missing,
    /// The end of a block status without one.
    NoStatus,
    /// An error without a number.
    NoErrno,
}

impl fmt::Display for ReplyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ReplyFault::BadMagic => "the server sent something that is no reply",
            ReplyFault::UnknownCookie => "the server replied to a request that nobody sent",
            ReplyFault::SimpleRead => "the server sent a simple reply to a structured read",
            ReplyFault::UnknownChunk => "the server sent a chunk of an unknown type",
            ReplyFault::BadLength => "the server sent a chunk of a wrong length",
            ReplyFault::NoneNotLast => "the server sent an empty chunk that is not the last",
            ReplyFault::ForeignOffset => "the server replied to another offset than was asked for",
            ReplyFault::OutOfRequest => "the server sent content outside of the request",
            ReplyFault::Overlap => "the server sent the same content twice",
            ReplyFault::EmptyContent => "the server sent content of no bytes",
            ReplyFault::TooManyPieces => "the server sent too many pieces with gaps between them",
            ReplyFault::ForeignContent => "the server sent content that was not asked for",
            ReplyFault::ForeignContext => "the server sent block status that was not negotiated",
            ReplyFault::Missing => "the server ended a read before all of it had come",
            ReplyFault::NoStatus => "the server ended a block status without one",
            ReplyFault::NoErrno => "the server sent an error without a number",
        })
    }
}

impl core::error::Error for ReplyFault {}

/// Why a handshake came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HandshakeFailure {
    /// What came first is no NBD server's greeting.
    NotNbd,
    /// The server speaks the oldstyle handshake, which cannot name exports.
    OldStyle,
    /// The server refuses to serve without TLS.
    TlsRequired,
    /// There is no export of that name.
    UnknownExport,
    /// The server refuses for another reason; what it says, printable.
    Refused {
        /// Why (NBD, 'Option reply types').
        why: OptError,
        /// What the server says.
        text: String,
    },
    /// The server broke the protocol; how.
    Broken(&'static str),
}

impl fmt::Display for HandshakeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HandshakeFailure::NotNbd => f.write_str("what answers there is no NBD server"),
            HandshakeFailure::OldStyle => {
                f.write_str("the server speaks the oldstyle handshake, which names no export")
            }
            HandshakeFailure::TlsRequired => f.write_str("the server insists on TLS"),
            HandshakeFailure::UnknownExport => f.write_str("the server has no such export"),
            HandshakeFailure::Refused { why, text } if text.is_empty() => {
                write!(f, "the server refuses ({why:?})")
            }
            HandshakeFailure::Refused { text, .. } => write!(f, "the server refuses: {text}"),
            HandshakeFailure::Broken(how) => write!(f, "the server broke the protocol: {how}"),
        }
    }
}

impl core::error::Error for HandshakeFailure {}
