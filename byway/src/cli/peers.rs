//! `byway bench peers`: ours, programs by others and the smallest loop, in turns.

use std::io::IsTerminal;

use byway_bench::peers::{Choice, Contender, ROUNDS_MIN, Target, measure, peers_table, target};

use super::args::PeersArgs;
use super::bench::device;
use super::contenders::{Place, ours, peers};
use super::doors::doors;
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
    output::check_places(&[&args.json])?;
    let (ours, peers) = contenders(args)?;
    let on_terminal = std::io::stderr().is_terminal();
    let tell = |what: &str| {
        if on_terminal {
            eprintln!("{what}");
        }
    };
    let result = measure(ours, peers, args.rounds, &tell)?;
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

/// Ours and the others.
fn contenders(args: &PeersArgs) -> Result<(Contender, Vec<Choice>), Failure> {
    let words = with_defaults(&args.words);
    let spec = words.spec(None)?;
    let info = device(&args.uri, &spec)?.info();
    spec.check_device(&info)?;
    if args.export {
        return doors(args, &words, info.size);
    }
    let place = Place::of(&args.uri)?;
    let peers = peers(&place, &words, &spec, &info, &args.only)?;
    Ok((ours("byway", &args.uri, &words)?, peers))
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
