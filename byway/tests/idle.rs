//! A thousand clients that ask for nothing, and what they cost the process that serves them: resident
//! memory, read before and after.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[allow(dead_code, reason = "of these helpers, a part is needed")]
mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};

use common::{Folder, byway};

const CLIENTS: u32 = 900;
/// Clients before those that are counted: what is taken once is there by then.
const WARM_UP: u32 = 50;
/// Resident bytes of an idle NBD connection, and of an idle iSCSI session.
const CONNECTION_MAX: u64 = 32 << 10;
const SESSION_MAX: u64 = 64 << 10;
const BHS_LEN: usize = 48;
const TRANSIT: u8 = 0x80;

/// A server process. It ends with its value.
struct Served {
    child: Child,
    /// What it says when it serves.
    line: String,
}

impl Served {
    fn start(args: &[&str]) -> Served {
        let mut child = byway(args).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Served { child, line: line.trim_end().to_owned() }
    }

    fn resident_bytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
    }

    /// Resident bytes that a client costs, by those that come after the first ones.
    fn cost<T>(&self, connect: impl Fn(u32) -> T) -> u64 {
        let _first: Vec<T> = (0..WARM_UP).map(&connect).collect();
        let before = self.resident_bytes();
        let _rest: Vec<T> = (WARM_UP..WARM_UP + CLIENTS).map(&connect).collect();
        let grown = self.resident_bytes() - before;
        assert!(grown > 0, "a client costs nothing: it is not there");
        grown / u64::from(CLIENTS)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// The fixed newstyle handshake, by the option that has no answer but size and flags (NBD,
/// 'NBD_OPT_EXPORT_NAME').
fn shake_hands(socket: &std::path::Path) -> UnixStream {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.read_exact(&mut [0; 18]).unwrap();
    let option = [&b"IHAVEOPT"[..], &1u32.to_be_bytes(), &0u32.to_be_bytes()].concat();
    stream.write_all(&[&3u32.to_be_bytes()[..], &option].concat()).unwrap();
    stream.read_exact(&mut [0; 10]).unwrap();
    stream
}

/// A login without a challenge (RFC 7143, 11.12 and 11.13).
fn log_in(portal: &str, target: &str, qualifier: u32) -> TcpStream {
    let text = format!(
        "InitiatorName=iqn.2026-01.example:idle\0TargetName={target}\0SessionType=Normal\0"
    );
    let mut stream = TcpStream::connect(portal).unwrap();
    ask(&mut stream, &text, qualifier, 0);
    // The target says what it wants, and is asked again.
    let mut answer = answer_to(&mut stream);
    if answer[1] & TRANSIT == 0 {
        let stat_sn = u32::from_be_bytes(answer[24..28].try_into().unwrap());
        ask(&mut stream, "", qualifier, stat_sn + 1);
        answer = answer_to(&mut stream);
    }
    assert_eq!(answer[1], 0x87, "the full feature phase begins");
    stream
}

/// A login request, immediate, from operational negotiation to the full feature phase.
fn ask(stream: &mut TcpStream, text: &str, qualifier: u32, exp_stat_sn: u32) {
    let mut bhs = [0; BHS_LEN];
    (bhs[0], bhs[1], bhs[8]) = (0x43, TRANSIT | 0x07, 0x80);
    bhs[5..8].copy_from_slice(&(text.len() as u32).to_be_bytes()[1..]);
    bhs[9..13].copy_from_slice(&qualifier.to_be_bytes());
    bhs[28..32].copy_from_slice(&exp_stat_sn.to_be_bytes());
    let padding = vec![0; text.len().next_multiple_of(4) - text.len()];
    stream.write_all(&[&bhs, text.as_bytes(), &padding].concat()).unwrap();
}

fn answer_to(stream: &mut TcpStream) -> [u8; BHS_LEN] {
    let mut answer = [0; BHS_LEN];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!((answer[0], answer[36]), (0x23, 0), "the login goes well");
    let len = u32::from_be_bytes([0, answer[5], answer[6], answer[7]]) as usize;
    stream.read_exact(&mut vec![0; len.next_multiple_of(4)]).unwrap();
    answer
}

#[test]
fn an_idle_nbd_connection_is_cheap() {
    let folder = Folder::new("idle-nbd");
    let socket = folder.path("socket");
    let at = socket.display().to_string();
    let served = Served::start(&["export", "mem:64m", "--with-parent", "--socket", &at]);
    assert!(served.line.starts_with("nbd+unix:"), "the export says {}", served.line);
    let bytes = served.cost(|_| shake_hands(&socket));
    println!("an idle NBD connection costs {bytes} resident bytes");
    assert!(bytes < CONNECTION_MAX, "an idle connection costs {bytes} bytes");
}

#[test]
fn an_idle_iscsi_session_is_cheap() {
    let args = ["target", "serve", "--with-parent", "--portal", "127.0.0.1:0", "--lun", "mem:64m"];
    let served = Served::start(&args);
    // iscsi://ADDRESS/NAME/LUN
    let mut words = served.line.trim_start_matches("iscsi://").split('/');
    let (portal, target) = (words.next().unwrap(), words.next().unwrap());
    let bytes = served.cost(|qualifier| log_in(portal, target, qualifier));
    println!("an idle iSCSI session costs {bytes} resident bytes");
    assert!(bytes < SESSION_MAX, "an idle session costs {bytes} bytes");
}
