//! Who runs in `byway bench peers --export`: servers that export the same device over NBD on a Unix
//! socket, ours and those of others, each with the same client on another core.
//!
//! Source: nbdkit(1), qemu-storage-daemon(1), qemu-nbd(8).

use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use byway::Uri;
use byway_bench::job::{JobSpec, RunSpec};
use byway_bench::peers::{
    Choice, Contender, SOCKET_NAME, Server, fio_nbd_contender, from_byway, from_ceiling,
    program_version,
};

use super::args::{DriverWord, PeersArgs, PlacementWord};
use super::contenders::{this_program, version};
use super::failure::Failure;
use super::words::WordArgs;

/// Where servers and clients run that are split.
const CORES: (usize, usize) = (0, 1);
/// The name of the export, for servers that need one.
const EXPORT: &str = "disk";

/// What the servers export.
enum Source {
    /// Memory of so many bytes.
    Memory(u64),
    /// A file or block device.
    File { path: PathBuf, direct: bool },
    /// Anything else: only ours knows it.
    Other,
}

impl Source {
    fn block_device(&self) -> Option<PathBuf> {
        let Source::File { path, .. } = self else { return None };
        let is_device = std::fs::metadata(path).is_ok_and(|it| it.file_type().is_block_device());
        is_device.then(|| path.clone())
    }
}

/// Everything that a contender is made of.
struct Doors<'a> {
    args: &'a PeersArgs,
    words: WordArgs,
    spec: RunSpec,
    size: u64,
    socket: PathBuf,
    /// The block device that is exported, where it is one.
    device: Option<PathBuf>,
}

/// Ours, and the others, for the first job of the words; a client is on a core of its own where
/// nothing else is said.
///
/// # Errors
/// Where a program is not installed, or the job is not one for the client.
pub(crate) fn doors(
    args: &PeersArgs,
    words: &WordArgs,
    size: u64,
) -> Result<(Contender, Vec<Choice>), Failure> {
    let mut words = words.clone();
    let is_pinned = words.given.iter().any(|(key, _)| *key == "cores");
    if args.placement == PlacementWord::Split && !is_pinned {
        words.given.push(("cores", CORES.1.to_string()));
    }
    let spec = words.spec(None)?;
    let name = format!("byway-peers-{}.sock", std::process::id());
    let socket = std::env::temp_dir().join(name);
    let source = match args.uri.parse()? {
        Uri::Mem(size) => Source::Memory(size),
        Uri::File { path, direct, .. } => Source::File { path, direct },
        _ => Source::Other,
    };
    let device = source.block_device();
    let doors = Doors { args, words, spec, size, socket, device };
    let ours = doors.ours()?;
    let is_wanted = |name: &str| args.only.is_empty() || args.only.iter().any(|only| only == name);
    let mut peers = Vec::new();
    for (name, candidates) in others(&source) {
        if is_wanted(name) {
            peers.push(doors.choice(name, candidates)?);
        }
    }
    if is_wanted(SOCKET_NAME) {
        peers.push(doors.bare_socket()?);
    }
    if peers.is_empty() {
        let line = "--only: no such server for this device; leave it out to see which there are";
        return Err(Failure::usage(line));
    }
    Ok((ours, peers))
}

type Lines = Vec<Vec<String>>;

/// The command lines of others; `SOCKET` stands for the socket.
fn others(source: &Source) -> Vec<(&'static str, Lines)> {
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    match source {
        Source::Memory(size) => {
            vec![("nbdkit", vec![words(&format!("-f -U SOCKET memory {size}"))])]
        }
        Source::File { path, direct } => {
            let with_path = |line: &str, word: String| {
                let mut words = words(line);
                words.push(word);
                words
            };
            let shown = path.display().to_string();
            let cache = if *direct { "none" } else { "writeback" };
            let qemu_nbd = format!("-f raw -t -e 16 --aio=io_uring --cache={cache} -k SOCKET");
            vec![
                ("nbdkit", vec![with_path("-f -U SOCKET file", shown.clone())]),
                ("qemu-storage-daemon", vec![storage_daemon(path, *direct)]),
                ("qemu-nbd", vec![with_path(&format!("{qemu_nbd} -x {EXPORT}"), shown)]),
            ]
        }
        Source::Other => Vec::new(),
    }
}

/// In its main loop: with a thread of its own, version 7.2 fails an assertion when a client goes.
fn storage_daemon(path: &Path, direct: bool) -> Vec<String> {
    let driver = if path.starts_with("/dev") { "host_device" } else { "file" };
    let cache = if direct { "on" } else { "off" };
    // Its options are split at commas, which are doubled to be taken as they are.
    let shown = path.display().to_string().replace(',', ",,");
    vec![
        "--blockdev".into(),
        format!("{driver},node-name=file,aio=io_uring,cache.direct={cache},filename={shown}"),
        "--blockdev".into(),
        format!("raw,node-name={EXPORT},file=file"),
        "--nbd-server".into(),
        "addr.type=unix,addr.path=SOCKET,max-connections=0".into(),
        "--export".into(),
        format!("nbd,id=export,node-name={EXPORT},writable=on"),
    ]
}

