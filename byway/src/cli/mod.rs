//! The command line: what is asked for, how it ends.

mod args;
mod bench;
mod ceiling;
mod compare;
mod contenders;
mod demo;
mod export;
mod failure;
mod iscsi;
mod lun;
mod output;
mod peers;
mod target;
mod text;
mod words;

use std::io;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use tracing_subscriber::EnvFilter;

use args::{BenchCommand, Cli, Command, IscsiCommand, LunCommand, TargetCommand};
use failure::Failure;

pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    match start_log(&cli.log).and_then(|()| dispatch(cli.command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
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
        Command::Demo(args) => demo::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Target { command: TargetCommand::Serve(args) } => target::serve(&args),
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
    Failure::usage(format!("command line: {what}; see byway --help")).report()
}

/// What happens is told on the error output, as much of it as `filter` or `RUST_LOG` asks for.
fn start_log(filter: &Option<String>) -> Result<(), Failure> {
    let given = filter.clone().or_else(|| std::env::var("RUST_LOG").ok());
    let word = given.unwrap_or_else(|| "warn".into());
    let filter = EnvFilter::try_new(&word).map_err(|error| {
        Failure::usage(format!("--log '{word}': {error}; write a level, such as info or debug"))
    })?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
    Ok(())
}
