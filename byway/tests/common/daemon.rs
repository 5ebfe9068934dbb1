//! The daemon as a process, and those who ask it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::common::{Folder, byway};

/// A daemon with a configuration in a folder, and what the service manager hears.
pub(crate) struct Daemon {
    pub(crate) child: Child,
    pub(crate) out: BufReader<ChildStdout>,
    pub(crate) manager: UnixDatagram,
}

impl Daemon {
    pub(crate) fn start(folder: &Folder, config: &str) -> Daemon {
        Daemon::start_with(folder, config, &[])
    }

    /// The same, with more in its environment.
    pub(crate) fn start_with(folder: &Folder, config: &str, more: &[(&str, &str)]) -> Daemon {
        std::fs::write(folder.path("byway.toml"), config).unwrap();
        let manager = UnixDatagram::bind(folder.path("notify")).unwrap();
        manager.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut command = byway(&["serve", "--with-parent", "--config"]);
        command.arg(folder.path("byway.toml")).env("NOTIFY_SOCKET", folder.path("notify"));
        command.envs(more.iter().copied());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let daemon = Daemon { child, out, manager };
        daemon.hears("READY=1");
        daemon
    }

    /// Waits for a message that begins so.
    pub(crate) fn hears(&self, what: &str) -> String {
        loop {
            let mut bytes = [0; 4096];
            let len = match self.manager.recv(&mut bytes) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                received => received.unwrap(),
            };
            let text = String::from_utf8(bytes[..len].to_vec()).unwrap();
            if text.starts_with(what) {
                return text;
            }
        }
    }

    /// The next line that it prints.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        self.child.wait().unwrap();
    }
}

/// What a program says that has to end well.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// Whether a program is here.
pub(crate) fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        println!("{program} is not here: skipped");
    }
    found
}

/// What a daemon tells of itself.
pub(crate) fn status(folder: &Folder) -> serde_json::Value {
    let control = folder.path("control.sock");
    let text = run(byway(&["status", "--json", "--control"]).arg(control));
    serde_json::from_str(&text).unwrap()
}

/// A page of the daemon's.
pub(crate) fn http(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// An `[[export]]`.
pub(crate) fn export(name: &str, uri: &str) -> String {
    format!("[[export]]\nname = \"{name}\"\nuri = \"{uri}\"\n")
}

/// `[daemon]` with a control socket, and a listener for all exports.
pub(crate) fn head(folder: &Folder) -> String {
    let (control, socket) = (folder.path("control.sock"), folder.path("nbd.sock"));
    format!(
        "[daemon]\ncontrol = \"{}\"\nmemory = \"32m\"\nmetrics = \"127.0.0.1:0\"\n\
         [limits]\ndrain = \"2s\"\n[[listen]]\naddress = \"unix:{}\"\n",
        control.display(),
        socket.display()
    )
}
