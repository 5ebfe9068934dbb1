//! What real clients send: captured between them and nbdkit.

use super::*;
use crate::nbd::command::Command;

/// Flags, structured replies, `base:allocation` for the default export, and `GO` for its block sizes.
const LIBNBD: [&str; 2] = [
    "0000000349484156454f50540000000800000000\
     49484156454f50540000000a0000001b00000000000000010000000f626173653a616c6c6f636174696f6e",
    "49484156454f505400000007000000080000000000010003",
];

/// A read, a write (without its data), a block status, a flush and the farewell of qemu-io.
const QEMU: [(&str, Command); 5] = [
    ("25609513000000000000559c459bcff0000000000000000000000200", Command::Read),
    ("25609513000100010000559c459bcff0000000000000020000000200", Command::Write),
    ("25609513000800070000559c459bcff0000000000000000000100000", Command::BlockStatus),
    ("25609513000000030000559c459bcff0000000000000000000000000", Command::Flush),
    ("25609513000000020000000000000000000000000000000000000000", Command::Disconnect),
];

fn hex(text: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}

#[test]
fn libnbd_gets_structured_replies_and_block_status() {
    let mut server = Handshake::new(config(TlsPolicy::Off));
    server.output();
    for (bytes, wanted) in LIBNBD.iter().zip([Wanted::Contexts, Wanted::Go]) {
        let bytes = hex(bytes);
        assert_eq!(server.handle_bytes(&bytes), Ok(bytes.len()));
        let name = String::new();
        assert_eq!(server.poll_event(), Some(HandshakeEvent::Open { name, wanted, client: None }));
        server.opened(info());
    }
    let Some(HandshakeEvent::Begin(negotiated)) = server.poll_event() else { panic!("it begins") };
    assert_eq!(negotiated.headers, Headers::Structured);
    assert!(negotiated.has_allocation);
}

#[test]
fn the_replies_to_libnbd_are_those_of_nbdkit() {
    let mut server = Handshake::new(config(TlsPolicy::Off));
    server.output();
    server.handle_bytes(&hex(LIBNBD[0])).unwrap();
    server.poll_event();
    server.opened(info());
    let nbdkit = "0003e889045565a9000000080000000100000000\
        0003e889045565a90000000a000000040000001300000001626173653a616c6c6f636174696f6e\
        0003e889045565a90000000a0000000100000000";
    assert_eq!(server.output(), hex(nbdkit));
}

#[test]
fn the_requests_of_qemu_are_legal() {
    let session = Session::new(&negotiated(Headers::Structured));
    for (bytes, command) in QEMU {
        let (request, len) = session.parse(&hex(bytes)).unwrap().unwrap();
        assert_eq!((request.command, len), (command, 28));
        let verdict = session.judge(&request);
        match command {
            Command::Disconnect => assert_eq!(verdict, Verdict::Disconnect),
            _ => assert!(matches!(verdict, Verdict::Execute(_)), "{command:?}"),
        }
    }
}
