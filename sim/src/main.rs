//! `byway-sim`: scenarios over a range of seeds.
//!
//! Prints one line per failure, with the command that repeats it, and a summary; ends with 1 where
//! anything failed.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use byway_engine::sim::{Mutation, TraceLine};
use byway_sim::{Options, Scenario, Seeds};
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use indicatif::{ProgressBar, ProgressStyle};

const NS_PER_HOUR: f64 = 3_600e9;

/// Runs simulated scenarios, each fully decided by its seed.
#[derive(Parser)]
#[command(name = "byway-sim")]
struct Args {
    /// One seed, or a range with both ends: `7` or `1..200`
    #[arg(long)]
    seed: Seeds,
    /// One scenario instead of all: `crash`, `network`, `iscsi` or `nbd`
    #[arg(long, value_parser = scenario)]
    scenario: Option<Scenario>,
    /// Print everything that happens, in virtual time
    #[arg(long)]
    trace: bool,
    /// A promise that disks break, to test the checker of `crash`: `flush-ignored`,
    /// `flush-early`, `fua-ignored` or `torn-acknowledged`
    #[arg(long, value_parser = mutation)]
    mutate: Option<Mutation>,
}

fn scenario(word: &str) -> Result<Scenario, String> {
    let names = Scenario::ALL.map(Scenario::name).join(" or ");
    Scenario::from_name(word).ok_or_else(|| format!("no such scenario: use {names}"))
}

fn mutation(word: &str) -> Result<Mutation, String> {
    let names = Mutation::ALL.map(Mutation::name).join(", ");
    Mutation::from_name(word).ok_or_else(|| format!("no such mutation: use one of {names}"))
}

fn main() -> ExitCode {
    let args = Args::parse();
    let scenarios = scenarios(&args);
    let progress = progress_bar(args.seed.count().saturating_mul(scenarios.len() as u64));
    let (mut passed, mut failed, mut simulated_ns) = (0u64, 0u64, 0u64);
    for seed in args.seed.iter() {
        for scenario in &scenarios {
            match scenario.run(seed, options(&args)) {
                Ok(run) => {
                    passed += 1;
                    simulated_ns += run.simulated_ns;
                }
                Err(failure) => {
                    failed += 1;
                    progress.suspend(|| println!("{failure}"));
                }
            }
            progress.inc(1);
        }
    }
    progress.finish_and_clear();
    let hours = simulated_ns as f64 / NS_PER_HOUR;
    println!("{passed} passed, {failed} failed, {hours:.1} h of simulated time");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What to run; a broken promise of disks concerns the scenario with disks alone.
fn scenarios(args: &Args) -> Vec<Scenario> {
    match (args.scenario, args.mutate) {
        (Some(Scenario::Network | Scenario::Iscsi | Scenario::Nbd), Some(_)) => {
            let words = "--mutate breaks the disks of one scenario: use --scenario crash";
            Args::command().error(ErrorKind::ArgumentConflict, words).exit()
        }
        (Some(scenario), _) => vec![scenario],
        (None, Some(_)) => vec![Scenario::Crash],
        (None, None) => Scenario::ALL.to_vec(),
    }
}

fn options(args: &Args) -> Options {
    let print = |line: &TraceLine| println!("{line}");
    Options {
        mutation: args.mutate.unwrap_or_default(),
        observer: if args.trace { Some(Box::new(print)) } else { None },
        ..Options::default()
    }
}

/// A bar on a terminal, nothing in a pipe.
fn progress_bar(runs: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} runs, {eta} left");
    let bar = ProgressBar::new(runs);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
