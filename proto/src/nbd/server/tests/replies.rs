//! Heads of replies, as they look on the wire.

use super::*;
use crate::nbd::chunk::ChunkKind;
use crate::nbd::errno::NbdErrno;
use crate::nbd::extent::Extent;
use crate::nbd::flags::ExtentFlags;
use crate::nbd::reply::{ChunkHead, SimpleReply};

const TO: ReplyTo = ReplyTo { cookie: 0x1122_3344_5566_7788, offset: 4096 };

fn session(headers: Headers) -> Session {
    Session::new(&negotiated(headers))
}

fn structured(bytes: &[u8]) -> (ChunkHead, &[u8]) {
    let (head, rest) = bytes.split_first_chunk().unwrap();
    (ChunkHead::decode_structured(head).unwrap(), rest)
}

fn extended(bytes: &[u8]) -> (ChunkHead, &[u8]) {
    let (head, rest) = bytes.split_first_chunk().unwrap();
    (ChunkHead::decode_extended(head).unwrap(), rest)
}

#[test]
fn a_simple_reply_has_sixteen_bytes_whatever_it_says() {
    let session = session(Headers::Simple);
    let decode = |head: ReplyHead| SimpleReply::decode(head.as_bytes().try_into().unwrap());
    let ok = Ok(SimpleReply { error: None, cookie: TO.cookie });
    assert_eq!(decode(session.done(TO)), ok);
    assert_eq!(decode(session.data(TO, 4096, 512, true)), ok);
    let (head, message) = session.error(TO, NbdErrno::Eio, "the disk is gone");
    let error = Some(NbdErrno::Eio);
    assert_eq!(decode(head), Ok(SimpleReply { error, cookie: TO.cookie }));
    assert!(message.is_empty(), "there is no room for words");
}

#[test]
fn data_is_told_with_its_offset() {
    let head = session(Headers::Structured).data(TO, 8192, 512, false);
    let (chunk, fields) = structured(head.as_bytes());
    assert_eq!((chunk.kind, chunk.len, chunk.is_done()), (ChunkKind::OffsetData, 520, false));
    assert_eq!(fields, 8192_u64.to_be_bytes());
    let head = session(Headers::Extended).data(TO, 8192, 512, true);
    let (chunk, fields) = extended(head.as_bytes());
    assert_eq!((chunk.cookie, chunk.offset), (TO.cookie, TO.offset));
    assert_eq!((chunk.kind, chunk.len, chunk.is_done()), (ChunkKind::OffsetData, 520, true));
    assert_eq!(fields, 8192_u64.to_be_bytes());
}

#[test]
fn a_hole_is_told_without_its_zeroes() {
    let head = session(Headers::Structured).hole(TO, 8192, 512, true);
    let (chunk, fields) = structured(head.as_bytes());
    assert_eq!((chunk.kind, chunk.len, chunk.is_done()), (ChunkKind::OffsetHole, 12, true));
    assert_eq!(fields, [0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 2, 0]);
    assert_eq!(session(Headers::Extended).hole(TO, 8192, 512, true).as_bytes().len(), 44);
}

#[test]
fn the_last_chunk_may_be_empty() {
    let head = session(Headers::Structured).done(TO);
    let (chunk, fields) = structured(head.as_bytes());
    assert_eq!((chunk.kind, chunk.len, chunk.is_done()), (ChunkKind::None, 0, true));
    assert!(fields.is_empty());
    assert_eq!(session(Headers::Extended).done(TO).as_bytes().len(), 32);
}

#[test]
fn an_error_has_words_or_an_offset() {
    for headers in [Headers::Structured, Headers::Extended] {
        let decode = if headers == Headers::Extended { extended } else { structured };
        let (head, message) = session(headers).error(TO, NbdErrno::Enospc, "full");
        let (chunk, fields) = decode(head.as_bytes());
        assert_eq!((chunk.kind, chunk.len, chunk.is_done()), (ChunkKind::Error, 10, true));
        assert_eq!((fields, message), ([0, 0, 0, 28, 0, 4].as_slice(), b"full".as_slice()));
        let head = session(headers).error_at(TO, NbdErrno::Eio, 0x0102);
        let (chunk, fields) = decode(head.as_bytes());
        assert_eq!((chunk.kind, chunk.len, chunk.is_done()), (ChunkKind::ErrorOffset, 14, true));
        assert_eq!(fields, [0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
    }
}

const DATA: ExtentFlags = ExtentFlags::NONE;
const HOLE: ExtentFlags = ExtentFlags::KNOWN;

fn extent(len: u64, flags: ExtentFlags) -> Extent {
    Extent { len, flags }
}

fn status(headers: Headers, extents: &[Extent], len: u64, is_one: bool) -> Vec<Extent> {
    let mut out = vec![0xee];
    session(headers).block_status(TO, extents, len, is_one, &mut out);
    assert_eq!(out.remove(0), 0xee, "what was there stays");
    let is_wide = headers == Headers::Extended;
    let (chunk, fields) = if is_wide { extended(&out) } else { structured(&out) };
    assert!(chunk.is_done());
    assert_eq!(chunk.len, fields.len() as u64);
    let (context, fields) = fields.split_first_chunk().unwrap();
    assert_eq!(u32::from_be_bytes(*context), ALLOCATION_ID);
    if !is_wide {
        assert_eq!(chunk.kind, ChunkKind::BlockStatus);
        let (extents, rest) = fields.as_chunks();
        assert!(rest.is_empty());
        return extents.iter().map(Extent::decode_narrow).collect();
    }
    assert_eq!(chunk.kind, ChunkKind::BlockStatusExt);
    let (count, fields) = fields.split_first_chunk().unwrap();
    let (extents, rest) = fields.as_chunks();
    assert!(rest.is_empty());
    assert_eq!(u32::from_be_bytes(*count) as usize, extents.len());
    extents.iter().map(Extent::decode_wide).collect()
}

#[test]
fn extents_are_joined_and_cut_to_the_range() {
    let extents = [
        extent(512, DATA),
        extent(0, HOLE),
        extent(512, DATA),
        extent(512, HOLE),
        extent(9999, DATA),
    ];
    for headers in [Headers::Structured, Headers::Extended] {
        let told = status(headers, &extents, 2048, false);
        assert_eq!(told, [extent(1024, DATA), extent(512, HOLE), extent(512, DATA)]);
        assert_eq!(status(headers, &extents, 2048, true), [extent(1024, DATA)]);
        assert_eq!(status(headers, &extents, 600, false), [extent(600, DATA)]);
        assert_eq!(status(headers, &extents[..1], 2048, false), [extent(512, DATA)]);
        assert_eq!(status(headers, &[], 2048, false), [extent(2048, DATA)]);
    }
}

#[test]
fn a_compact_reply_tells_of_less_than_four_gibibytes() {
    let long = 1 << 40;
    let extents = [extent(long, HOLE), extent(long, DATA)];
    let told = status(Headers::Structured, &extents, u32::MAX.into(), false);
    assert_eq!(told, [extent(0xffff_0000, HOLE)]);
    let two = [extent(1 << 31, DATA), extent(long, HOLE)];
    let told = status(Headers::Structured, &two, 1 << 41, false);
    assert_eq!(told, [extent(1 << 31, DATA), extent(0x7fff_0000, HOLE)]);
    assert_eq!(status(Headers::Extended, &extents, 1 << 41, false), extents);
}
