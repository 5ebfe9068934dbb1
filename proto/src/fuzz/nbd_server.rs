//! The server's side of NBD, against a client that sends anything.

use alloc::string::String;
use alloc::vec::Vec;

use super::Input;
use crate::nbd::Headers;
use crate::nbd::extent::Extent;
use crate::nbd::flags::{ExtentFlags, TransmissionFlags};
use crate::nbd::info::BlockSizes;
use crate::nbd::limits::PAYLOAD_SKIP_MAX;
use crate::nbd::listing::Listed;
use crate::nbd::option::{OPTION_REPLY_HEAD_LEN, Opt, OptionHead, OptionReplyHead};
use crate::nbd::request::Request;
use crate::nbd::server::{
    ExportInfo, Handshake, HandshakeConfig, HandshakeEvent, Negotiated, Operation, Refusal,
    ReplyTo, Session, TlsPolicy, Verdict,
};

const HEADERS: [Headers; 3] = [Headers::Simple, Headers::Structured, Headers::Extended];
const POLICIES: [TlsPolicy; 3] = [TlsPolicy::Off, TlsPolicy::Allowed, TlsPolicy::Required];
const SIZE: u64 = 1 << 40;

fn info(flags: u16) -> ExportInfo {
    ExportInfo {
        name: String::from("disk"),
        description: String::new(),
        size: SIZE,
        flags: TransmissionFlags(flags),
        block_sizes: BlockSizes { min: 512, preferred: 4096, max: 1 << 25 },
        insists_on_block_sizes: flags & 0x8000 != 0,
        has_allocation: flags & 0x4000 == 0,
        is_zeroing_fast: flags & 0x2000 == 0,
    }
}

/// A handshake: each step is an option with a right head, or bytes as they are.
pub fn nbd_handshake_server(data: &[u8]) {
    let mut input = Input::new(data);
    let choice = input.byte();
    let headers_max = HEADERS[usize::from(choice & 3).min(2)];
    let tls = POLICIES[usize::from(choice >> 2 & 3).min(2)];
    let mut server = Handshake::new(HandshakeConfig { tls, headers_max });
    assert_eq!(server.output().len(), 18);
    if server.handle_bytes(&[0, 0, 0, choice >> 4 & 7]).is_err() {
        return;
    }
    while let Some(step) = input.step() {
        let sent = input.chunk();
        let mut bytes = Vec::new();
        if step & 0x80 == 0 {
            let len = sent.len() as u32 + u32::from(step == 0x7f) * 0x0001_0000;
            let option = Opt::from_code(u32::from(step & 15));
            bytes.extend(OptionHead { option, len }.encode());
        }
        bytes.extend(sent);
        if !feed(&mut server, &bytes, &mut input) {
            return;
        }
    }
}

/// Feeds bytes and answers; false at the end.
fn feed(server: &mut Handshake, mut bytes: &[u8], input: &mut Input<'_>) -> bool {
    loop {
        let Ok(taken) = server.handle_bytes(bytes) else {
            assert!(server.is_over(), "an error ends the machine");
            return false;
        };
        bytes = &bytes[taken..];
        let Some(event) = server.poll_event() else {
            assert!(bytes.is_empty(), "nothing is owed, and so all is read");
            check_replies(&server.output());
            return true;
        };
        assert_eq!(server.handle_bytes(b"I"), Ok(0), "an answer is owed");
        let is_export_name = answer(server, event, input);
        let out = server.output();
        if server.is_over() {
            assert!(server.poll_event().is_none_or(|event| event != HandshakeEvent::List));
            return false;
        }
        assert!(!is_export_name, "that has no second try");
        check_replies(&out);
    }
}

/// True after `EXPORT_NAME`, whose answer is no reply.
fn answer(server: &mut Handshake, event: HandshakeEvent, input: &mut Input<'_>) -> bool {
    match event {
        HandshakeEvent::List if input.flag() => server.list_refused(Refusal::Policy),
        HandshakeEvent::List => {
            server.list([Listed { name: "disk", description: "one" }]);
        }
        HandshakeEvent::Open { wanted, .. } => {
            if input.flag() {
                server.refused(Refusal::Unknown);
            } else {
                server.opened(info(input.u16()));
            }
            return wanted == crate::nbd::server::Wanted::ExportName;
        }
        HandshakeEvent::StartTls => server.tls_started(),
        HandshakeEvent::Begin(_) | HandshakeEvent::Abort | HandshakeEvent::HangUp => {
            assert!(server.is_over());
        }
    }
    false
}

/// Replies follow one another without a gap.
fn check_replies(mut out: &[u8]) {
    while let Some((head, rest)) = out.split_first_chunk::<OPTION_REPLY_HEAD_LEN>() {
        let head = OptionReplyHead::decode(head).expect("we speak the language");
        let len = usize::try_from(head.len).expect("replies are short");
        out = rest.get(len..).expect("a reply is whole");
    }
    assert!(out.is_empty());
}

/// Requests: what is executed lies inside, what is refused is answered, and replies have their lengths.
pub fn nbd_requests(data: &[u8]) {
    let mut input = Input::new(data);
    let headers = HEADERS[usize::from(input.byte()) % 3];
    let info = info(input.u16());
    let has_allocation = headers != Headers::Simple;
    let export = String::from("disk");
    let negotiated = Negotiated { export, info, headers, has_allocation, is_tls: false };
    let session = Session::new(&negotiated);
    let mut bytes = input.all();
    while let Ok(Some((request, len))) = session.parse(bytes) {
        bytes = &bytes[len..];
        let payload_len = session.payload_len(&request);
        match session.judge(&request) {
            Verdict::Disconnect | Verdict::Close(_) => return,
            Verdict::Refuse { errno, reason, payload_to_skip } => {
                assert_eq!(payload_to_skip, payload_len);
                assert!(payload_len <= PAYLOAD_SKIP_MAX);
                let (head, tail) = session.error(ReplyTo::from(&request), errno, reason);
                assert!(head.as_bytes().len() >= 16 && tail.len() <= reason.len());
            }
            Verdict::Execute(operation) => execute(&session, &request, operation),
        }
        let skip = usize::try_from(payload_len).expect("long payloads end the session");
        bytes = bytes.get(skip..).unwrap_or(&[]);
    }
}

fn execute(session: &Session, request: &Request, operation: Operation) {
    let to = ReplyTo::from(request);
    let (offset, len) = match operation {
        Operation::Flush | Operation::Nothing => return,
        Operation::Read { offset, len, .. } => {
            assert!(session.data(to, offset, len, true).as_bytes().len() <= 40);
            (offset, u64::from(len))
        }
        Operation::Write { offset, len, .. } => (offset, u64::from(len)),
        Operation::Trim { offset, len, .. }
        | Operation::Cache { offset, len }
        | Operation::WriteZeroes { offset, len, .. } => (offset, len),
        Operation::BlockStatus { offset, len, is_one } => {
            status(session, to, len, is_one);
            (offset, len)
        }
    };
    assert!(len > 0 && offset.checked_add(len).is_some_and(|end| end <= SIZE));
    assert_eq!((offset | len) % 512, 0);
}

fn status(session: &Session, to: ReplyTo, len: u64, is_one: bool) {
    let extents = [
        Extent { len: len / 2, flags: ExtentFlags::HOLE },
        Extent { len, flags: ExtentFlags::ZERO },
    ];
    let mut out = Vec::new();
    session.block_status(to, &extents, len, is_one, &mut out);
    assert!(out.len() <= 32 + 8 + 2 * 16);
}
