//! Stories of a client with a small scripted server.

use std::vec;
use std::vec::Vec;

use super::*;
use crate::nbd::Headers;
use crate::nbd::chunk::ChunkKind;
use crate::nbd::command::Command;
use crate::nbd::errno::NbdErrno;
use crate::nbd::flags::{ClientFlags, CommandFlags, HandshakeFlags, ReplyFlags, TransmissionFlags};
use crate::nbd::greeting::{Chosen, encode_greeting};
use crate::nbd::info::{BlockSizes, Info};
use crate::nbd::option::{OPTION_HEAD_LEN, Opt, OptError, OptReply, OptionHead, OptionReplyHead};
use crate::nbd::reply::{ChunkHead, SimpleReply};
use crate::nbd::request::Request;

/// How a server answers each option; nothing ends the talk.
type Script = fn(Opt) -> Vec<(OptReply, Vec<u8>)>;

/// Shakes hands with a server of that greeting; answers the options that were sent too.
fn shake(flags: HandshakeFlags, script: Script) -> (Result<Opened, HandshakeFailure>, Vec<Opt>) {
    let mut client = Handshake::new("disk").unwrap();
    let (mut wire, mut asked) = (encode_greeting(flags).to_vec(), Vec::new());
    let mut is_first = true;
    loop {
        // Byte by byte: a stream may be cut anywhere.
        let mut inbox = Vec::new();
        for byte in wire.drain(..) {
            inbox.push(byte);
            match client.handle_bytes(&inbox) {
                Ok(used) => drop(inbox.drain(..used)),
                Err(failure) => return (Err(failure), asked),
            }
        }
        if let Some(opened) = client.opened() {
            return (Ok(opened.clone()), asked);
        }
        let mut sent = client.output();
        if std::mem::take(&mut is_first) {
            let own: [u8; 4] = sent.drain(..4).collect::<Vec<_>>().try_into().unwrap();
            assert_eq!(ClientFlags(u32::from_be_bytes(own)).0, u32::from(flags.0));
        }
        let head = OptionHead::decode(sent[..OPTION_HEAD_LEN].try_into().unwrap()).unwrap();
        assert_eq!(sent.len(), OPTION_HEAD_LEN + head.len as usize);
        asked.push(head.option);
        if head.option == Opt::ExportName {
            assert_eq!(&sent[OPTION_HEAD_LEN..], b"disk");
            wire.extend(Chosen { size: 777, flags: TransmissionFlags::HAS_FLAGS }.encode());
            if !flags.contains(HandshakeFlags::NO_ZEROES) {
                wire.extend([0; 124]);
            }
            continue;
        }
        for (reply, data) in script(head.option) {
            let len = data.len() as u32;
            wire.extend(OptionReplyHead { option: head.option, reply, len }.encode());
            wire.extend(data);
        }
        assert!(!wire.is_empty(), "the script ends");
    }
}

const FIXED: HandshakeFlags = HandshakeFlags(3);

fn info(info: Info<'_>) -> (OptReply, Vec<u8>) {
    let mut data = Vec::new();
    info.push(&mut data);
    (OptReply::Info, data)
}

fn refuse() -> Vec<(OptReply, Vec<u8>)> {
    vec![(OptReply::Err(OptError::Unsupported), Vec::new())]
}

fn ack() -> (OptReply, Vec<u8>) {
    (OptReply::Ack, Vec::new())
}

fn modern(option: Opt) -> Vec<(OptReply, Vec<u8>)> {
    let flags = TransmissionFlags::SEND_FUA;
    let sizes = BlockSizes { min: 512, preferred: 4096, max: 1 << 25 };
    match option {
        Opt::SetMetaContext => {
            vec![(OptReply::MetaContext, [&[0, 0, 0, 9], &b"base:allocation"[..]].concat()), ack()]
        }
        Opt::Go => {
            vec![info(Info::Export { size: 1 << 30, flags }), info(Info::BlockSize(sizes)), ack()]
        }
        _ => vec![ack()],
    }
}

#[test]
fn a_modern_server_gives_everything() {
    let (opened, asked) = shake(FIXED, modern);
    let opened = opened.unwrap();
    assert_eq!(asked, [Opt::ExtendedHeaders, Opt::SetMetaContext, Opt::Go]);
    assert_eq!(
        (opened.headers, opened.context, opened.size),
        (Headers::Extended, Some(9), 1 << 30)
    );
    assert_eq!(opened.blocks.unwrap().min, 512);
}

