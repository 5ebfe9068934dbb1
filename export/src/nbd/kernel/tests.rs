//! What a device may rely on, and handshakes with servers that are threads here.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use byway_engine::net::Address;
use byway_proto::nbd::Headers;
use byway_proto::nbd::client::Opened;
use byway_proto::nbd::flags::TransmissionFlags;
use byway_proto::nbd::info::BlockSizes;

use super::Backend;
use super::dial::dial;
use super::terms::Terms;

const SERVER: TransmissionFlags = TransmissionFlags::HAS_FLAGS
    .with(TransmissionFlags::SEND_FLUSH)
    .with(TransmissionFlags::SEND_DF);

fn opened(flags: TransmissionFlags, size: u64, blocks: Option<BlockSizes>) -> Opened {
    Opened { size, flags, blocks, headers: Headers::Simple, context: None, is_alone: false }
}

fn terms(flags: TransmissionFlags) -> Terms {
    Terms::of(&opened(flags, 1 << 20, None), false).unwrap()
}

#[test]
fn the_kernel_is_told_what_it_understands() {
    let terms = terms(SERVER);
    assert_eq!(terms.flags, TransmissionFlags::HAS_FLAGS.with(TransmissionFlags::SEND_FLUSH));
    assert_eq!((terms.block_len, terms.request_len_max), (512, 32 << 20));
    assert!(!terms.is_read_only() && !terms.takes_many());
    let blocks = BlockSizes { min: 4096, preferred: 4096, max: 1 << 20 };
    let terms = Terms::of(&opened(SERVER, 1 << 20, Some(blocks)), true).unwrap();
    assert_eq!((terms.block_len, terms.request_len_max), (4096, 1 << 20));
    assert!(terms.is_read_only());
}

#[test]
fn an_export_that_no_kernel_can_use_says_why() {
    let blocks = BlockSizes { min: 8192, preferred: 8192, max: 1 << 20 };
    let long = Terms::of(&opened(SERVER, 1 << 20, Some(blocks)), false).unwrap_err();
    assert!(long.contains("8192"), "{long}");
    assert!(Terms::of(&opened(SERVER, 100, None), false).unwrap_err().contains("100 bytes"));
}

#[test]
fn a_device_goes_on_only_with_an_export_that_does_as_much() {
    let (flush, fua) = (TransmissionFlags::SEND_FLUSH, TransmissionFlags::SEND_FUA);
    let before = terms(SERVER);
    assert_eq!(before.unmet_by(&before), None);
    assert_eq!(before.unmet_by(&terms(SERVER.with(fua))), None, "more is no trouble");
    assert!(before.unmet_by(&terms(SERVER.without(flush))).unwrap().contains("less"));
    let read_only = terms(SERVER.with(TransmissionFlags::READ_ONLY));
    assert!(before.unmet_by(&read_only).unwrap().contains("read-only"));
    assert_eq!(read_only.unmet_by(&before), None, "nobody writes");
    let long = Terms { block_len: 4096, ..before };
    assert!(before.unmet_by(&long).unwrap().contains("4096"));
}

#[test]
fn a_backend_has_a_name_of_its_own() {
    let unix = Backend { address: "/run/b.sock".parse().unwrap(), export: "disk".into() };
    assert_eq!(unix.to_string(), "nbd+unix:///disk?socket=/run/b.sock");
    let tcp = Backend { address: "127.0.0.1:10809".parse().unwrap(), export: String::new() };
    assert_eq!(tcp.to_string(), "nbd://127.0.0.1:10809/");
}

/// A server of one connection, which says `script`, each part after so many bytes.
fn serve(name: &str, script: Vec<(usize, Vec<u8>)>) -> (Backend, std::thread::JoinHandle<Vec<u8>>) {
    let folder = std::env::temp_dir();
    let path: PathBuf = folder.join(format!("byway-dial-{}-{name}.sock", std::process::id()));
    let _old = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).unwrap();
    let backend = Backend { address: Address::Unix(path.clone()), export: "a".into() };
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _gone = std::fs::remove_file(path);
        let mut heard = Vec::new();
        for (expected, words) in script {
            let mut bytes = vec![0; expected];
            stream.read_exact(&mut bytes).unwrap();
            heard.extend(bytes);
            stream.write_all(&words).unwrap();
        }
        let _end = stream.read_to_end(&mut heard);
        heard
    });
    (backend, thread)
}

/// The greeting of a fixed newstyle server.
fn greeting() -> Vec<u8> {
    [&b"NBDMAGICIHAVEOPT"[..], &[0, 3]].concat()
}

/// A reply to NBD_OPT_GO.
fn reply(kind: u32, data: &[u8]) -> Vec<u8> {
    let magic = 0x0003_e889_0455_65a9u64.to_be_bytes();
    let words = [7, kind, data.len() as u32].map(u32::to_be_bytes).concat();
    [&magic[..], &words, data].concat()
}

/// The greeting is answered by flags and by GO for an export of one letter, with block sizes.
const GO_LEN: usize = 4 + 16 + 4 + 1 + 2 + 2;

#[test]
fn the_handshake_asks_for_simple_replies_and_leaves_politely() {
    let export = [&[0, 0][..], &(1u64 << 30).to_be_bytes(), &[0, 5]].concat();
    let (backend, server) =
        serve("go", vec![(0, greeting()), (GO_LEN, [reply(3, &export), reply(1, &[])].concat())]);
    let link = dial(&backend).unwrap();
    assert_eq!((link.opened.size, link.opened.headers), (1 << 30, Headers::Simple));
    assert!(!link.is_taken(), "no kernel has set a limit");
    link.leave();
    let heard = server.join().unwrap();
    assert_eq!(heard[4..16], [&b"IHAVEOPT"[..], &[0, 0, 0, 7]].concat(), "GO comes first");
    assert_eq!(heard.len(), GO_LEN + 28);
    assert_eq!(heard[GO_LEN..GO_LEN + 8], [0x25, 0x60, 0x95, 0x13, 0, 0, 0, 2], "a farewell");
}

#[test]
fn a_refusal_names_the_export_and_the_remedy() {
    let unknown = reply(0x8000_0006, b"no such thing");
    let (backend, server) = serve("unknown", vec![(0, greeting()), (GO_LEN, unknown)]);
    let error = dial(&backend).unwrap_err().to_string();
    assert!(error.contains("nbd+unix:///a?") && error.contains("nbdinfo --list"), "{error}");
    server.join().unwrap();
}

#[test]
fn what_is_no_nbd_server_is_said_to_be_none() {
    let (backend, server) = serve("http", vec![(0, b"HTTP/1.1 400 Bad Request\r\n".to_vec())]);
    let error = dial(&backend).unwrap_err().to_string();
    assert!(error.contains("no NBD server"), "{error}");
    server.join().unwrap();
}

#[test]
fn nobody_there_is_said_with_a_remedy() {
    let address = "/nowhere/byway.sock".parse().unwrap();
    let error = dial(&Backend { address, export: String::new() }).unwrap_err().to_string();
    assert!(error.contains("connect") && error.contains("start the server"), "{error}");
}
