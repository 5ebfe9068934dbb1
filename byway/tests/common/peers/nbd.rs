//! NBD servers for tests, each a child process on a Unix socket in a folder of its own: ours, and
//! nbdkit and qemu-nbd of Debian, against which the tests themselves are proved.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use super::is_missing;
use crate::common::{Folder, byway};

/// The library by which scripts speak NBD, and its Debian package.
const PYTHON: &str = "/usr/bin/python3";
const LIBNBD: &str = "python3-libnbd";
/// A client that takes longer hangs, in seconds.
const CLIENT_S_MAX: &str = "100";

/// A server process. It ends with its value.
pub(crate) struct NbdServer {
    child: Child,
    folder: Folder,
    /// The export, as `nbd+unix:///NAME?socket=PATH`.
    pub(crate) uri: String,
    /// Whether it is ours.
    pub(crate) is_ours: bool,
}

impl NbdServer {
    /// `byway export` of a device, with more arguments.
    pub(crate) fn own(test: &str, device: &str, args: &[&str]) -> NbdServer {
        let folder = Folder::new(&format!("nbd-{test}"));
        let (child, uri) = serve(device, &folder.path("socket"), args);
        NbdServer { child, folder, uri, is_ours: true }
    }

    /// After a crash, the same at the same place: `byway export` of a device.
    pub(crate) fn come_back(&mut self, device: &str, args: &[&str]) {
        (self.child, self.uri) = serve(device, &self.socket(), args);
    }

    /// nbdkit with a plugin and its words, or why the test is skipped.
    pub(crate) fn nbdkit(test: &str, words: &[&str]) -> Option<NbdServer> {
        if is_missing(test, "nbdkit", "nbdkit") {
            return None;
        }
        let folder = Folder::new(&format!("nbdkit-{test}"));
        let mut command = Command::new("nbdkit");
        command.args(["-f", "--exit-with-parent", "-U"]).arg(folder.path("socket")).args(words);
        Some(NbdServer::of_others(command, folder, ""))
    }

    /// qemu-nbd with a raw file, or why the test is skipped.
    pub(crate) fn qemu_nbd(test: &str, file: &Path, words: &[&str]) -> Option<NbdServer> {
        if is_missing(test, "qemu-nbd", "qemu-utils") {
            return None;
        }
        let folder = Folder::new(&format!("qemu-nbd-{test}"));
        let mut command = Command::new("qemu-nbd");
        command.args(["-f", "raw", "-t", "-e", "16", "--discard=unmap", "-x", "disk", "-k"]);
        command.arg(folder.path("socket")).args(words).arg(file);
        Some(NbdServer::of_others(command, folder, "disk"))
    }

    fn of_others(mut command: Command, folder: Folder, name: &str) -> NbdServer {
        let log = std::fs::File::create(folder.path("log")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let mut child = command.spawn().unwrap();
        let socket = folder.path("socket");
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            let log = std::fs::read_to_string(folder.path("log")).unwrap_or_default();
            assert!(child.try_wait().unwrap().is_none(), "the server has ended: {log}");
            std::thread::yield_now();
        }
        let uri = format!("nbd+unix:///{name}?socket={}", socket.display());
        NbdServer { child, folder, uri, is_ours: false }
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path("socket")
    }

    /// The name of the export.
    pub(crate) fn export(&self) -> &str {
        let (_, rest) = self.uri.split_once(":///").unwrap();
        rest.split('?').next().unwrap()
    }

    /// Kills it, as a crash would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for NbdServer {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }
}

/// Starts `byway export`, and waits until it serves.
fn serve(device: &str, socket: &Path, args: &[&str]) -> (Child, String) {
    let mut command = byway(&["export", device, "--with-parent", "--socket"]);
    command.arg(socket).args(args).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("nbd+unix:///"), "the export says '{line}'");
    (child, line.trim_end().to_owned())
}

/// What a client printed; it must have ended well.
pub(crate) fn client(program: &str, args: &[&str]) -> String {
    let output = run_client(program, args);
    let text = said(&output);
    assert!(output.status.success(), "{program} {args:?}: {}: {text}", output.status);
    text
}

/// A client that may fail.
pub(crate) fn run_client(program: &str, args: &[&str]) -> Output {
    let mut command = Command::new("timeout");
    command.args(["-s", "KILL", CLIENT_S_MAX, program]).args(args).stdin(Stdio::null());
    command.output().unwrap()
}

/// Both outputs of a program.
pub(crate) fn said(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    format!("{out}{err}")
}

/// Runs a script of `tests/nbd_scripts`; those that use libnbd say so.
pub(crate) fn script(name: &str, args: &[&str]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nbd_scripts");
    let path = folder.join(name).display().to_string();
    let all: Vec<_> = ["-B", &path].into_iter().chain(args.iter().copied()).collect();
    let text = client(PYTHON, &all);
    assert!(text.contains("done"), "{name}: {text}");
}

/// Whether scripts cannot use libnbd; then the output says why the test is skipped.
pub(crate) fn is_libnbd_missing(test: &str) -> bool {
    let found = Command::new(PYTHON).args(["-c", "import nbd"]).output();
    let is_there = found.is_ok_and(|output| output.status.success());
    if !is_there {
        println!("skipped: {test}: no libnbd for {PYTHON} (apt-get install {LIBNBD})");
    }
    !is_there
}

/// Whether scripts cannot run at all.
pub(crate) fn is_python_missing(test: &str) -> bool {
    is_missing(test, "python3", "python3")
}
