//! A server that is measured through a client: started for each run, on a core of its own, and its
//! system calls counted from outside by strace(1), where it is installed and may look.
//!
//! A server never outlives the measurement: `setpriv` of util-linux has the kernel kill it with the
//! thread that started it.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use byway_engine::SetupError;
use byway_engine::core::Clock;

use super::contender::{nameless_file, shell_line, text_of};

/// How long a server may take until it answers, a counter until it looks, and a device until nobody
/// holds it, in nanoseconds.
const READY_NS_MAX: u64 = 10_000_000_000;
/// Between two looks whether it does.
const LOOK: Duration = Duration::from_millis(2);

/// open(2): of a block device, for nobody else beside. The number is that of all architectures.
const O_EXCL: i32 = 0o200;

/// A server on a Unix socket.
#[derive(Clone, Debug)]
pub struct Server {
    /// The program.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Where it listens.
    pub socket: PathBuf,
    /// The block device that it opens for itself alone: waited for, as the kernel closes the files of
    /// an io_uring some time after the end of the process that had it.
    pub device: Option<PathBuf>,
    /// The core it is pinned to; wherever the kernel puts it otherwise.
    pub core: Option<usize>,
    /// System calls for each operation, once they are counted.
    pub syscalls_per_io: f64,
}

/// A server that answers. Dropping it kills the process.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    socket: PathBuf,
}

impl Server {
    /// The whole command line, as a shell takes it.
    pub fn command(&self) -> String {
        let mut words = self.words();
        shell_line(&words.remove(0), &words)
    }

    fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        if let Some(core) = self.core {
            words.extend(["taskset".into(), "-c".into(), core.to_string()]);
        }
        words.push(self.program.clone());
        words.extend(self.args.iter().cloned());
        words
    }

    /// Starts it, and waits until it accepts a connection.
    pub(super) fn start(&self) -> Result<Running, SetupError> {
        let command = self.command();
        let failed = |problem: String| {
            SetupError::new("the server", problem, format!("try it by hand: {command}"))
        };
        let said = |error: std::io::Error| failed(error.to_string());
        if let Some(device) = self.device.as_ref().filter(|device| !until(|| !is_held(device))) {
            let name = device.display().to_string();
            return Err(SetupError::new(name, "in use", "stop the program that uses it"));
        }
        // One that is killed leaves its socket behind.
        let _absent = fs::remove_file(&self.socket);
        let mut log = nameless_file().map_err(said)?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).args(self.words()).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(log.try_clone().map_err(said)?);
        let child = command.spawn().map_err(said)?;
        let mut running = Running { child, socket: self.socket.clone() };
        if !until(|| UnixStream::connect(&self.socket).is_ok() || running.has_ended()) {
            return Err(failed("does not listen".into()));
        }
        match running.has_ended() {
            true => Err(failed(last_line(&mut log))),
            false => Ok(running),
        }
    }
}

/// True where somebody has the block device for himself alone.
pub(super) fn is_held(device: &Path) -> bool {
    let opened = OpenOptions::new().read(true).custom_flags(O_EXCL).open(device);
    matches!(opened, Err(error) if error.kind() == ErrorKind::ResourceBusy)
}

fn last_line(log: &mut File) -> String {
    let text = text_of(log).unwrap_or_default();
    let last = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("says nothing");
    format!("ended: {last}")
}

/// Whether something came true in time.
fn until(mut is_true: impl FnMut() -> bool) -> bool {
    let clock = Clock::real();
    let end = clock.now() + READY_NS_MAX;
    while !is_true() {
        if clock.now() > end {
            return false;
        }
        std::thread::park_timeout(LOOK);
    }
    true
}

impl Running {
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Counts system calls from here on; none where that cannot be done.
    pub(super) fn count_calls(&self) -> Option<Counting> {
        let name = format!("byway-calls-{}-{}", std::process::id(), self.id());
        let file = std::env::temp_dir().join(name);
        let mut command = Command::new("strace");
        command.args(["-c", "-f", "-p", &self.id().to_string(), "-o"]).arg(&file);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut counting = Counting { child: command.spawn().ok()?, file };
        let is_looking = || is_traced(self.id()) || counting.has_ended();
        (until(is_looking) && !counting.has_ended()).then_some(counting)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, and needs not be.
        let _gone = self.child.kill();
        let _status = self.child.wait();
        let _absent = fs::remove_file(&self.socket);
    }
}

/// Whether somebody looks at every thread of a process: proc(5), `TracerPid` of `/proc/PID/status`.
fn is_traced(pid: u32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    threads.flatten().all(|thread| {
        let status = fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:"));
        tracer.is_some_and(|id| id.trim() != "0")
    })
}

/// An strace that counts until the server ends. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Counting {
    child: Child,
    file: PathBuf,
}

impl Counting {
    fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// The number, after the server has ended.
    pub(super) fn total(mut self) -> Option<u64> {
        let _status = self.child.wait().ok()?;
        total(&fs::read_to_string(&self.file).ok()?)
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _status = self.child.wait();
        let _absent = fs::remove_file(&self.file);
    }
}

/// The calls of the last line of strace's table: `100.00 0.5 5 1234 12 total`.
pub(super) fn total(table: &str) -> Option<u64> {
    let line = table.lines().rfind(|line| line.trim_end().ends_with(" total"))?;
    line.split_ascii_whitespace().nth(3)?.parse().ok()
}
