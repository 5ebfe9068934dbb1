//! Programs by others that tests talk to, each a child process on 127.0.0.1 with files in a folder
//! of its own: Debian's `tgtd` and `istgt`, libiscsi's tools, and NBD servers. A service that the system runs is
//! never touched: ports, control sockets and configurations are the test's own. A test that lacks
//! a package says so on its output and passes: see [`is_missing`].

#![allow(dead_code, unused_imports, reason = "each test takes the peers that it needs")]

mod istgt;
pub(crate) mod nbd;
mod tgt;
mod tools;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::Folder;

pub(crate) use istgt::istgt;
pub(crate) use tgt::{Chap, Tgt, TgtOptions, tgt};
pub(crate) use tools::{iscsi_test_cu, tool};

/// How long a program may take until it answers.
const READY_MAX: Duration = Duration::from_secs(20);
/// The name of every target.
pub(crate) const TARGET: &str = "iqn.2026-01.org.byway:rig";

/// A running target.
pub(crate) struct Peer {
    child: Child,
    folder: Folder,
    portal: SocketAddr,
    lun: u32,
}

impl Peer {
    /// Where it listens.
    pub(crate) fn portal(&self) -> SocketAddr {
        self.portal
    }

    /// The logical unit, as `iscsi://HOST:PORT/IQN/LUN`.
    pub(crate) fn uri(&self) -> String {
        format!("iscsi://{}/{TARGET}/{}", self.portal, self.lun)
    }

    /// The file behind the logical unit.
    pub(crate) fn image(&self) -> PathBuf {
        self.folder.path("lun")
    }

    /// What the program has said.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path("log")).unwrap_or_default()
    }

    /// Starts a program that writes its log into the folder, and waits until its portal answers.
    fn start(mut command: Command, folder: Folder, portal: SocketAddr, lun: u32) -> Peer {
        let log = std::fs::File::create(folder.path("log")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let child = command.spawn().unwrap();
        let mut peer = Peer { child, folder, portal, lun };
        peer.wait_for("its portal", |peer| TcpStream::connect(peer.portal).is_ok());
        peer
    }

    /// Asks until the answer is yes; the processor goes to the child in between.
    fn wait_for(&mut self, what: &str, is_there: impl Fn(&Peer) -> bool) {
        let start = Instant::now();
        while !is_there(self) {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "ended with {ended:?} before {what}: {}", self.log());
            assert!(start.elapsed() < READY_MAX, "no answer from {what}: {}", self.log());
            std::thread::yield_now();
        }
    }
}

impl Drop for Peer {
    /// SIGKILL, to this one process: tgtd ignores SIGTERM while it has targets, and istgt takes
    /// seconds to end.
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }
}

/// Whether a program is missing; then the output names the test, and why it is skipped.
pub(crate) fn is_missing(test: &str, program: &str, package: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Daemons lie where the search path of a plain user does not lead.
    let places = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    let is_there = places.into_iter().any(|place| place.join(program).is_file());
    if !is_there {
        println!("skipped: {test}: {program} is not installed (apt-get install {package})");
    }
    !is_there
}

/// A port that was free a moment ago.
fn free_portal() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap()
}

/// A program of the path or of /usr/sbin.
fn daemon(name: &str) -> Command {
    let sbin = PathBuf::from("/usr/sbin").join(name);
    Command::new(if sbin.is_file() { sbin } else { name.into() })
}
