//! `cargo xtask ci`: what CI runs.

use crate::exec::{self, Outcome};
use crate::steps::{CHECKS, Step, TESTS};
use crate::test;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only the checks before the tests: packages, house rules, lints, documentation
    #[arg(long)]
    checks: bool,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let tests: &[Step] = if args.checks { &[] } else { TESTS };
    let skipped = exec::run_steps(CHECKS.iter().chain(tests))?;
    test::report(&skipped);
    Ok(())
}
