//! `cargo xtask soak`: seeds, fuzzing and peers in a loop, for hours.
//!
//! Every round takes new seeds, so that a longer run sees more. The first failure ends the run with
//! the seed or the input that shows it.

use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::exec::{self, Outcome};
use crate::packages::Need;
use crate::{fuzz, sim};

/// Seeds of the simulator in one round.
const SEEDS_PER_ROUND: u64 = 500;
/// How long each fuzz target runs in one round.
const FUZZ_TIME: Duration = Duration::from_secs(60);
/// Bytes of the file that Byway and its peers read.
const PEERS_FILE_LEN: u64 = 256 << 20;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How long to go on; the round that is running then is finished
    #[arg(long, default_value_t = 1.0, value_parser = hours)]
    hours: f64,
    /// The first seed of the first round
    #[arg(long, default_value_t = 1)]
    first_seed: u64,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let started = Instant::now();
    let end = Duration::from_secs_f64(args.hours * 3600.0);
    let mut first_seed = args.first_seed;
    for round in 1.. {
        let last_seed = first_seed + SEEDS_PER_ROUND - 1;
        one_round(first_seed, last_seed)?;
        let minutes = started.elapsed().as_secs() / 60;
        println!("== soak: round {round} passed, seeds to {last_seed}, {minutes} min");
        first_seed = last_seed + 1;
        if started.elapsed() >= end {
            break;
        }
    }
    Ok(())
}

fn one_round(first_seed: u64, last_seed: u64) -> Outcome {
    sim::seeds(&format!("{first_seed}..{last_seed}"))?;
    match Need::Program("c++").missing() {
        Some(reason) => println!("== soak: no fuzzing: {reason}"),
        None => fuzz::all(FUZZ_TIME)?,
    }
    match Need::Program("fio").missing() {
        Some(reason) => println!("== soak: no peers: {reason}"),
        None => bench_peers()?,
    }
    Ok(())
}

/// The same work through Byway and its peers on a file of the build folder.
fn bench_peers() -> Outcome {
    let file = exec::target_dir().join("soak.img");
    write_file(&file).map_err(|e| format!("{}: {e}", file.display()))?;
    let mut bench = exec::program("cargo");
    bench.args(["run", "--quiet", "--release", "-p", "byway", "--", "bench", "peers"]);
    bench.arg(format!("file:{}", file.display()));
    bench.args(["--rw", "randread", "--bs", "4k", "--qd", "32", "--runtime", "5s"]);
    exec::run(&mut bench)
}

/// Writes every byte, because reading a hole reaches no device.
fn write_file(path: &Path) -> std::io::Result<()> {
    let mut content = std::io::repeat(0x5a).take(PEERS_FILE_LEN);
    std::io::copy(&mut content, &mut std::fs::File::create(path)?).map(drop)
}

fn hours(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(hours) if hours > 0.0 && hours <= 1000.0 => Ok(hours),
        _ => Err("hours are a number above 0 and at most 1000".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_have_to_be_positive_and_finite() {
        assert_eq!(hours("0.5"), Ok(0.5));
        for text in ["0", "-1", "inf", "NaN", "soon", "1e9"] {
            assert!(hours(text).is_err(), "{text}");
        }
    }
}
