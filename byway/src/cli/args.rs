//! The shape of the command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use super::files::args::{CatArgs, CpArgs, LsArgs, MkdirArgs, RmArgs};
use super::fs::args::{DumpArgs, FsCommand, FsckArgs, MkfsArgs};
use super::image::args::ImageCommand;
use super::nbd::NbdCommand;
use super::words::WordArgs;

/// Shared storage for virtual machines, run from user space.
#[derive(Debug, Parser)]
#[command(name = "byway", version, max_term_width = 100)]
pub(crate) struct Cli {
    /// What to tell on the error output: a level or a filter, such as info or byway_engine=debug
    #[arg(long, global = true, value_name = "FILTER")]
    pub(crate) log: Option<String>,
    /// How it is told: text or json
    #[arg(long, global = true, value_name = "FORMAT", value_parser = ["text", "json"])]
    pub(crate) log_format: Option<String>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Measure any device
    Bench {
        #[command(subcommand)]
        command: BenchCommand,
    },
    /// Look at iSCSI targets
    Iscsi {
        #[command(subcommand)]
        command: IscsiCommand,
    },
    /// Look at logical units
    Lun {
        #[command(subcommand)]
        command: LunCommand,
    },
    /// Look at the configuration of a daemon
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Attach NBD exports to the kernel, as /dev/nbdN
    Nbd {
        #[command(subcommand)]
        command: NbdCommand,
    },
    /// See it all work on this machine, with nothing set up
    Demo(DemoArgs),
    /// Serve what a configuration names, until a signal
    Serve(DaemonArgs),
    /// Ask a daemon what it serves, and to whom
    Status(StatusArgs),
    /// Serve devices over NBD until a signal; prints their URIs
    Export(ExportArgs),
    /// Serve devices over iSCSI
    Target {
        #[command(subcommand)]
        command: TargetCommand,
    },
    /// Make a volume of the file system on a device
    Mkfs(MkfsArgs),
    /// Check a volume that nobody uses, and mend it
    Fsck(FsckArgs),
    /// Show any structure of a volume
    Dump(DumpArgs),
    /// Disks of virtual machines in a volume
    Image {
        #[command(subcommand)]
        command: ImageCommand,
    },
    /// Copy files between this host and volumes
    Cp(CpArgs),
    /// List a folder of a volume
    Ls(LsArgs),
    /// Print a file of a volume
    Cat(CatArgs),
    /// Remove files of a volume
    Rm(RmArgs),
    /// Make folders in a volume
    Mkdir(MkdirArgs),
    /// Look at a volume as a whole, and change it
    Fs {
        #[command(subcommand)]
        command: FsCommand,
    },
    /// Print the version and the commit of this build
    Version,
}

