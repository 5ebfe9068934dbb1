//! `byway bench peers`: ours, fio and the smallest loop, in turns.

use std::io::IsTerminal;
use std::path::Path;

use byway::Uri;
use byway_bench::job::{JobSpec, RunSpec};
use byway_bench::peers::{
    CEILING_NAME, Choice, Contender, ROUNDS_MIN, Target, fio_contenders, from_byway, from_ceiling,
    measure, peers_table, target,
};

use super::args::PeersArgs;
use super::bench::device;
use super::failure::Failure;
use super::output::{self, is_stdout};
use super::words::WordArgs;

/// Words that hold where nothing is said: everyone sleeps, nobody warms up.
const DEFAULTS: [(&str, &str); 3] = [("poll-mode", "never"), ("runtime", "3s"), ("warmup", "0s")];
/// Rounds of one measurement.
const ROUNDS_MAX: u32 = 1000;

pub(crate) fn run(args: &PeersArgs) -> Result<(), Failure> {
    let targets = args.target.iter().map(|word| target(word)).collect::<Result<Vec<_>, _>>()?;
    if !(ROUNDS_MIN..=ROUNDS_MAX).contains(&args.rounds) {
        return Err(Failure::usage(format!(
            "--rounds '{}': not {ROUNDS_MIN} to {ROUNDS_MAX}; fewer \
            say too little",
            args.rounds
        )));
    }
    let words = with_defaults(&args.words);
    let spec = words.spec(None)?;
    let uri: Uri = args.uri.parse()?;
    let Uri::File { path, direct: true, .. } = &uri else {
        return Err(Failure::usage(format!(
            "'{uri}': the peers only know files and block devices \
            with direct I/O; use file:/path"
        )));
    };
    output::check_places(&[&args.json])?;
    let info = device(&args.uri, &spec)?.info();
    spec.check_device(&info)?;
    let mut peers = fio_contenders(&spec, path, info.size)?;
    peers.extend(ceiling(&spec, path, info.size)?);
    let on_terminal = std::io::stderr().is_terminal();
    let tell = |what: &str| {
        if on_terminal {
            eprintln!("{what}");
        }
    };
    let result = measure(ours(&args.uri, &words)?, peers, args.rounds, &tell)?;
    if let Some(file) = &args.json {
        let json = serde_json::to_string_pretty(&result)
            .map_err(|error| Failure::failed(format!("result: {error}; report this")))?;
        output::write(file, format!("{json}\n").as_bytes())?;
    }
    if !args.json.as_deref().is_some_and(is_stdout) {
        output::print(&peers_table(&result, &targets))?;
    }
    verdict(&targets, &result)
}

/// A target that is not met, or that no peer is there for, makes the command fail.
fn verdict(targets: &[Target], result: &byway_bench::peers::PeersResult) -> Result<(), Failure> {
    for target in targets {
        let rows: Vec<_> = target.rows(result).collect();
        if rows.is_empty() {
            let peer = target.peer.as_deref().unwrap_or("any peer");
            return Err(Failure::usage(format!(
                "--target: {peer} did not run; name one of the \
                table"
            )));
        }
        if let Some(row) = rows.into_iter().find(|row| !target.is_met_by(row)) {
            let line = format!("target {target} against {}: not met; see the table", row.name);
            return Err(Failure::failed(line));
        }
    }
    Ok(())
}

fn with_defaults(words: &WordArgs) -> WordArgs {
    let mut words = words.clone();
    for (key, word) in DEFAULTS {
        if !words.given.iter().any(|(given, _)| *given == key) {
            words.given.push((key, word.into()));
        }
    }
    words
}

fn this_program() -> Result<String, Failure> {
    let path = std::env::current_exe().map_err(|error| {
        Failure::failed(format!("this program: {error}; start it by its full path"))
    })?;
    Ok(path.display().to_string())
}

fn version() -> String {
    format!("{} ({})", env!("CARGO_PKG_VERSION"), byway_bench::machine::GIT_HASH)
}

fn ours(uri: &str, words: &WordArgs) -> Result<Contender, Failure> {
    let mut args: Vec<String> = ["bench", "run", uri].map(str::to_owned).into();
    args.extend(words.as_args());
    args.extend(["--json", "-"].map(str::to_owned));
    let program = this_program()?;
    Ok(Contender { name: "byway".into(), version: version(), program, args, read: from_byway })
}

/// The smallest loop, for the one kind of work that it does: random reads of the whole device.
fn ceiling(spec: &RunSpec, path: &Path, size: u64) -> Result<Option<Choice>, Failure> {
    let [job] = &spec.jobs[..] else { return Ok(None) };
    let whole = job.range(size) == size && job.zipf.is_none();
    if job.pattern.word() != "randread" || job.jobs != 1 || !whole {
        return Ok(None);
    }
    let program = this_program()?;
    let mut batches = vec![1, job.qd.div_ceil(2), job.qd];
    batches.dedup();
    let candidates = batches.into_iter().map(|batch| Contender {
        name: CEILING_NAME.into(),
        version: version(),
        program: program.clone(),
        args: ceiling_args(spec, job, path, batch),
        read: from_ceiling,
    });
    Ok(Some(Choice { name: CEILING_NAME.into(), candidates: candidates.collect() }))
}

fn ceiling_args(spec: &RunSpec, job: &JobSpec, path: &Path, batch: u32) -> Vec<String> {
    let mut args =
        vec!["bench".into(), "ceiling".into(), "uring".into(), path.display().to_string()];
    let mut add = |key: &str, word: String| args.extend([format!("--{key}"), word]);
    add("qd", job.qd.to_string());
    add("bs", job.bs.to_string());
    add("runtime", format!("{}ms", spec.runtime_ns / 1_000_000));
    add("batch", batch.to_string());
    if let Some(core) = job.cores.first() {
        add("core", core.to_string());
    }
    args
}
