//! The target of the demo: this program once more, as a process of its own that can be killed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::cli::failure::Failure;

/// A target process. Dropping it kills the process.
pub(super) struct Server {
    lun: String,
    child: Child,
    /// Held open, so that the process can print.
    _out: BufReader<ChildStdout>,
    /// Where it serves the disk.
    pub(super) uri: String,
}

impl Server {
    /// Serves the device `lun` on a loopback port that the kernel chooses, and waits until it does.
    pub(super) fn start(lun: &str, state: &Path) -> Result<Server, Failure> {
        let (child, out, uri) = launch(lun, state, "127.0.0.1:0")?;
        Ok(Server { lun: lun.to_owned(), child, _out: out, uri })
    }

    /// Kills the process, as a crash would.
    pub(super) fn kill(&mut self) {
        // One that has ended already cannot be killed, and needs not be.
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }

    /// Starts it again at the same port.
    pub(super) fn restart(&mut self, state: &Path) -> Result<(), Failure> {
        let portal = self.uri.trim_start_matches("iscsi://").split('/').next().unwrap_or_default();
        let (child, out, _) = launch(&self.lun, state, portal)?;
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

fn launch(lun: &str, state: &Path, portal: &str) -> Result<Launched, Failure> {
    let failed = |why: String| Failure::failed(format!("the demo's target: {why}"));
    let program = std::env::current_exe().map_err(|error| failed(error.to_string()))?;
    let mut command = Command::new(program);
    command.args(["target", "serve", "--with-parent", "--portal", portal, "--lun", lun]);
    command.arg("--state").arg(state);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
    let mut out = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut line = String::new();
    let read = out.read_line(&mut line);
    if read.is_ok() && line.starts_with("iscsi://") {
        return Ok((child, out, line.trim_end().to_owned()));
    }
    let ended = child.wait_with_output();
    let words = ended.map(|output| String::from_utf8_lossy(&output.stderr).trim().to_owned());
    Err(failed(words.unwrap_or_else(|error| error.to_string())))
}
