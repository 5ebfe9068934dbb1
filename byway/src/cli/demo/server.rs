//! The servers of the demo: this program once more, as processes of their own that can be killed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::cli::failure::Failure;

/// A server process. Dropping it kills the process.
pub(super) struct Server {
    /// What people call it.
    pub(super) name: &'static str,
    /// The command line that serves at the same place again.
    args: Vec<String>,
    child: Child,
    /// Held open, so that the process can print.
    _out: BufReader<ChildStdout>,
    /// Where it serves the disk.
    pub(super) uri: String,
}

impl Server {
    /// Serves the device `lun` over iSCSI on a loopback port that the kernel chooses, and waits until
    /// it does.
    pub(super) fn target(lun: &str, state: &Path) -> Result<Server, Failure> {
        let state = state.display().to_string();
        let args = |portal: &str| -> Vec<String> {
            let words = ["target", "serve", "--portal", portal, "--lun", lun, "--state", &state];
            words.map(str::to_owned).into()
        };
        let mut server = Server::start("target", args("127.0.0.1:0"))?;
        let portal = server.uri.trim_start_matches("iscsi://").split('/').next();
        server.args = args(portal.unwrap_or_default());
        Ok(server)
    }

    /// Serves the device `uri` over NBD on a Unix socket, and waits until it does.
    pub(super) fn export(uri: &str, socket: &Path) -> Result<Server, Failure> {
        let socket = socket.display().to_string();
        let words = ["export", uri, "--socket", &socket, "--poll-mode", "never"];
        Server::start("export", words.map(str::to_owned).into())
    }

    fn start(name: &'static str, args: Vec<String>) -> Result<Server, Failure> {
        let (child, out, uri) = launch(name, &args)?;
        Ok(Server { name, args, child, _out: out, uri })
    }

    /// Kills the process, as a crash would.
    pub(super) fn kill(&mut self) {
        // One that has ended already cannot be killed, and needs not be.
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }

    /// Starts it again at the same place.
    pub(super) fn restart(&mut self) -> Result<(), Failure> {
        let (child, out, _) = launch(self.name, &self.args)?;
        (self.child, self._out) = (child, out);
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

type Launched = (Child, BufReader<ChildStdout>, String);

fn launch(name: &str, args: &[String]) -> Result<Launched, Failure> {
    let failed = |why: String| Failure::failed(format!("the demo's {name}: {why}"));
    let program = std::env::current_exe().map_err(|error| failed(error.to_string()))?;
    let mut command = Command::new(program);
    command.args(args).arg("--with-parent");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
    let mut out = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut line = String::new();
    let read = out.read_line(&mut line);
    if read.is_ok() && line.contains("://") {
        return Ok((child, out, line.trim_end().to_owned()));
    }
    let ended = child.wait_with_output();
    let words = ended.map(|output| String::from_utf8_lossy(&output.stderr).trim().to_owned());
    Err(failed(words.unwrap_or_else(|error| error.to_string())))
}
