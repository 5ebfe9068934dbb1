//! `byway bench run` and `byway bench sweep`.

use std::io::IsTerminal;
use std::sync::Arc;

use byway::{OpenOptions, Uri, open_with};
use byway_bench::job::RunSpec;
use byway_bench::report::{FioRun, interval_log, run_page, run_table, sweep_page, sweep_table};
use byway_bench::run::{RunOptions, RunResult};
use byway_bench::sweep::{STEPS_MAX, rates};
use byway_bench::words::rate_range;
use byway_engine::block::BlockDevice;
use byway_engine::ring::{Feature, FeatureSet};

use super::args::{RunArgs, SweepArgs};
use super::failure::Failure;
use super::output::{self, is_stdout};
use super::words::WordArgs;

/// How long a step of a sweep measures and warms up where nothing is said.
const STEP_SPANS: [(&str, &str); 2] = [("runtime", "2s"), ("warmup", "500ms")];

pub(crate) fn run(args: &RunArgs) -> Result<(), Failure> {
    let spec = args.words.spec(args.job.as_ref())?;
    let mut options = options(args.hdr.is_some())?;
    options.core.features_off = features(args.without.as_deref().unwrap_or_default())?;
    let device = device(&args.uri, &spec)?;
    output::check_places(&[&args.json, &args.hdr, &args.html])?;
    let result = byway_bench::run::run(&spec, &device, &options)?;
    // Result files first: a reader of the standard output may be gone by then.
    if let Some(path) = &args.hdr {
        output::write(path, &interval_log(&result)?)?;
    }
    if let Some(path) = &args.html {
        output::write(path, run_page(&result).as_bytes())?;
    }
    if let Some(path) = &args.json {
        output::write(path, FioRun::of(&result).text().as_bytes())?;
    }
    let taken = [&args.json, &args.hdr, &args.html].into_iter().flatten().any(|p| is_stdout(p));
    if !taken {
        output::print(&run_table(&result))?;
    }
    failures(&result)
}

/// Failed operations make the command fail, with all of the result printed.
fn failures(result: &RunResult) -> Result<(), Failure> {
    let first = result.jobs.iter().find_map(|job| job.errors.first.first());
    let Some(first) = first else { return Ok(()) };
    let errno = first.errno.map_or(String::new(), |errno| format!(" (errno {errno})"));
    Err(Failure::failed(format!(
        "{}: {} operations failed, the first: {}{errno}; the result counts none of them",
        result.device.name,
        result.failures(),
        first.what
    )))
}

pub(crate) fn sweep(args: &SweepArgs) -> Result<(), Failure> {
    let (words, range) = sweep_words(&args.words)?;
    if !(2..=STEPS_MAX).contains(&args.steps) {
        let line = format!("--steps '{}': not 2 to {STEPS_MAX}; use 12 or so", args.steps);
        return Err(Failure::usage(line));
    }
    let spec = words.spec(None)?;
    let device = device(&args.uri, &spec)?;
    output::check_places(&[&args.json, &args.html])?;
    let (low, high) = range;
    let rates = rates(low, high, args.steps);
    let result = byway_bench::sweep::sweep(&spec, &rates, &device, &options(false)?)?;
    if let Some(path) = &args.html {
        output::write(path, sweep_page(&result).as_bytes())?;
    }
    let mut json = serde_json::to_string_pretty(&result)
        .map_err(|error| Failure::failed(format!("result: {error}; report this")))?;
    json.push('\n');
    if let Some(path) = &args.json {
        output::write(path, json.as_bytes())?;
    }
    if !args.json.as_deref().is_some_and(is_stdout) {
        output::print(&sweep_table(&result))?;
    }
    match result.steps.iter().map(|step| step.errors).sum::<u64>() {
        0 => Ok(()),
        n => Err(Failure::failed(format!("{}: {n} operations failed; see bench run", result.uri))),
    }
}

type Range = (byway_bench::words::Rate, byway_bench::words::Rate);

/// Takes the range of rates out of the words, and gives short steps where nothing is said.
fn sweep_words(words: &WordArgs) -> Result<(WordArgs, Range), Failure> {
    let mut words = words.clone();
    let rate = words.given.iter().position(|(key, _)| *key == "rate");
    let Some(rate) = rate else {
        return Err(Failure::usage("--rate: missing; write a range, such as --rate 10k..200k"));
    };
    let (_, range) = words.given.remove(rate);
    let range = rate_range(&range).map_err(|error| error.of("--rate"))?;
    for (key, span) in STEP_SPANS {
        if !words.given.iter().any(|(given, _)| *given == key) {
            words.given.push((key, span.into()));
        }
    }
    Ok((words, range))
}

/// Opens the device; for writing only where something is written.
pub(super) fn device(uri: &str, spec: &RunSpec) -> Result<Arc<dyn BlockDevice>, Failure> {
    let uri: Uri = uri.parse()?;
    let writes = spec.fill || spec.jobs.iter().any(|job| job.pattern.writes());
    Ok(open_with(&uri, OpenOptions { read_only: !writes })?)
}

/// Ctrl-C ends the measurement and prints what there is; a second one ends the program.
fn options(log: bool) -> Result<RunOptions, Failure> {
    let options =
        RunOptions { log, progress: std::io::stderr().is_terminal(), ..Default::default() };
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        let stop = || Arc::clone(&options.stop);
        signal_hook::flag::register_conditional_shutdown(signal, 130, stop())
            .and_then(|_| signal_hook::flag::register(signal, stop()))
            .map_err(|error| Failure::failed(format!("signals: {error}; report this")))?;
    }
    Ok(options)
}

fn features(list: &str) -> Result<FeatureSet, Failure> {
    let names = list.split(',').filter(|name| !name.is_empty());
    names
        .map(|name| {
            Feature::from_name(name).ok_or_else(|| {
                let all: Vec<_> = Feature::ALL.into_iter().map(Feature::name).collect();
                Failure::usage(format!(
                    "--without '{name}': not an ability of the kernel; use {}",
                    all.join(", ")
                ))
            })
        })
        .collect()
}
