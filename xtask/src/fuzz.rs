//! `cargo xtask fuzz`: libFuzzer over the parsers, on the pinned toolchain.
//!
//! `fuzz/` is a workspace of its own, because its dependencies need a C++ compiler and its flags
//! would change every build. New inputs go to the build folder; `fuzz/corpus/` is only read, and
//! what is worth keeping is copied there by hand. A crash leaves its input in `fuzz/artifacts/`.

use std::path::PathBuf;
use std::time::Duration;

use crate::exec::{self, Outcome};
use crate::packages::Need;
use crate::span;

/// The coverage that libFuzzer reads, and AddressSanitizer; the same flags as cargo-fuzz.
const RUSTFLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Zsanitizer=address \
    -Ccodegen-units=1";

/// Sanitizers and build scripts only go together when a target is named.
const TRIPLE: &str = "x86_64-unknown-linux-gnu";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The target, a file of `fuzz/fuzz_targets/`; without it each target in turn
    target: Option<String>,
    /// How long each target runs: 60s, 5m, 2h
    #[arg(long, default_value = "60s", value_parser = span::parse)]
    time: Duration,
}

pub(crate) fn run(args: &Args) -> Outcome {
    if let Some(reason) = Need::Program("c++").missing() {
        return Err(reason);
    }
    let known = targets()?;
    match &args.target {
        Some(name) if known.contains(name) => fuzz(name, args.time),
        Some(name) => Err(format!("no target is named {name}: there are {}", known.join(", "))),
        None => all(args.time),
    }
}

/// Each target in turn, for `time` each.
pub(crate) fn all(time: Duration) -> Outcome {
    targets()?.iter().try_for_each(|name| fuzz(name, time))
}

/// The names of the files in `fuzz/fuzz_targets/`, in order.
fn targets() -> Outcome<Vec<String>> {
    let folder = exec::root().join("fuzz/fuzz_targets");
    let entries = std::fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let names = paths.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()));
    let mut names: Vec<_> = names.collect();
    names.sort();
    Ok(names)
}

fn fuzz(name: &str, time: Duration) -> Outcome {
    println!("== fuzz {name} for {} s", time.as_secs());
    let build_folder = exec::target_dir().join("fuzz");
    let found = folder(build_folder.join("corpus").join(name))?;
    let artifacts = folder(exec::root().join("fuzz/artifacts").join(name))?;
    let mut cargo = exec::program("cargo");
    cargo.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", RUSTFLAGS);
    cargo.args(["run", "--quiet", "--release", "--manifest-path", "fuzz/Cargo.toml"]);
    cargo.args(["--target", TRIPLE, "--bin", name, "--target-dir"]).arg(&build_folder);
    cargo.arg("--").arg(found).arg(exec::root().join("fuzz/corpus").join(name));
    cargo.arg(format!("-artifact_prefix={}/", artifacts.display()));
    cargo.arg(format!("-max_total_time={}", time.as_secs()));
    cargo.args(["-max_len=4096", "-timeout=10", "-print_final_stats=1"]);
    exec::run(&mut cargo)
}

fn folder(path: PathBuf) -> Outcome<PathBuf> {
    std::fs::create_dir_all(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_is_declared_and_has_a_corpus() {
        let manifest = std::fs::read_to_string(exec::root().join("fuzz/Cargo.toml")).unwrap();
        let targets = targets().unwrap();
        assert!(!targets.is_empty());
        for name in targets {
            assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
            let corpus = exec::root().join("fuzz/corpus").join(&name);
            assert!(corpus.read_dir().unwrap().next().is_some(), "{name} has an empty corpus");
        }
    }
}