impl Doors<'_> {
    fn ours(&self) -> Result<Contender, Failure> {
        let mut args = vec!["export".into(), self.args.uri.clone(), "--socket".into()];
        args.push("SOCKET".into());
        let more = self.args.export_args.as_deref().unwrap_or_default();
        args.extend(more.split_whitespace().map(str::to_owned));
        let poll_mode = self.words.given.iter().find(|(key, _)| *key == "poll-mode");
        if let Some((_, word)) = poll_mode.filter(|_| !more.contains("--poll-mode")) {
            args.extend(["--poll-mode".into(), word.clone()]);
        }
        self.served("byway", version(), this_program()?, args, "")
    }

    fn choice(&self, name: &str, candidates: Lines) -> Result<Choice, Failure> {
        let package = if name == "nbdkit" { "nbdkit" } else { "qemu-utils qemu-system-x86" };
        let remedy = format!(
            "install it (Debian: apt-get install {package}), or leave it out with \
            --only"
        );
        let version = program_version(name, &remedy)?;
        let of = |args| self.served(name, version.clone(), name.into(), args, EXPORT);
        let candidates = candidates.into_iter().map(of).collect::<Result<_, _>>()?;
        Ok(Choice { name: name.into(), candidates })
    }

    /// What the socket can do: the server that does no work.
    fn bare_socket(&self) -> Result<Choice, Failure> {
        let args = ["bench", "ceiling", "socket", "SOCKET", "--serve"];
        let mut args: Vec<String> = args.map(str::to_owned).into();
        if self.args.spin {
            args.push("--spin".into());
        }
        let only = self.served(SOCKET_NAME, version(), this_program()?, args, "")?;
        Ok(Choice { name: SOCKET_NAME.into(), candidates: vec![only] })
    }

    /// A server with its client.
    fn served(
        &self,
        name: &str,
        version: String,
        program: String,
        args: Vec<String>,
        export: &str,
    ) -> Result<Contender, Failure> {
        let socket = self.socket.display().to_string();
        let args = args.into_iter().map(|word| word.replace("SOCKET", &socket)).collect();
        let core = (self.args.placement == PlacementWord::Split).then_some(CORES.0);
        let socket = self.socket.clone();
        let device = self.device.clone();
        let server = Server { program, args, socket, device, core, syscalls_per_io: 0.0 };
        let client = self.client(export)?;
        Ok(Contender { name: name.into(), version, server: Some(server), ..client })
    }

    /// The client, the same for every server but for the export's name.
    fn client(&self, export: &str) -> Result<Contender, Failure> {
        let uri = format!("nbd+unix:///{export}?socket={}", self.socket.display());
        let own = |args, read| -> Result<Contender, Failure> {
            let (name, version, program) = (String::new(), String::new(), this_program()?);
            Ok(Contender { name, version, program, args, read, server: None })
        };
        match self.args.client {
            DriverWord::Device => {
                let mut args: Vec<String> = vec!["bench".into(), "run".into(), uri];
                args.extend(self.words.as_args());
                args.extend(["--json".into(), "-".into()]);
                own(args, from_byway)
            }
            DriverWord::Fio => Ok(fio_nbd_contender(&self.spec, &uri, self.size)?),
            DriverWord::Loop => own(self.loop_args(export, false)?, from_ceiling),
            DriverWord::Flush => own(self.loop_args(export, true)?, from_ceiling),
        }
    }

    /// The smallest loop, for whole exports alone.
    fn loop_args(&self, export: &str, flush: bool) -> Result<Vec<String>, Failure> {
        let Some(job) = simple_job(&self.spec, self.size, flush) else {
            return Err(Failure::usage(
                "--client: the loop knows --rw randread and randwrite of all of the device, and \
                flush --rw randwrite; use --client device",
            ));
        };
        let mut args: Vec<String> = ["bench", "ceiling", "nbd"].map(str::to_owned).into();
        args.push(self.socket.display().to_string());
        let mut add = |key: &str, word: String| args.extend([format!("--{key}"), word]);
        add("export", export.into());
        add("qd", job.qd.to_string());
        add("bs", job.bs.to_string());
        add("runtime", format!("{}ms", self.spec.runtime_ns / 1_000_000));
        if let Some(core) = job.cores.first() {
            add("core", core.to_string());
        }
        let flags = [("--write", job.pattern.writes()), ("--flush", flush)];
        let spin = ("--spin", self.args.spin);
        let flags = flags.into_iter().chain([spin]).filter(|(_, is_set)| *is_set);
        args.extend(flags.map(|(flag, _)| flag.to_owned()));
        Ok(args)
    }
}

fn simple_job(spec: &RunSpec, size: u64, flush: bool) -> Option<&JobSpec> {
    let [job] = &spec.jobs[..] else { return None };
    let word = job.pattern.word();
    let known = word == "randwrite" || (word == "randread" && !flush);
    let whole = job.range(size) == size && job.zipf.is_none() && job.rate.is_none();
    (known && whole && job.jobs == 1 && !job.verify && !job.fua).then_some(job)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_three_servers_and_memory_one() {
        let names = |source| others(&source).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        let file = |path: &str| Source::File { path: path.into(), direct: true };
        assert_eq!(names(file("/x")), ["nbdkit", "qemu-storage-daemon", "qemu-nbd"]);
        assert_eq!(names(Source::Memory(1 << 20)), ["nbdkit"]);
        assert!(names(Source::Other).is_empty());
        let lines = |path| others(&file(path))[1].1[0].join(" ");
        assert!(lines("/a,b").contains("file,node-name=file") && lines("/a,b").contains("/a,,b"));
        assert!(lines("/dev/zram0").contains("host_device"));
    }
}
