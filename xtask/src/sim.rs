//! `cargo xtask sim`: the simulator over a range of seeds.

use crate::exec::{self, Outcome};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// One seed, or the first and the last of a range: `7` or `1..200`
    #[arg(long)]
    seed: String,
    /// One scenario instead of all
    #[arg(long)]
    scenario: Option<String>,
}

pub(crate) fn run(args: &Args) -> Outcome {
    run_with(&args.seed, args.scenario.as_deref())
}

/// Runs the simulator, which itself judges the range and prints the seed that failed.
pub(crate) fn seeds(range: &str) -> Outcome {
    run_with(range, None)
}

fn run_with(range: &str, scenario: Option<&str>) -> Outcome {
    let mut sim = exec::program("cargo");
    sim.args(["run", "--quiet", "--release", "-p", "byway-sim", "--", "--seed", range]);
    sim.args(scenario.iter().flat_map(|name| ["--scenario", name]));
    exec::run(&mut sim)
}
