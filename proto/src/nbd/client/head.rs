//! The heads of replies, with the small bodies that follow them, as a client meets them.
//!
//! Payload of reads and lists of extents are not part of a head: they may be longer than what is
//! received at once. Everything else is looked at when all of it is there, so it has a limit.

use zerocopy::FromBytes;
use zerocopy::byteorder::big_endian::U64;

use super::error::ReplyFault;
use crate::nbd::Headers;
use crate::nbd::chunk::{ChunkKind, DataHead, ErrorHead, HoleBody, StatusExtHead, StatusHead};
use crate::nbd::command::Command;
use crate::nbd::errno::NbdErrno;
use crate::nbd::extent::{self, Extent};
use crate::nbd::flags::CommandFlags;
use crate::nbd::magic;
use crate::nbd::reply::{self, ChunkHead, SimpleReply};
use crate::nbd::request::{COMPACT_LEN, EXTENDED_LEN, Request};

/// The longest body that is looked at whole: an error with its text (NBD, 'Structured reply types';
/// strings are at most 4096 bytes).
pub const BODY_LEN_MAX: usize = 6 + 4096 + 8;

/// The bytes that open a request on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestHead {
    bytes: [u8; EXTENDED_LEN],
    len: usize,
}

impl RequestHead {
    /// The bytes to send.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// A request on the wire; with extended headers a write says that a payload follows (NBD, 'Command
/// flags', `NBD_CMD_FLAG_PAYLOAD_LEN`).
#[inline]
pub(super) fn encode(mut request: Request, headers: Headers) -> RequestHead {
    if headers == Headers::Extended {
        let carries = CommandFlags::PAYLOAD_LEN.only_if(request.command == Command::Write);
        request.flags = request.flags.with(carries);
        return RequestHead { bytes: request.encode_extended(), len: EXTENDED_LEN };
    }
    let mut head = RequestHead { bytes: [0; EXTENDED_LEN], len: COMPACT_LEN };
    head.bytes[..COMPACT_LEN].copy_from_slice(&request.encode_compact());
    head
}

/// A reply, or the chunk of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head<'a> {
    Simple { cookie: u64, error: Option<NbdErrno> },
    Chunk { cookie: u64, is_last: bool, offset: Option<u64>, body: Body<'a> },
}

/// What a chunk says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body<'a> {
    None,
    /// `len` bytes follow, for the device's `offset`.
    Data {
        offset: u64,
        len: u64,
    },
    Hole {
        offset: u64,
        len: u64,
    },
    /// `left` bytes of extents follow.
    Status {
        context: u32,
        left: u64,
        is_wide: bool,
    },
    Error {
        error: NbdErrno,
        text: &'a [u8],
        offset: Option<u64>,
    },
}

impl Head<'_> {
    #[inline]
    pub(super) fn cookie(&self) -> u64 {
        match self {
            Head::Simple { cookie, .. } | Head::Chunk { cookie, .. } => *cookie,
        }
    }
}

/// The reply at the front of `bytes` with the bytes it takes; nothing while not all of it is there.
#[inline]
pub(super) fn decode(
    bytes: &[u8],
    headers: Headers,
) -> Result<Option<(Head<'_>, usize)>, ReplyFault> {
    let Some(found) = bytes.first_chunk() else { return Ok(None) };
    let found = u32::from_be_bytes(*found);
    match headers {
        Headers::Simple | Headers::Structured if found == magic::SIMPLE_REPLY => Ok(simple(bytes)),
        Headers::Structured if found == magic::STRUCTURED_REPLY => structured(bytes),
        Headers::Extended if found == magic::EXTENDED_REPLY => extended(bytes),
        _ => Err(ReplyFault::BadMagic),
    }
}

#[inline]
fn simple(bytes: &[u8]) -> Option<(Head<'_>, usize)> {
    let wire = bytes.first_chunk()?;
    let reply = SimpleReply::decode(wire).expect("its magic number was seen");
    let SimpleReply { error, cookie } = reply;
    Some((Head::Simple { cookie, error }, reply::SIMPLE_LEN))
}

#[inline]
fn structured(bytes: &[u8]) -> Result<Option<(Head<'_>, usize)>, ReplyFault> {
    let Some((wire, rest)) = bytes.split_first_chunk() else { return Ok(None) };
    let head = ChunkHead::decode_structured(wire).expect("its magic number was seen");
    chunk(&head, None, rest).map(|found| found.map(|(head, n)| (head, reply::STRUCTURED_LEN + n)))
}

#[inline]
fn extended(bytes: &[u8]) -> Result<Option<(Head<'_>, usize)>, ReplyFault> {
    let Some((wire, rest)) = bytes.split_first_chunk() else { return Ok(None) };
    let head = ChunkHead::decode_extended(wire).expect("its magic number was seen");
    let offset = Some(head.offset);
    chunk(&head, offset, rest).map(|found| found.map(|(head, n)| (head, reply::EXTENDED_LEN + n)))
}

