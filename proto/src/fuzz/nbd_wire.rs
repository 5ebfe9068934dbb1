//! The tables of NBD: what is read says the same after it was written again.

use alloc::vec::Vec;

use super::Input;
use crate::nbd::context::{ContextQuery, ContextReply};
use crate::nbd::extent::Extent;
use crate::nbd::greeting::{Chosen, decode_greeting, encode_greeting};
use crate::nbd::info::{Info, InfoRequest};
use crate::nbd::listing::Listed;
use crate::nbd::option::{OptionHead, OptionReplyHead};
use crate::nbd::reply::{ChunkHead, SimpleReply};
use crate::nbd::request::Request;

/// Heads of fixed length, then one text of the handshake in all the ways to read it.
pub fn nbd_wire(data: &[u8]) {
    let mut input = Input::new(data);
    let bytes = input.array::<32>();
    requests(&bytes);
    replies(&bytes);
    handshake(&bytes);
    texts(input.all());
}

fn first<const N: usize>(bytes: &[u8]) -> &[u8; N] {
    bytes.first_chunk().expect("no head is longer than 32 bytes")
}

fn requests(bytes: &[u8; 32]) {
    if let Ok(request) = Request::decode_compact(first(bytes)) {
        assert_eq!(&request.encode_compact(), first(bytes));
    }
    if let Ok(request) = Request::decode_extended(bytes) {
        assert_eq!(&request.encode_extended(), bytes);
    }
}

fn replies(bytes: &[u8; 32]) {
    if let Ok(reply) = SimpleReply::decode(first(bytes)) {
        assert_eq!(&reply.encode(), first(bytes));
    }
    if let Ok(head) = ChunkHead::decode_structured(first(bytes)) {
        assert_eq!(&head.encode_structured(), first(bytes));
    }
    if let Ok(head) = ChunkHead::decode_extended(bytes) {
        assert_eq!(&head.encode_extended(), bytes);
    }
    let extent = Extent::decode_narrow(first(bytes));
    assert_eq!(&extent.encode_narrow(), first(bytes));
    let extent = Extent::decode_wide(first(bytes));
    assert_eq!(Extent::decode_wide(&extent.encode_wide()), extent);
}

fn handshake(bytes: &[u8; 32]) {
    if let Ok(flags) = decode_greeting(first(bytes)) {
        assert_eq!(&encode_greeting(flags), first(bytes));
    }
    if let Ok(head) = OptionHead::decode(first(bytes)) {
        assert_eq!(&head.encode(), first(bytes));
    }
    if let Ok(head) = OptionReplyHead::decode(first(bytes)) {
        assert_eq!(&head.encode(), first(bytes));
    }
    assert_eq!(&Chosen::decode(first(bytes)).encode(), first(bytes));
}

fn texts(data: &[u8]) {
    let mut wire = Vec::new();
    let mut same = |push: &dyn Fn(&mut Vec<u8>)| {
        wire.clear();
        push(&mut wire);
        assert_eq!(wire, data);
    };
    if let Ok(listed) = Listed::decode(data) {
        same(&|out| listed.push(out));
    }
    if let Ok(request) = InfoRequest::decode(data) {
        same(&|out| request.push(out));
    }
    if let Ok(query) = ContextQuery::decode(data) {
        same(&|out| query.push(out));
    }
    if let Ok(reply) = ContextReply::decode(data) {
        same(&|out| reply.push(out));
    }
    match Info::decode(data) {
        Ok(Info::Unknown(_)) | Err(_) => {}
        Ok(info) => same(&|out| info.push(out)),
    }
}
