//! The command line: what is asked for, how it ends.

mod args;
mod bench;
mod ceiling;
mod compare;
mod config;
mod contenders;
mod crew;
mod demo;
mod doors;
mod export;
mod failure;
mod files;
mod fs;
mod image;
mod iscsi;
mod log;
mod lun;
mod nbd;
mod node;
mod output;
mod peers;
mod place;
mod serve;
mod status;
mod target;
mod text;
mod words;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use args::{BenchCommand, Cli, Command, ConfigCommand, IscsiCommand, LunCommand, TargetCommand};
use failure::Failure;

pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    let (filter, format) = (cli.log.as_deref(), cli.log_format.as_deref());
    if let Command::Serve(args) = &cli.command {
        // Its configuration has a word about the log.
        return serve::run(args, filter, format);
    }
    log::start(filter, format)?;
    dispatch(cli.command)
}

fn dispatch(command: Command) -> Result<(), Failure> {
    match command {
        Command::Bench { command } => match command {
            BenchCommand::Run(args) => bench::run(&args),
            BenchCommand::Sweep(args) => bench::sweep(&args),
            BenchCommand::Compare(args) => compare::run(&args),
            BenchCommand::Peers(args) => peers::run(&args),
            BenchCommand::Ceiling(args) => ceiling::run(&args),
        },
        Command::Iscsi { command } => match command {
            IscsiCommand::Discover(args) => iscsi::discover(&args),
            IscsiCommand::Ls(args) => iscsi::ls(&args),
            IscsiCommand::Info(args) => iscsi::info(&args),
        },
        Command::Lun { command: LunCommand::Check(args) } => lun::check(&args),
        Command::Config { command: ConfigCommand::Check(args) } => config::check(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Serve(args) => serve::run(&args, None, None),
        Command::Status(args) => status::run(&args),
        Command::Nbd { command } => nbd::run(&command),
        Command::Export(args) => export::run(&args),
        Command::Target { command: TargetCommand::Serve(args) } => target::serve(&args),
        Command::Mkfs(args) => fs::mkfs(&args),
        Command::Fsck(args) => fs::fsck(&args),
        Command::Dump(args) => fs::dump(&args),
        Command::Image { command } => image::run(&command),
        Command::Cp(args) => files::cp(&args),
        Command::Ls(args) => files::ls(&args),
        Command::Cat(args) => files::cat(&args),
        Command::Rm(args) => files::rm(&args),
        Command::Mkdir(args) => files::mkdir(&args),
        Command::Fs { command } => fs::run(&command),
        Command::Version => {
            let hash = byway_bench::machine::GIT_HASH;
            output::print(&format!("byway {} ({hash})\n", env!("CARGO_PKG_VERSION")))
        }
    }
}

/// Help and versions are no failures; a wrong command line is one line that says what is wrong.
fn usage(error: &clap::Error) -> ExitCode {
    let asked_for = [ErrorKind::DisplayHelp, ErrorKind::DisplayVersion];
    if asked_for.contains(&error.kind()) {
        return match error.print() {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    let text = error.to_string();
    let lines = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let words: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
    let what = words.join(" ");
    let what = what.strip_prefix("error: ").unwrap_or(&what);
    let what = if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        "a subcommand is missing"
    } else {
        what
    };
    let failure = Failure::usage(format!("command line: {what}; see byway --help"));
    let is_fsck = std::env::args().nth(1).is_some_and(|word| word == "fsck");
    if is_fsck { failure.with_code(fs::FSCK_USAGE).report() } else { failure.report() }
}
