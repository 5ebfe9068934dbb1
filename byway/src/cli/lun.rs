//! `byway lun check`: may a cluster use this LUN?

use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use byway::lun::check::{
    self, CheckOptions, Finding, Holds, Progress, Report, Scratch, Verdict, Word,
};
use byway_iscsi_initiator::IscsiConfig;
use serde::Serialize;

use super::args::CheckArgs;
use super::failure::Failure;
use super::iscsi::checked_name;
use super::{output, text};

/// The result, as it is printed.
#[derive(Serialize)]
struct Json<'a> {
    uri: &'a str,
    #[serde(flatten)]
    verdict: &'a Verdict,
    scratch: Range,
    findings: &'a [Finding],
}

/// The range that was written to.
#[derive(Serialize)]
struct Range {
    first_block: u64,
    blocks: u32,
    block_len: u32,
}

pub(crate) fn check(args: &CheckArgs) -> Result<(), Failure> {
    let uri = text::iscsi_uri(&args.uri)?;
    let config = byway::iscsi::config(&uri)?;
    if config.read_only {
        let remedy = "leave readonly=on away";
        return Err(Failure::usage(format!("{uri}: the check writes to the LUN; {remedy}")));
    }
    let second_name = match &args.second {
        Some(name) => checked_name("second", name)?,
        None => format!("{}.second", config.initiator_name),
    };
    // Asked for before anything is sent, where nobody is there to answer.
    let has_terminal = io::stdin().is_terminal() && io::stderr().is_terminal();
    if !args.yes && !has_terminal {
        let remedy = "add --yes";
        return Err(Failure::usage(format!("{uri}: the check writes to the LUN; {remedy}")));
    }
    let scratch = check::plan(&config, args.scratch_lba)?;
    if !args.yes {
        confirm(&config, &scratch)?;
    }
    let (progress, is_stopped) = (progress(), stop_flag()?);
    let is_stopped = Box::new(move || is_stopped.load(Ordering::Relaxed));
    let force = args.force;
    let options = CheckOptions { second_name, scratch, force, progress, is_stopped };
    let report = check::run(&config, options)?;
    let uri = uri.to_string();
    if args.json {
        let Scratch { first, blocks, block_len, .. } = scratch;
        let scratch = Range { first_block: first, blocks, block_len };
        let Report { verdict, findings } = &report;
        text::print_json(&Json { uri: &uri, verdict, scratch, findings })?;
    } else {
        output::print(&page(&uri, &scratch, &report))?;
    }
    unsafe_is_a_failure(&uri, &report.verdict)
}

fn unsafe_is_a_failure(uri: &str, verdict: &Verdict) -> Result<(), Failure> {
    if verdict.verdict != Word::Unsafe {
        return Ok(());
    }
    let why = verdict.reasons.first().map_or("", String::as_str);
    let line = format!("{uri}: UNSAFE for a cluster ({why}); use another target");
    Err(Failure::failed(line))
}

/// The range in words.
fn range(scratch: &Scratch) -> String {
    let last = scratch.first + u64::from(scratch.blocks) - 1;
    format!("blocks {} to {last}", scratch.first)
}

fn confirm(config: &IscsiConfig, scratch: &Scratch) -> Result<(), Failure> {
    let mut err = io::stderr().lock();
    let asked = write!(
        err,
        "{}: the check writes to {} and restores their content afterwards; nobody else may use \
         the LUN meanwhile. Go on? [yes/no] ",
        config.name,
        range(scratch)
    );
    let mut answer = String::new();
    let read =
        asked.and_then(|()| err.flush()).and_then(|()| io::stdin().lock().read_line(&mut answer));
    match read {
        Ok(_) if answer.trim() == "yes" => Ok(()),
        _ => {
            Err(Failure::failed(format!("{}: nothing was written; say yes to check", config.name)))
        }
    }
}

/// Tells a terminal what is being checked; nobody else.
fn progress() -> Progress {
    if !io::stderr().is_terminal() {
        return Box::new(|_, _, _| {});
    }
    Box::new(|number, count, name| eprintln!("check {number} of {count}: {name}"))
}

/// Set by the first signal that asks for an end, so that everything is put back; the second one ends
/// the process at once.
fn stop_flag() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
            .map_err(|error| Failure::failed(format!("signals: {error}; report this")))?;
    }
    Ok(stop)
}

fn page(uri: &str, scratch: &Scratch, report: &Report) -> String {
    let Report { verdict, findings } = report;
    let mut page = format!("{uri}: {}\n", verdict.verdict.text());
    for reason in &verdict.reasons {
        page.push_str(&format!("  because of {reason}\n"));
    }
    if !verdict.never_sent.is_empty() {
        page.push_str(&format!("  never sent to it: {}\n", verdict.never_sent.join(", ")));
    }
    for note in &verdict.notes {
        page.push_str(&format!("  note: {note}\n"));
    }
    page.push_str(&format!(
        "  {} were written to, and have their content again\n\n",
        range(scratch)
    ));
    let row = |finding: &Finding| {
        let holds = match finding.holds {
            Holds::Yes => "yes",
            Holds::No => "NO",
            Holds::Absent => "absent",
            Holds::Unproven => "unproven",
        };
        vec![finding.check.clone(), finding.expected.clone(), holds.into(), finding.found.clone()]
    };
    let rows: Vec<_> = findings.iter().map(row).collect();
    page.push_str(&text::table(&["check", "expected", "holds", "found"], &rows));
    page
}