/// A chunk with the bytes that its body takes.
#[inline]
fn chunk<'a>(
    head: &ChunkHead,
    offset: Option<u64>,
    rest: &'a [u8],
) -> Result<Option<(Head<'a>, usize)>, ReplyFault> {
    let found = body(head, rest)?;
    let (cookie, is_last) = (head.cookie, head.is_done());
    Ok(found.map(|(body, used)| (Head::Chunk { cookie, is_last, offset, body }, used)))
}

type Found<'a> = Result<Option<(Body<'a>, usize)>, ReplyFault>;

/// What follows the head of a chunk, up to what may be long.
#[inline]
fn body<'a>(head: &ChunkHead, rest: &'a [u8]) -> Found<'a> {
    match head.kind {
        ChunkKind::None if head.len == 0 => Ok(Some((Body::None, 0))),
        ChunkKind::OffsetData if head.len > 8 => Ok(data(rest, head.len)),
        ChunkKind::OffsetHole if head.len == 12 => hole(rest),
        ChunkKind::BlockStatus => narrow_status(rest, head.len),
        ChunkKind::BlockStatusExt => wide_status(rest, head.len),
        kind if kind.is_error() => error(kind, rest, head.len),
        ChunkKind::Unknown(_) => Err(ReplyFault::UnknownChunk),
        _ => Err(ReplyFault::BadLength),
    }
}

#[inline]
fn data(rest: &[u8], len: u64) -> Option<(Body<'_>, usize)> {
    let (head, _) = DataHead::read_from_prefix(rest).ok()?;
    let used = size_of::<DataHead>();
    Some((Body::Data { offset: head.offset.get(), len: len - used as u64 }, used))
}

fn hole(rest: &[u8]) -> Found<'_> {
    let Ok((hole, _)) = HoleBody::read_from_prefix(rest) else { return Ok(None) };
    if hole.len.get() == 0 {
        return Err(ReplyFault::EmptyContent);
    }
    let body = Body::Hole { offset: hole.offset.get(), len: u64::from(hole.len.get()) };
    Ok(Some((body, size_of::<HoleBody>())))
}

fn narrow_status(rest: &[u8], len: u64) -> Found<'_> {
    let left = extents_len(len, size_of::<StatusHead>(), extent::NARROW_LEN)?;
    let Ok((head, _)) = StatusHead::read_from_prefix(rest) else { return Ok(None) };
    let body = Body::Status { context: head.context.get(), left, is_wide: false };
    Ok(Some((body, size_of::<StatusHead>())))
}

fn wide_status(rest: &[u8], len: u64) -> Found<'_> {
    let left = extents_len(len, size_of::<StatusExtHead>(), extent::WIDE_LEN)?;
    let Ok((head, _)) = StatusExtHead::read_from_prefix(rest) else { return Ok(None) };
    let count = u64::from(head.count.get());
    if count != 0 && count * extent::WIDE_LEN as u64 != left {
        return Err(ReplyFault::BadLength);
    }
    let body = Body::Status { context: head.context.get(), left, is_wide: true };
    Ok(Some((body, size_of::<StatusExtHead>())))
}

/// Bytes of extents in a chunk of `len` bytes: at least one extent.
fn extents_len(len: u64, before: usize, each: usize) -> Result<u64, ReplyFault> {
    let left = len.checked_sub(before as u64).filter(|left| *left > 0);
    left.filter(|left| left.is_multiple_of(each as u64)).ok_or(ReplyFault::BadLength)
}

/// An error of any kind: a number, a text, and behind it what belongs to the kind.
fn error(kind: ChunkKind, rest: &[u8], len: u64) -> Found<'_> {
    let len = usize::try_from(len).ok().filter(|len| *len <= BODY_LEN_MAX);
    let len = len.ok_or(ReplyFault::BadLength)?;
    let Some(body) = rest.get(..len) else { return Ok(None) };
    let Ok((head, behind)) = ErrorHead::read_from_prefix(body) else {
        return Err(ReplyFault::BadLength);
    };
    let text_len = usize::from(head.message_len.get());
    let (text, behind) = behind.split_at_checked(text_len).ok_or(ReplyFault::BadLength)?;
    let offset = if kind == ChunkKind::ErrorOffset {
        let (offset, _) = U64::read_from_prefix(behind).map_err(|_| ReplyFault::BadLength)?;
        Some(offset.get())
    } else {
        None
    };
    let error = NbdErrno::from_code(head.errno.get()).ok_or(ReplyFault::NoErrno)?;
    Ok(Some((Body::Error { error, text, offset }, len)))
}

/// The extent at the front of `bytes`, with the bytes it takes.
#[inline]
pub(super) fn extent(bytes: &[u8], is_wide: bool) -> Option<(Extent, usize)> {
    if is_wide {
        bytes.first_chunk().map(|wire| (Extent::decode_wide(wire), extent::WIDE_LEN))
    } else {
        bytes.first_chunk().map(|wire| (Extent::decode_narrow(wire), extent::NARROW_LEN))
    }
}
