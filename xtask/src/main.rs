//! `cargo xtask`: the one command of this repository.
//!
//! Each subcommand is one file; [`steps`] is the table of what the tests consist of and [`exec`]
//! runs one step. Nothing here is part of the product, and the room names no other room.
#![forbid(unsafe_code)]

use clap::{Parser, Subcommand};
use std::process::ExitCode;

mod ci;
mod exec;
mod fuzz;
mod guest;
mod instructions;
mod packages;
mod peers;
mod sim;
mod soak;
mod span;
mod steps;
mod test;
mod tidy;
mod valgrind;

#[derive(Parser)]
#[command(bin_name = "cargo xtask", about = "Checks, tests and long runs of this repository")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// What CI runs, in order, stopping at the first failure
    Ci(ci::Args),
    /// Every test there is: unit, counting, examples, loom, sanitizer, valgrind, seeds, guests, …
    Test(test::Args),
    /// The house rules, as a ratchet
    Tidy,
    /// Fuzz one target, or each in turn
    Fuzz(fuzz::Args),
    /// Run the simulator over a range of seeds
    Sim(sim::Args),
    /// Seeds, fuzzing and peers in a loop, for hours
    Soak(soak::Args),
    /// Install the Debian packages that tests need, or name the steps that will be skipped
    Peers,
    /// Boot a guest whose kernel serves iSCSI or logs in to it
    Guest(guest::Args),
    /// Compare instruction counts per operation with the recorded ones
    Instructions(instructions::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Ci(args) => ci::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Tidy => tidy::run(),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Sim(args) => sim::run(&args),
        Command::Soak(args) => soak::run(&args),
        Command::Peers => peers::run(),
        Command::Guest(args) => guest::run(&args),
        Command::Instructions(args) => instructions::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}