#[test]
fn the_client_falls_back_step_by_step() {
    let (opened, asked) = shake(FIXED, |option| match option {
        Opt::ExtendedHeaders | Opt::SetMetaContext => refuse(),
        other => modern(other),
    });
    assert_eq!(opened.unwrap().headers, Headers::Structured);
    assert_eq!(asked[1..], [Opt::StructuredReply, Opt::SetMetaContext, Opt::Go]);
    let (opened, asked) = shake(FIXED, |_| refuse());
    let opened = opened.unwrap();
    assert_eq!((opened.headers, opened.size, opened.context), (Headers::Simple, 777, None));
    assert_eq!(asked.last(), Some(&Opt::ExportName));
    let (opened, asked) = shake(HandshakeFlags::NONE, |_| refuse());
    assert_eq!((opened.unwrap().size, asked), (777, vec![Opt::ExportName]));
}

#[test]
fn refusals_and_lies_have_names() {
    let tls = shake(FIXED, |_| vec![(OptReply::Err(OptError::TlsRequired), Vec::new())]);
    assert_eq!(tls.0, Err(HandshakeFailure::TlsRequired));
    let unknown = shake(FIXED, |option| match option {
        Opt::Go => vec![(OptReply::Err(OptError::UnknownExport), b"no".to_vec())],
        other => modern(other),
    });
    assert_eq!(unknown.0, Err(HandshakeFailure::UnknownExport));
    let sizeless = shake(FIXED, |_| vec![ack()]);
    assert!(matches!(sizeless.0, Err(HandshakeFailure::Broken(_))));
    let odd = shake(FIXED, |option| match option {
        Opt::Go => vec![info(Info::BlockSize(BlockSizes { min: 3, preferred: 4, max: 5 }))],
        other => modern(other),
    });
    assert!(matches!(odd.0, Err(HandshakeFailure::Broken(_))));
    let mut client = Handshake::new("").unwrap();
    assert_eq!(client.handle_bytes(b"SSH-2.0-OpenSSH_9.2 ..."), Err(HandshakeFailure::NotNbd));
    assert!(Handshake::new(&"x".repeat(5000)).is_err());
}

fn began(machine: &mut Transmission, command: Command, offset: u64, len: u64) -> (u16, u64) {
    let (slot, head) = machine.begin(command, CommandFlags::NONE, offset, len).unwrap();
    let request = Request::decode_compact(head.bytes().try_into().unwrap()).unwrap();
    assert_eq!((request.command, request.offset, request.len), (command, offset, len));
    (slot, request.cookie)
}

fn chunk(kind: ChunkKind, is_last: bool, cookie: u64, payload: &[u8]) -> Vec<u8> {
    let flags = ReplyFlags::DONE.only_if(is_last);
    let head = ChunkHead { flags, kind, cookie, offset: 0, len: payload.len() as u64 };
    [&head.encode_structured()[..], payload].concat()
}

fn data(is_last: bool, cookie: u64, offset: u64, len: usize) -> Vec<u8> {
    let payload = [&offset.to_be_bytes()[..], &vec![1; len]].concat();
    chunk(ChunkKind::OffsetData, is_last, cookie, &payload)
}

/// Feeds bytes to the machine; answers what ended.
fn feed(machine: &mut Transmission, mut bytes: &[u8]) -> Result<Vec<Ended>, ReplyFault> {
    let mut ended = Vec::new();
    while !bytes.is_empty() {
        if let Some(data) = machine.data() {
            let len = bytes.len().min(data.len as usize);
            bytes = &bytes[len..];
            ended.extend(machine.arrived(len as u64)?);
            continue;
        }
        let step = machine.take(bytes)?;
        assert!(step.used > 0, "the bytes are whole messages");
        bytes = &bytes[step.used..];
        match step.event {
            Event::Ended(end) | Event::Zeroes(_, Some(end)) => ended.push(end),
            _ => {}
        }
    }
    Ok(ended)
}

fn structured() -> Transmission {
    Transmission::new(Headers::Structured, Some(9), 4)
}

