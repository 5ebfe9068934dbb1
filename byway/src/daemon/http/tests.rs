//! Requests of all kinds, and a server that is asked and attacked.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::rc::Rc;

use byway_engine::core::CoreConfig;
use byway_engine::reactor::ReactorThread;
use proptest::prelude::*;

use super::*;

#[test]
fn a_request_is_its_first_line() {
    let get = |path, head_only| Ok(Some(Request { path, head_only }));
    assert_eq!(parse(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"), get("/metrics", false));
    assert_eq!(parse(b"HEAD /?a=b HTTP/1.0\n\nrest"), get("/", true));
    assert_eq!(parse(b"GET / HTTP/1.1\r\nHost"), Ok(None));
    assert_eq!(parse(b"POST / HTTP/1.1\r\n\r\n"), Err(Status::MethodNotAllowed));
    assert_eq!(parse(b"GET / HTTP/2\r\n\r\n"), Err(Status::Version));
    for wrong in [&b"\r\n\r\n"[..], b"GET /\r\n\r\n", b"GET / x y\r\n\r\n", b"GET a HTTP/1.1\n\n"] {
        assert_eq!(parse(wrong), Err(Status::BadRequest), "{wrong:?}");
    }
    assert_eq!(parse(&[b'a'; REQUEST_LEN_MAX]), Err(Status::TooLarge));
    assert_eq!(parse(&[b'a'; REQUEST_LEN_MAX - 1]), Ok(None));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        crate::fuzz::http_request(&bytes);
        crate::fuzz::http_request(&[b"GET ", &bytes[..], b" HTTP/1.1\r\n\r\n"].concat());
    }
}

/// A server on a thread of its own with one page of many bytes.
fn served() -> (ReactorThread, std::net::SocketAddr) {
    let thread = ReactorThread::start(CoreConfig::default()).unwrap();
    let address = thread.block_on(|core| async move {
        let make = Rc::new(|| Box::pin(async { "0123456789".repeat(50_000) }) as Text);
        let page = Page { path: "/page", content_type: "text/plain", make };
        let any = "127.0.0.1:0".parse().unwrap();
        let server = Server::start(&core, &any, vec![page]).unwrap();
        let address = server.address().as_tcp().unwrap();
        // It serves for as long as the reactor runs.
        std::mem::forget(server);
        address
    });
    (thread, address.unwrap())
}

fn ask(address: std::net::SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn pages_are_served_whole_and_strangers_are_refused() {
    let (_thread, address) = served();
    let answer = ask(address, b"GET /page HTTP/1.1\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"), "{answer}");
    assert_eq!(answer.split("\r\n\r\n").nth(1).unwrap().len(), 500_000);
    let head = ask(address, b"HEAD /page HTTP/1.1\r\n\r\n");
    assert!(head.contains("Content-Length: 500000") && head.ends_with("\r\n\r\n"));
    assert!(ask(address, b"GET /other HTTP/1.1\r\n\r\n").contains("404"));
    assert!(ask(address, &[b'x'; REQUEST_LEN_MAX]).contains("431"));
    assert!(ask(address, b"NBDMAGIC\n\n").contains("400"));
}

#[test]
fn silent_clients_do_not_keep_others_out() {
    let (_thread, address) = served();
    let silent: Vec<_> =
        (1..CONNECTIONS_MAX).map(|_| TcpStream::connect(address).unwrap()).collect();
    assert!(ask(address, b"GET /page HTTP/1.1\r\n\r\n").contains("200 OK"));
    drop(silent);
    assert!(ask(address, b"GET /page HTTP/1.1\r\n\r\n").contains("200 OK"));
}
