//! Stories of handshakes and transmissions, told with the messages of both sides.

mod handshake;
mod judge;
mod peers;
mod replies;
mod table;
mod tls;

use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use super::*;
use crate::nbd::Headers;
use crate::nbd::context::ContextQuery;
use crate::nbd::flags::{ClientFlags, TransmissionFlags};
use crate::nbd::info::{BlockSizes, InfoKind, InfoRequest};
use crate::nbd::option::{OPTION_REPLY_HEAD_LEN, Opt, OptReply, OptionHead, OptionReplyHead};

const MIB: u64 = 1 << 20;

fn config(tls: TlsPolicy) -> HandshakeConfig {
    HandshakeConfig { tls, headers_max: Headers::Extended }
}

fn info() -> ExportInfo {
    ExportInfo {
        name: "disk".to_string(),
        description: "a disk".to_string(),
        size: MIB,
        flags: TransmissionFlags(0xfff)
            .without(TransmissionFlags::READ_ONLY)
            .without(TransmissionFlags::SEND_RESIZE),
        block_sizes: BlockSizes { min: 512, preferred: 4096, max: 65536 },
        insists_on_block_sizes: false,
        has_allocation: true,
        is_zeroing_fast: true,
    }
}

fn negotiated(headers: Headers) -> Negotiated {
    let export = "disk".to_string();
    Negotiated { export, info: info(), headers, has_allocation: true, is_tls: false }
}

/// A client of a handshake.
struct Client {
    server: Handshake,
}

impl Client {
    /// Has read the greeting and sent its flags.
    fn greeted(tls: TlsPolicy) -> Client {
        Client::with_flags(config(tls), ClientFlags::KNOWN)
    }

    fn with_flags(config: HandshakeConfig, flags: ClientFlags) -> Client {
        let mut server = Handshake::new(config);
        assert_eq!(server.output(), b"NBDMAGICIHAVEOPT\x00\x03");
        assert_eq!(server.handle_bytes(&flags.0.to_be_bytes()), Ok(4));
        Client { server }
    }

    fn send(&mut self, option: Opt, data: &[u8]) -> Result<usize, HandshakeError> {
        let head = OptionHead { option, len: data.len().try_into().unwrap() };
        let taken = self.server.handle_bytes(&head.encode())?;
        Ok(taken + self.server.handle_bytes(data)?)
    }

    /// The replies to an option that needs no answer of the shell.
    fn ask(&mut self, option: Opt, data: &[u8]) -> Vec<(OptReply, Vec<u8>)> {
        assert_eq!(self.send(option, data), Ok(16 + data.len()));
        assert_eq!(self.server.poll_event(), None);
        self.replies(option)
    }

    /// The kind of the only reply.
    fn ask_one(&mut self, option: Opt, data: &[u8]) -> OptReply {
        let replies = self.ask(option, data);
        assert_eq!(replies.len(), 1);
        replies[0].0
    }

    /// Names an export, which the shell opens.
    fn open(&mut self, option: Opt, data: &[u8]) -> Vec<(OptReply, Vec<u8>)> {
        self.send(option, data).unwrap();
        assert!(matches!(self.event(), HandshakeEvent::Open { .. }));
        self.server.opened(info());
        self.replies(option)
    }

    fn event(&mut self) -> HandshakeEvent {
        self.server.poll_event().expect("the shell has something to do")
    }

    fn begun(&mut self) -> Negotiated {
        match self.event() {
            HandshakeEvent::Begin(negotiated) => *negotiated,
            event => panic!("not {event:?}"),
        }
    }

    fn replies(&mut self, option: Opt) -> Vec<(OptReply, Vec<u8>)> {
        let out = self.server.output();
        let mut rest = out.as_slice();
        let mut replies = Vec::new();
        while let Some((head, after)) = rest.split_first_chunk::<OPTION_REPLY_HEAD_LEN>() {
            let head = OptionReplyHead::decode(head).unwrap();
            assert_eq!(head.option, option);
            let (data, after) = after.split_at(head.len.try_into().unwrap());
            replies.push((head.reply, data.to_vec()));
            rest = after;
        }
        assert!(rest.is_empty());
        replies
    }
}

fn info_request(export: &str, kinds: &[InfoKind]) -> Vec<u8> {
    let mut data = Vec::new();
    InfoRequest { export, kinds: kinds.to_vec() }.push(&mut data);
    data
}

fn context_query(export: &str, queries: &[&str]) -> Vec<u8> {
    let mut data = Vec::new();
    ContextQuery { export, queries: queries.to_vec() }.push(&mut data);
    data
}

fn kinds(replies: &[(OptReply, Vec<u8>)]) -> Vec<OptReply> {
    replies.iter().map(|(kind, _)| *kind).collect()
}

fn message(replies: &[(OptReply, Vec<u8>)]) -> String {
    String::from_utf8(replies.last().unwrap().1.clone()).unwrap()
}

fn long(len: usize) -> Vec<u8> {
    vec![b'x'; len]
}
