//! One program that does the work: its command line, and how its output reads.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use byway_engine::SetupError;
use serde::{Deserialize, Serialize};

use super::meter;
use super::server::{Running, Server};
use crate::report::{FioRun, run_json};

/// The options whose word is the time to run: a trial replaces it.
const RUNTIME_OPTIONS: [&str; 2] = ["--runtime", "--runtime="];

/// What one run of a program brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Operations per second.
    pub iops: f64,
    /// User and system time of the process for each operation, in nanoseconds; of the server where
    /// there is one.
    pub cpu_ns_per_io: f64,
    /// The same of a server's client; zero where there is no server.
    #[serde(default)]
    pub client_cpu_ns_per_io: f64,
    /// The median latency in nanoseconds; zero where it was not measured.
    #[serde(default)]
    pub p50_ns: u64,
    /// The 99th percentile in nanoseconds; zero where it was not measured.
    pub p99_ns: u64,
    /// System calls for each operation, of the server where there is one; zero where nobody counts
    /// them.
    #[serde(default)]
    pub syscalls_per_io: f64,
    /// Operations from start to end, also those that do not count; zero where nobody tells.
    #[serde(default)]
    pub ios: u64,
}

/// A program with its arguments.
#[derive(Clone, Debug)]
pub struct Contender {
    /// Its name in tables.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The program.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// How its output reads.
    pub read: fn(&str) -> Result<Figures, String>,
    /// The server that the program drives, where it is the server that is measured.
    pub server: Option<Server>,
}

impl Contender {
    /// The whole command line, as a shell takes it.
    pub fn command(&self) -> String {
        shell_line(&self.program, &self.args)
    }

    /// Runs the program and reads what it prints.
    pub fn run(&self) -> Result<Figures, SetupError> {
        let server = self.start_server()?;
        self.run_with(&self.args, server.as_ref())
    }

    fn start_server(&self) -> Result<Option<Running>, SetupError> {
        self.server.as_ref().map(Server::start).transpose()
    }

    /// As [`Contender::run`], for half a second.
    pub(super) fn trial(&self) -> Result<Figures, SetupError> {
        let server = self.start_server()?;
        self.short_run(server.as_ref())
    }

    /// Counts the server's system calls in a short run apart, as counting slows both sides down.
    /// Where nobody may count, the number stays zero.
    pub(super) fn count_calls(&mut self) -> Result<(), SetupError> {
        let Some(server) = self.start_server()? else { return Ok(()) };
        let Some(counting) = server.count_calls() else { return Ok(()) };
        let ios = self.short_run(Some(&server))?.ios;
        drop(server);
        if let (Some(server), Some(calls)) = (&mut self.server, counting.total()) {
            server.syscalls_per_io = calls as f64 / ios.max(1) as f64;
        }
        Ok(())
    }

    fn short_run(&self, server: Option<&Running>) -> Result<Figures, SetupError> {
        let mut args = self.args.clone();
        for at in 0..args.len() {
            if args[at] == RUNTIME_OPTIONS[0] && at + 1 < args.len() {
                args[at + 1] = "500ms".into();
            } else if args[at].starts_with(RUNTIME_OPTIONS[1]) {
                args[at] = "--runtime=500ms".into();
            }
        }
        self.run_with(&args, server)
    }

    fn run_with(&self, args: &[String], server: Option<&Running>) -> Result<Figures, SetupError> {
        let failed = |problem: String| {
            SetupError::new(
                self.name.clone(),
                problem,
                format!("try it by hand: {}", self.command()),
            )
        };
        let ran = self.watched(args, server).map_err(|error| failed(error.to_string()))?;
        if !ran.status.success() {
            let last = ran.stderr.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
            return Err(failed(format!("ended with {}: {last}", ran.status)));
        }
        let own = (self.read)(&ran.stdout).map_err(failed)?;
        let per_io = |rate: Option<f64>| rate.filter(|_| own.iops > 0.0).map(|ns| ns / own.iops);
        let seen = per_io(ran.cpu_ns_per_second).unwrap_or(own.cpu_ns_per_io);
        Ok(match &self.server {
            None => Figures { cpu_ns_per_io: seen, ..own },
            Some(server) => Figures {
                cpu_ns_per_io: per_io(ran.server_ns_per_second).unwrap_or(0.0),
                client_cpu_ns_per_io: seen,
                syscalls_per_io: server.syscalls_per_io,
                ..own
            },
        })
    }