#[derive(Debug, Subcommand)]
pub(crate) enum IscsiCommand {
    /// Ask a portal for its targets
    Discover(PortalArgs),
    /// List the targets of a portal with their LUNs
    Ls(PortalArgs),
    /// Tell everything about a LUN: session, identity, limits, reservations
    Info(InfoArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum LunCommand {
    /// Try out whether a cluster may use a LUN; writes to a scratch range, and restores it
    Check(CheckArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct PortalArgs {
    /// The portal: host, host:port or [v6]:port
    pub(crate) portal: String,
    /// Who logs in, for CHAP
    #[arg(long, value_name = "NAME", requires = "secret")]
    pub(crate) user: Option<String>,
    /// A file of mode 0600 with the secret of that user
    #[arg(long, value_name = "FILE", requires = "user")]
    pub(crate) secret: Option<PathBuf>,
    /// What CHAP offers, such as md5 for tgt: md5, sha1, sha256, sha3
    #[arg(long, value_name = "LIST", requires = "user")]
    pub(crate) chap: Option<String>,
    /// The name of this initiator, where it is not derived from the host's
    #[arg(long, value_name = "IQN")]
    pub(crate) initiator: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct InfoArgs {
    /// The LUN: iscsi://HOST:PORT/TARGET/LUN
    pub(crate) uri: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// The LUN: iscsi://HOST:PORT/TARGET/LUN
    pub(crate) uri: String,
    /// Write without asking
    #[arg(long)]
    pub(crate) yes: bool,
    /// Check although others are registered; they lose their registrations
    #[arg(long)]
    pub(crate) force: bool,
    /// Where the scratch range begins, in blocks; at the end of the LUN otherwise
    #[arg(long, value_name = "BLOCK")]
    pub(crate) scratch_lba: Option<u64>,
    /// The name of the second initiator; that of the first with .second behind it otherwise
    #[arg(long, value_name = "IQN")]
    pub(crate) second: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TargetCommand {
    /// Serve devices until a signal; prints their URIs
    Serve(ServeArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// Bytes of the disk that is served
    #[arg(long, default_value = "256m")]
    pub(crate) size: String,
    /// How long the load runs
    #[arg(long, default_value = "8s")]
    pub(crate) runtime: String,
    /// Where the disk is kept for that time [default: the folder for temporary files]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) folder: Option<PathBuf>,
    /// Write the result as JSON; - for the standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ServeArgs {
    /// A file, block device or URI (iscsi:, nbd:, nbd+unix:); the first is LUN 0
    #[arg(long, value_name = "FILE|URI", required = true)]
    pub(crate) lun: Vec<String>,
    /// Where to listen; port 0 takes any
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3260")]
    pub(crate) portal: Vec<String>,
    /// The target's name
    #[arg(long, value_name = "IQN", default_value = "iqn.2026-11.org.byway:target")]
    pub(crate) name: String,
    /// Let only this initiator in; may be given often
    #[arg(long, value_name = "IQN")]
    pub(crate) initiator: Vec<String>,
    /// Who logs in by CHAP
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// A file of mode 0600 with the user's secret
    #[arg(long, value_name = "FILE")]
    pub(crate) secret: Option<PathBuf>,
    /// A file of mode 0600 with the secret that the target proves itself with
    #[arg(long, value_name = "FILE")]
    pub(crate) mutual: Option<PathBuf>,
    /// A folder that keeps persistent reservations over restarts
    #[arg(long, value_name = "FOLDER")]
    pub(crate) state: Option<PathBuf>,
    /// Ask for digests over headers and data
    #[arg(long)]
    pub(crate) digest: bool,
    /// Refuse writes
    #[arg(long)]
    pub(crate) read_only: bool,
    /// The core to run on
    #[arg(long)]
    pub(crate) core: Option<usize>,
    /// What an idle core does: never spin, adaptive, always spin
    #[arg(long, value_name = "MODE", default_value = "adaptive")]
    pub(crate) poll_mode: String,
    /// End when the process that started it ends
    #[arg(long, hide = true)]
    pub(crate) with_parent: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ExportArgs {
    /// A file, block device or URI (iscsi:, nbd:, nbd+unix:); several become several exports
    #[arg(value_name = "FILE|URI", required = true)]
    pub(crate) uri: Vec<String>,
    /// The Unix socket to listen on
    #[arg(long, value_name = "PATH")]
    pub(crate) socket: Vec<PathBuf>,
    /// The address to listen on, of this host alone; port 0 takes any
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Vec<String>,
    /// What clients call the export, once for each device [default: the empty name, or disk0, disk1, …]
    #[arg(long)]
    pub(crate) name: Vec<String>,
    /// A few words about the exports for people
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// Refuse writes
    #[arg(long)]
    pub(crate) read_only: bool,
    /// Whether to spin while idle: never, adaptive or always
    #[arg(long, value_name = "MODE", default_value = "adaptive")]
    pub(crate) poll_mode: String,
    /// The cores to run on, such as 0,2-3; connections are spread over them [default: one, anywhere]
    #[arg(long, value_name = "LIST", alias = "core")]
    pub(crate) cores: Option<String>,
    /// End when the process that started it ends
    #[arg(long, hide = true)]
    pub(crate) with_parent: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Find everything that is wrong with a configuration, and print what it would serve
    Check(ConfigArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct ConfigArgs {
    /// The configuration
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DaemonArgs {
    /// The configuration; byway config check says what is wrong with it
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// End when the process that started it ends
    #[arg(long, hide = true)]
    pub(crate) with_parent: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {
    /// The control socket of the daemon
    #[arg(long, value_name = "PATH", default_value = "/run/byway/control.sock")]
    pub(crate) control: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Run a workload and print what it brings
    Run(RunArgs),
    /// Raise the load of an open loop step by step, and find the knee
    Sweep(SweepArgs),
    /// Compare two results: what changed, and is it more than noise
    Compare(CompareArgs),
    /// Run fio and others for the same work, in turns with ours
    Peers(PeersArgs),
    /// Run the smallest possible loop (what `peers` measures against)
    #[command(hide = true)]
    Ceiling(CeilingArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    /// The device: file:/path, iscsi://host/TARGET/LUN, nbd://host/EXPORT,
    /// nbd+unix:///EXPORT?socket=/path, mem:SIZE or null:SIZE
    pub(crate) uri: String,
    /// A job file with the same words, in TOML
    #[arg(long, value_name = "FILE")]
    pub(crate) job: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) words: WordArgs,
    /// Write the result as JSON that fio's readers take; - for the standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write a histogram of every second as an HdrHistogram interval log
    #[arg(long, value_name = "FILE")]
    pub(crate) hdr: Option<PathBuf>,
    /// Write the result as one HTML page with charts
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Abilities of the kernel not to use, such as no-sqarray,msg-ring
    #[arg(long, value_name = "LIST", hide_short_help = true)]
    pub(crate) without: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SweepArgs {
    /// The device: file:/path, iscsi://host/TARGET/LUN, nbd://host/EXPORT,
    /// nbd+unix:///EXPORT?socket=/path, mem:SIZE or null:SIZE
    pub(crate) uri: String,
    /// How many rates, from the lowest to the highest
    #[arg(long, default_value_t = 12)]
    pub(crate) steps: u32,
    #[command(flatten)]
    pub(crate) words: WordArgs,
    /// Write the steps as JSON; - for the standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write the load curve as one HTML page
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CompareArgs {
    /// The first result, as bench run --json has written it
    pub(crate) first: PathBuf,
    /// The second result
    pub(crate) second: PathBuf,
    /// Fail where a change is beyond a limit and more than noise, such as p99>+5% or iops<-3%
    #[arg(long, value_name = "CONDITION")]
    pub(crate) fail_if: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PeersArgs {
    /// The device: file:/path or iscsi://HOST:PORT/IQN/LUN; with --export also mem:SIZE
    pub(crate) uri: String,
    /// Compare servers: each exports the device over NBD on a Unix socket, with the same client
    #[arg(long)]
    pub(crate) export: bool,
    /// Where server and client run: each on a core of its own, or wherever the kernel puts them
    #[arg(long, value_enum, default_value = "split", requires = "export")]
    pub(crate) placement: PlacementWord,
    /// What drives the servers: our own device, the smallest loop, fio, or one writer at --qd and
    /// one flusher whose flushes are what is measured
    #[arg(long, value_enum, default_value = "device", requires = "export")]
    pub(crate) client: DriverWord,
    /// The loop and the bare socket ask again and again in place of sleeping
    #[arg(long, requires = "export")]
    pub(crate) spin: bool,
    /// More arguments for byway export
    #[arg(long, value_name = "WORDS", requires = "export", allow_hyphen_values = true)]
    pub(crate) export_args: Option<String>,
    #[command(flatten)]
    pub(crate) words: WordArgs,
    /// How often each one runs, at least 5
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: u32,
    /// The peers to run; else all that can do the work
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// The ratio to reach, ours over theirs: 1.08 in IOPS, NAME=1.08 for one peer, cpu:0.9 for
    /// cpu, p50:1.0 and p99:1.0 for latencies
    #[arg(long, value_name = "RATIO")]
    pub(crate) target: Vec<String>,
    /// Write everything as JSON; - for the standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// Where server and client run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum PlacementWord {
    Split,
    Free,
}

/// What drives the servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum DriverWord {
    Device,
    Loop,
    Fio,
    Flush,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CeilingArgs {
    /// Which loop: uring, iscsi, nbd or socket
    pub(crate) kind: String,
    /// A file or block device; for iscsi, iscsi://HOST:PORT/IQN/LUN; for nbd, a Unix socket; for
    /// socket, where to make one
    pub(crate) place: String,
    /// Requests in flight
    #[arg(long, default_value_t = 32)]
    pub(crate) qd: u32,
    /// Bytes of a request
    #[arg(long, default_value = "4k")]
    pub(crate) bs: String,
    /// How long to measure
    #[arg(long, default_value = "2s")]
    pub(crate) runtime: String,
    /// The core to run on
    #[arg(long)]
    pub(crate) core: Option<usize>,
    /// Completions that a system call waits for
    #[arg(long, default_value_t = 1)]
    pub(crate) batch: u32,
    /// Write in place of reading (iscsi, nbd, socket)
    #[arg(long)]
    pub(crate) write: bool,
    /// Ask again and again in place of sleeping (iscsi, nbd, socket)
    #[arg(long)]
    pub(crate) spin: bool,
    /// Measure flushes, one at a time, while --qd writes are in flight (nbd)
    #[arg(long)]
    pub(crate) flush: bool,
    /// The name of the export (nbd)
    #[arg(long, value_name = "NAME", default_value = "")]
    pub(crate) export: String,
    /// The core of the server that does no work (socket)
    #[arg(long, value_name = "CORE")]
    pub(crate) server_core: Option<usize>,
    /// Be that server, until a signal (socket)
    #[arg(long)]
    pub(crate) serve: bool,
}
