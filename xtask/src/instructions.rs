//! `cargo xtask instructions`: instructions per operation, as callgrind counts them.
//!
//! Counts repeat from run to run where times do not, so they are the only speed that may fail a
//! test. They depend on the compiler: a new toolchain needs `--bless`. The gates cover the parts of
//! the engine that make no system call, because valgrind knows no io_uring.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::exec::{self, Outcome};
use crate::packages::Need;

/// The gates; each is a function `gate_NAME` of the example `instruction_gates`.
const GATES: [&str; 6] = [
    "mailbox",
    "timer_wheel",
    "null_submit_complete",
    "mem_submit_complete",
    "native_submit_complete",
    "histogram_record",
];

/// How far a count may move, up or down, before it has to be blessed.
const TOLERANCE_PERCENT: f64 = 2.0;

const BASELINE: &str = "bench/baselines/instructions.json";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Record today's counts as the ones to compare with
    #[arg(long)]
    bless: bool,
}

/// Instructions per operation, by gate, and what they were compiled with.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Counts {
    rustc: String,
    instructions_per_op: BTreeMap<String, f64>,
}

pub(crate) fn run(args: &Args) -> Outcome {
    if let Some(reason) = Need::Program("valgrind").missing() {
        return Err(reason);
    }
    if args.bless { bless() } else { gate() }
}

/// Compares with the recorded counts; more than the tolerance in either direction is a failure.
pub(crate) fn gate() -> Outcome {
    let path = exec::root().join(BASELINE);
    let text = std::fs::read_to_string(&path)
        .map_err(|e| format!("{BASELINE}: {e}: `cargo xtask instructions --bless` records it"))?;
    let recorded: Counts = serde_json::from_str(&text).map_err(|e| format!("{BASELINE}: {e}"))?;
    let now = count_all()?;
    if recorded.rustc != now.rustc {
        println!("note: recorded with {}, now {}", recorded.rustc, now.rustc);
    }
    let outside = compare(&recorded, &now);
    if outside.is_empty() { Ok(()) } else { Err(outside.join("; ")) }
}

fn bless() -> Outcome {
    let now = count_all()?;
    for (name, count) in &now.instructions_per_op {
        println!("{name:24}{count:>12.2}");
    }
    let text = serde_json::to_string_pretty(&now).map_err(|e| format!("{BASELINE}: {e}"))?;
    let path = exec::root().join(BASELINE);
    let folder = path.parent().expect("the baseline lies in a folder");
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&path, text + "\n"))
        .map_err(|e| format!("{BASELINE}: {e}"))
}

/// Prints one line for each gate and returns a line for each that is outside the tolerance.
fn compare(recorded: &Counts, now: &Counts) -> Vec<String> {
    let mut outside = Vec::new();
    for (name, count) in &now.instructions_per_op {
        let Some(before) = recorded.instructions_per_op.get(name) else {
            outside.push(format!("{name} has no recorded count: bless it"));
            continue;
        };
        if *before <= 0.0 {
            outside.push(format!("{name} is recorded as {before}: bless it"));
            continue;
        }
        let moved_percent = ((count / before - 1.0) * 10_000.0).round() / 100.0;
        println!("{name:24}{before:>12.2} -> {count:>12.2}  {moved_percent:+.2} %");
        if moved_percent.abs() > TOLERANCE_PERCENT {
            outside.push(format!(
                "{name} moved by {moved_percent:+.2} %: find out why, or bless it with \
                 `cargo xtask instructions --bless`"
            ));
        }
    }
    outside
}

fn count_all() -> Outcome<Counts> {
    let mut build = exec::program("cargo");
    build.args(["build", "--release", "-p", "byway-engine", "--example", "instruction_gates"]);
    let binary = exec::executable(&mut build, "example", "instruction_gates")?;
    let count = |name: &&str| Ok((name.to_string(), count_one(&binary, name)?));
    let instructions_per_op = GATES.iter().map(count).collect::<Outcome<_>>()?;
    let rustc = exec::output(exec::program("rustc").arg("--version"))?.trim().to_owned();
    Ok(Counts { rustc, instructions_per_op })
}

fn count_one(binary: &Path, gate: &str) -> Outcome<f64> {
    let out: PathBuf = exec::target_dir().join(format!("callgrind.out.{gate}"));
    let mut valgrind = exec::program("valgrind");
    valgrind.args(["--quiet", "--tool=callgrind", "--collect-atstart=no"]);
    valgrind.arg(format!("--callgrind-out-file={}", out.display()));
    // The whole name: a closure of the gate would otherwise switch counting off again.
    valgrind.arg(format!("--toggle-collect=*::gate_{gate}"));
    let printed = exec::output(valgrind.arg(binary).arg(gate))?;
    let profile = std::fs::read_to_string(&out).map_err(|e| format!("{}: {e}", out.display()))?;
    let instructions = collected(&profile).filter(|count| *count > 0);
    let instructions =
        instructions.ok_or_else(|| format!("callgrind saw no function gate_{gate}"))?;
    let iterations = iterations(&printed)
        .ok_or_else(|| format!("instruction_gates {gate} printed no number of iterations"))?;
    Ok((instructions as f64 / iterations as f64 * 100.0).round() / 100.0)
}

/// The instruction total of a callgrind profile.
fn collected(profile: &str) -> Option<u64> {
    let line = profile.lines().find_map(|line| line.strip_prefix("summary: "));
    let line = line.or_else(|| profile.lines().find_map(|line| line.strip_prefix("totals: ")));
    line?.split_whitespace().next()?.parse().ok()
}

/// The first number, not 0, in what the example prints.
fn iterations(printed: &str) -> Option<u64> {
    let words = printed.split(|c: char| !c.is_ascii_digit());
    words.filter_map(|word| word.parse().ok()).find(|count| *count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(pairs: &[(&str, f64)]) -> Counts {
        let by_name = pairs.iter().map(|(name, count)| (name.to_string(), *count)).collect();
        Counts { rustc: "rustc 1.95.0".into(), instructions_per_op: by_name }
    }

    #[test]
    fn two_percent_either_way_passes_and_more_does_not() {
        let recorded = counts(&[("mailbox", 100.0)]);
        assert!(compare(&recorded, &counts(&[("mailbox", 102.0)])).is_empty());
        assert!(compare(&recorded, &counts(&[("mailbox", 98.0)])).is_empty());
        assert_eq!(compare(&recorded, &counts(&[("mailbox", 102.1)])).len(), 1);
        assert_eq!(compare(&recorded, &counts(&[("mailbox", 97.9)])).len(), 1);
    }

    #[test]
    fn a_gate_without_a_record_or_with_a_zero_record_fails() {
        assert_eq!(compare(&counts(&[]), &counts(&[("mailbox", 1.0)])).len(), 1);
        assert_eq!(compare(&counts(&[("mailbox", 0.0)]), &counts(&[("mailbox", 1.0)])).len(), 1);
    }

    #[test]
    fn totals_are_read_from_a_profile() {
        assert_eq!(collected("events: Ir\nfn=(1)\n1 2\nsummary: 4242\n"), Some(4242));
        assert_eq!(collected("events: Ir\ntotals: 7\n"), Some(7));
        assert_eq!(collected("events: Ir\n"), None);
    }

    #[test]
    fn iterations_are_the_first_number_printed() {
        assert_eq!(iterations("10000\n"), Some(10_000));
        assert_eq!(iterations("mailbox: 500 iterations\n"), Some(500));
        assert_eq!(iterations("none\n"), None);
    }
}