#[test]
fn chunks_of_a_read_come_in_any_order() {
    let mut machine = structured();
    let (slot, cookie) = began(&mut machine, Command::Read, 4096, 100);
    assert_eq!(feed(&mut machine, &data(false, cookie, 4156, 40)), Ok(vec![]));
    let hole = [&4096u64.to_be_bytes()[..], &60u32.to_be_bytes()].concat();
    assert_eq!(feed(&mut machine, &chunk(ChunkKind::OffsetHole, false, cookie, &hole)), Ok(vec![]));
    let end = Ended { slot, error: None };
    assert_eq!(feed(&mut machine, &chunk(ChunkKind::None, true, cookie, &[])), Ok(vec![end]));
    assert_eq!(machine.in_flight(), 1, "until it is released");
    machine.release(slot);
    assert_eq!(machine.in_flight(), 0);
}

/// What a server says in answer to a cookie.
type Lie = fn(u64) -> Vec<u8>;

#[test]
fn a_lying_server_is_found_out() {
    let none = |cookie| chunk(ChunkKind::None, true, cookie, &[]);
    let lies: [(ReplyFault, Lie); 10] = [
        (ReplyFault::UnknownCookie, |cookie| data(true, cookie ^ 1, 4096, 100)),
        (ReplyFault::UnknownCookie, |cookie| data(true, cookie ^ (1 << 32), 4096, 100)),
        (ReplyFault::OutOfRequest, |cookie| data(true, cookie, 4095, 100)),
        (ReplyFault::OutOfRequest, |cookie| data(true, cookie, 4096, 101)),
        (ReplyFault::OutOfRequest, |cookie| data(true, cookie, u64::MAX, 100)),
        (ReplyFault::Missing, |cookie| data(true, cookie, 4096, 99)),
        (ReplyFault::UnknownChunk, |cookie| chunk(ChunkKind::Unknown(3), true, cookie, &[])),
        (ReplyFault::BadLength, |cookie| chunk(ChunkKind::OffsetData, true, cookie, &[0; 8])),
        (ReplyFault::SimpleRead, |cookie| SimpleReply { error: None, cookie }.encode().to_vec()),
        (ReplyFault::BadMagic, |_| vec![0; 64]),
    ];
    for (fault, lie) in lies {
        let mut machine = structured();
        let (_, cookie) = began(&mut machine, Command::Read, 4096, 100);
        assert_eq!(feed(&mut machine, &lie(cookie)), Err(fault));
        assert_eq!(
            machine.take(&none(cookie)),
            Err(machine.fault().unwrap()),
            "nothing more counts"
        );
    }
    let mut machine = structured();
    let (_, cookie) = began(&mut machine, Command::Read, 4096, 100);
    assert_eq!(feed(&mut machine, &data(false, cookie, 4096, 50)), Ok(vec![]));
    assert_eq!(feed(&mut machine, &data(false, cookie, 4140, 50)), Err(ReplyFault::Overlap));
}

#[test]
fn an_error_chunk_fails_its_request_alone() {
    let mut machine = structured();
    let (slot, cookie) = began(&mut machine, Command::Read, 0, 100);
    let (other, second) = began(&mut machine, Command::Write, 0, 100);
    let error = [&5u32.to_be_bytes()[..], &[0, 3], b"bad"].concat();
    let end = Ended { slot, error: Some(NbdErrno::Eio) };
    assert_eq!(feed(&mut machine, &chunk(ChunkKind::Error, true, cookie, &error)), Ok(vec![end]));
    assert_eq!(machine.text(slot), "bad");
    machine.release(slot);
    let reply = SimpleReply { error: None, cookie: second }.encode();
    assert_eq!(feed(&mut machine, &reply), Ok(vec![Ended { slot: other, error: None }]));
}

#[test]
fn block_status_ends_within_the_request() {
    let mut machine = structured();
    let (slot, cookie) = began(&mut machine, Command::BlockStatus, 0, 100);
    let words = [9u32, 60, 3, 50, 0].map(u32::to_be_bytes).concat();
    let status = chunk(ChunkKind::BlockStatus, true, cookie, &words);
    assert_eq!(feed(&mut machine, &status), Ok(vec![Ended { slot, error: None }]));
    let lens: Vec<_> = machine.take_extents(slot).iter().map(|extent| extent.len).collect();
    assert_eq!(lens, [60, 40]);
    machine.release(slot);
    let (_, cookie) = began(&mut machine, Command::BlockStatus, 0, 100);
    let foreign = [8u32, 60, 3].map(u32::to_be_bytes).concat();
    let status = chunk(ChunkKind::BlockStatus, true, cookie, &foreign);
    assert_eq!(feed(&mut machine, &status), Err(ReplyFault::ForeignContext));
}
