//! `cargo xtask sim`: the simulator over a range of seeds.

use crate::exec::{self, Outcome};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// One seed, or the first and the last of a range: `7` or `1..200`
    #[arg(long)]
    seed: String,
}

pub(crate) fn run(args: &Args) -> Outcome {
    seeds(&args.seed)
}

/// Runs the simulator, which itself judges the range and prints the seed that failed.
pub(crate) fn seeds(range: &str) -> Outcome {
    let mut sim = exec::program("cargo");
    sim.args(["run", "--quiet", "--release", "-p", "byway-sim", "--", "--seed", range]);
    exec::run(&mut sim)
}
