//! The NBD client against servers by others: nbdkit and qemu-nbd, each on a socket of its own.

#![allow(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

#[allow(dead_code, reason = "of these helpers, some are for other tests")]
mod common;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{Folder, byway};

/// A server that ends with the test.
struct Server {
    child: Child,
    socket: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Starts a server and waits for its socket; nothing, with a message, where it is not installed.
fn start(program: &str, socket: &Path, args: &[&str]) -> Option<Server> {
    let quiet = Stdio::null;
    let child = Command::new(program).args(args).stdout(quiet()).stderr(quiet()).spawn();
    let Ok(child) = child else {
        println!("skipped: {program} is not installed");
        return None;
    };
    let server = Server { child, socket: socket.to_owned() };
    let until = Instant::now() + Duration::from_secs(20);
    while std::os::unix::net::UnixStream::connect(socket).is_err() {
        assert!(Instant::now() < until, "{program} does not listen");
        std::thread::yield_now();
    }
    Some(server)
}

/// Writes stamped blocks and checks what is read.
fn verified(server: &Server, words: &[&str]) {
    let uri = format!("nbd+unix:///?socket={}", server.socket.display());
    let args = ["bench", "run", &uri, "--rw", "randrw", "--verify", "crc32c"];
    let output = byway(&args).args(["--runtime", "300ms"]).args(words).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
}

#[test]
fn blocks_come_back_from_nbdkit() {
    let folder = Folder::new("nbd-client-nbdkit");
    for (name, words) in [("small", ["--bs", "4k"]), ("large", ["--bs", "1m"])] {
        let socket = folder.path(name);
        let path = socket.to_str().unwrap();
        let Some(server) = start("nbdkit", &socket, &["-f", "-U", path, "memory", "64M"]) else {
            return;
        };
        verified(&server, &words);
    }
}

#[test]
fn blocks_come_back_from_qemu_nbd() {
    let folder = Folder::new("nbd-client-qemu");
    let (socket, image) = (folder.path("socket"), folder.file("image", 64 << 20));
    let args = ["-t", "-e", "8", "-f", "raw", "-k", socket.to_str().unwrap()];
    let args = [&args[..], &[image.to_str().unwrap()]].concat();
    let Some(server) = start("qemu-nbd", &socket, &args) else { return };
    verified(&server, &["--bs", "64k", "--qd", "16"]);
}

#[test]
fn errors_of_the_server_arrive() {
    let folder = Folder::new("nbd-client-error");
    let socket = folder.path("socket");
    let path = socket.to_str().unwrap();
    let args = ["-f", "-U", path, "--filter=error", "memory", "64M", "error-pread=EIO"];
    let args = [&args[..], &["error-pread-rate=100%"]].concat();
    let Some(server) = start("nbdkit", &socket, &args) else { return };
    let uri = format!("nbd+unix:///?socket={}", server.socket.display());
    let output = byway(&["bench", "run", &uri, "--runtime", "100ms"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && text.contains("Eio"), "{text}");
}