    /// Runs the program under the meter. Its output goes to files without a name, so that nobody
    /// has to empty a pipe meanwhile.
    fn watched(&self, args: &[String], server: Option<&Running>) -> io::Result<Ran> {
        let (mut stdout, mut stderr) = (nameless_file()?, nameless_file()?);
        let mut command = Command::new(&self.program);
        command.args(args).stdin(Stdio::null());
        command.stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
        let watched = meter::watch(&mut command.spawn()?, server.map(Running::id))?;
        Ok(Ran {
            status: watched.status,
            cpu_ns_per_second: watched.own,
            server_ns_per_second: watched.server,
            stdout: text_of(&mut stdout)?,
            stderr: text_of(&mut stderr)?,
        })
    }
}

/// A program that has ended.
struct Ran {
    status: ExitStatus,
    cpu_ns_per_second: Option<f64>,
    server_ns_per_second: Option<f64>,
    stdout: String,
    stderr: String,
}

/// A command line, as a shell takes it.
pub(super) fn shell_line(program: &str, args: &[String]) -> String {
    let quote = |word: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,%+".contains(c);
        match !word.is_empty() && word.chars().all(plain) {
            true => word.to_owned(),
            false => format!("'{}'", word.replace('\'', "'\\''")),
        }
    };
    let words = std::iter::once(program).chain(args.iter().map(String::as_str));
    words.map(quote).collect::<Vec<_>>().join(" ")
}

/// A file of the temporary folder that loses its name at once.
pub(super) fn nameless_file() -> io::Result<File> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let (id, next) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(format!("byway-peers-{id}-{next}"));
    let file =
        OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

pub(super) fn text_of(file: &mut File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The first line that a program prints about itself, or what to do where it is not there.
pub fn program_version(program: &str, remedy: &str) -> Result<String, SetupError> {
    let output = Command::new(program).arg("--version").output().map_err(|error| {
        let problem = match error.kind() {
            std::io::ErrorKind::NotFound => "not installed".into(),
            _ => error.to_string(),
        };
        SetupError::new(Path::new(program).display().to_string(), problem, remedy)
    })?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().next().unwrap_or("unknown").trim().to_owned())
}

/// Reads what `bench run --json -` prints.
pub fn from_byway(text: &str) -> Result<Figures, String> {
    let run = run_json("output", text).map_err(|error| error.to_string())?;
    let (cpu_ns_per_io, syscalls_per_io) = (run.x.cpu_ns_per_io, run.x.syscalls_per_io);
    Ok(Figures { cpu_ns_per_io, syscalls_per_io, ..of_jobs(&run)? })
}

/// Operations and percentiles of all jobs.
pub(super) fn of_jobs(run: &FioRun) -> Result<Figures, String> {
    if let Some(job) = run.jobs.iter().find(|job| job.error != 0) {
        return Err(format!("job {} failed with errno {}", job.jobname, job.error));
    }
    let sides = || run.jobs.iter().flat_map(|job| [&job.read, &job.write]);
    let at = |percentile: &str| {
        let found = sides().filter_map(|side| side.clat_ns.percentile.get(percentile)).max();
        found.copied().unwrap_or(0)
    };
    let iops = sides().map(|side| side.iops).sum();
    let ios = sides().map(|side| side.total_ios).sum();
    let (p50_ns, p99_ns) = (at("50.000000"), at("99.000000"));
    Ok(Figures { iops, p50_ns, p99_ns, ios, ..Figures::default() })
}

/// Reads what `bench ceiling` prints.
pub fn from_ceiling(text: &str) -> Result<Figures, String> {
    #[derive(Deserialize)]
    struct Printed {
        iops: f64,
        cpu_ns_per_io: f64,
        #[serde(default)]
        syscalls_per_io: f64,
        #[serde(default)]
        p50_ns: u64,
        #[serde(default)]
        p99_ns: u64,
        #[serde(default)]
        ios: u64,
    }
    let printed: Printed = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let Printed { iops, cpu_ns_per_io, syscalls_per_io, p50_ns, p99_ns, ios } = printed;
    let none = Figures::default();
    Ok(Figures { iops, cpu_ns_per_io, syscalls_per_io, p50_ns, p99_ns, ios, ..none })
}
