//! Heads of replies, written into a few bytes on the stack (NBD, 'Structured reply types').
//!
//! Once structured replies are negotiated, every reply is made of chunks: a client that reads finds
//! the end of each without knowing what it asked for.

use zerocopy::IntoBytes;

use super::session::Session;
use crate::nbd::Headers;
use crate::nbd::chunk::{
    ChunkKind, DATA_HEAD_LEN, DataHead, ERROR_HEAD_LEN, ErrorHead, HOLE_BODY_LEN, HoleBody,
};
use crate::nbd::errno::NbdErrno;
use crate::nbd::flags::ReplyFlags;
use crate::nbd::limits::TEXT_LEN_MAX;
use crate::nbd::reply::{ChunkHead, EXTENDED_LEN, SimpleReply};
use crate::nbd::request::Request;

/// The longest head: an extended chunk with an error at an offset.
const HEAD_LEN_MAX: usize = 48;

const _: () = assert!(EXTENDED_LEN + ERROR_HEAD_LEN + size_of::<u64>() <= HEAD_LEN_MAX);
const _: () = assert!(EXTENDED_LEN + HOLE_BODY_LEN <= HEAD_LEN_MAX);

/// The first bytes of a reply or of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReplyHead {
    bytes: [u8; HEAD_LEN_MAX],
    len: u8,
}

impl ReplyHead {
    #[inline]
    fn new(bytes: &[u8]) -> ReplyHead {
        ReplyHead { bytes: [0; HEAD_LEN_MAX], len: 0 }.with(bytes)
    }

    #[inline]
    fn with(mut self, more: &[u8]) -> ReplyHead {
        let start = usize::from(self.len);
        let end = start + more.len();
        self.bytes[start..end].copy_from_slice(more);
        self.len = end as u8;
        self
    }

    /// The bytes.
    #[must_use]
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// What of a request its replies repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReplyTo {
    /// The client's name for the request.
    pub cookie: u64,
    /// The offset of the request.
    pub offset: u64,
}

impl From<&Request> for ReplyTo {
    #[inline]
    fn from(request: &Request) -> ReplyTo {
        ReplyTo { cookie: request.cookie, offset: request.offset }
    }
}

impl Session {
    /// The request is done: the whole reply, or its last chunk after others.
    #[must_use]
    #[inline]
    pub fn done(&self, to: ReplyTo) -> ReplyHead {
        match self.headers {
            Headers::Simple => {
                ReplyHead::new(&SimpleReply { error: None, cookie: to.cookie }.encode())
            }
            Headers::Structured | Headers::Extended => self.chunk(to, ChunkKind::None, 0, true),
        }
    }

    /// Data of a read, which follows: `len` bytes, never 0, from `offset` of the export. A simple
    /// reply is one piece, so that it is the last. An error after this head can be told only if it is
    /// not the last.
    #[must_use]
    #[inline]
    pub fn data(&self, to: ReplyTo, offset: u64, len: u32, is_last: bool) -> ReplyHead {
        if self.headers == Headers::Simple {
            assert!(is_last, "a simple reply has one piece");
            return ReplyHead::new(&SimpleReply { error: None, cookie: to.cookie }.encode());
        }
        let payload_len = DATA_HEAD_LEN as u64 + u64::from(len);
        let head = self.chunk(to, ChunkKind::OffsetData, payload_len, is_last);
        head.with(DataHead { offset: offset.into() }.as_bytes())
    }

    /// Zeroes of a read, which do not follow. Not in simple replies, nor in answer to an unfragmented
    /// read that has data too.
    #[must_use]
    #[inline]
    pub fn hole(&self, to: ReplyTo, offset: u64, len: u32, is_last: bool) -> ReplyHead {
        assert!(len > 0, "a hole has a length");
        let head = self.chunk(to, ChunkKind::OffsetHole, HOLE_BODY_LEN as u64, is_last);
        head.with(HoleBody { offset: offset.into(), len: len.into() }.as_bytes())
    }

    /// The request failed: the last chunk, and the message that follows, which is empty in a simple
    /// reply.
    #[must_use]
    #[inline]
    pub fn error<'a>(
        &self,
        to: ReplyTo,
        errno: NbdErrno,
        message: &'a str,
    ) -> (ReplyHead, &'a [u8]) {
        if self.headers == Headers::Simple {
            let reply = SimpleReply { error: Some(errno), cookie: to.cookie };
            return (ReplyHead::new(&reply.encode()), &[]);
        }
        let message = message.as_bytes();
        assert!(message.len() <= TEXT_LEN_MAX, "a message is a text");
        let payload_len = (ERROR_HEAD_LEN + message.len()) as u64;
        let head = self.chunk(to, ChunkKind::Error, payload_len, true);
        let message_len = (message.len() as u16).into();
        (head.with(ErrorHead { errno: errno.code().into(), message_len }.as_bytes()), message)
    }

    /// The request failed at a byte of its range, the last chunk after others. What was sent before
    /// that byte is right. Not in simple replies.
    #[must_use]
    #[inline]
    pub fn error_at(&self, to: ReplyTo, errno: NbdErrno, at: u64) -> ReplyHead {
        let payload_len = (ERROR_HEAD_LEN + size_of::<u64>()) as u64;
        let head = self.chunk(to, ChunkKind::ErrorOffset, payload_len, true);
        let error = ErrorHead { errno: errno.code().into(), message_len: 0.into() };
        head.with(error.as_bytes()).with(&at.to_be_bytes())
    }

    /// The head of a chunk, without fields of its payload.
    #[inline]
    pub(super) fn chunk(&self, to: ReplyTo, kind: ChunkKind, len: u64, is_last: bool) -> ReplyHead {
        let flags = ReplyFlags::DONE.only_if(is_last);
        let ReplyTo { cookie, offset } = to;
        let head = ChunkHead { flags, kind, cookie, offset, len };
        match self.headers {
            Headers::Simple => panic!("chunks were not negotiated"),
            Headers::Structured => ReplyHead::new(&head.encode_structured()),
            Headers::Extended => ReplyHead::new(&head.encode_extended()),
        }
    }
}
