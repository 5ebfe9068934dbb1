//! `byway status`: what a daemon serves, and to whom, by its control socket.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use byway::daemon::status::{DaemonStatus, STATUS_PATH};
use byway_bench::words::show_ns;

use super::args::StatusArgs;
use super::failure::Failure;
use super::{output, text};

/// How long the daemon may take to answer.
const ANSWER: Duration = Duration::from_secs(5);
/// The longest answer, in bytes.
const ANSWER_LEN_MAX: u64 = 64 << 20;

pub(crate) fn run(args: &StatusArgs) -> Result<(), Failure> {
    let status = ask(args)?;
    if args.json { text::print_json(&status) } else { output::print(&shown(&status)) }
}

fn ask(args: &StatusArgs) -> Result<DaemonStatus, Failure> {
    let failed = |error: std::io::Error| {
        let remedy =
            "start the daemon, name the control socket of its configuration, or ask as its user";
        Failure::failed(format!("{}: {error}; {remedy}", args.control.display()))
    };
    let wrong = || {
        let remedy = "name the control socket of a byway daemon of this version";
        Failure::failed(format!("{}: no status behind it; {remedy}", args.control.display()))
    };
    let mut stream = UnixStream::connect(&args.control).map_err(failed)?;
    stream.set_read_timeout(Some(ANSWER)).map_err(failed)?;
    stream.set_write_timeout(Some(ANSWER)).map_err(failed)?;
    write!(stream, "GET {STATUS_PATH} HTTP/1.1\r\nHost: byway\r\n\r\n").map_err(failed)?;
    let mut answer = String::new();
    stream.take(ANSWER_LEN_MAX).read_to_string(&mut answer).map_err(failed)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(wrong)?;
    let is_there = head.starts_with("HTTP/1.1 200 ");
    serde_json::from_str(body).ok().filter(|_| is_there).ok_or_else(wrong)
}

fn shown(status: &DaemonStatus) -> String {
    let up = show_ns(status.uptime_ns as f64);
    let mut lines = format!("byway {}, process {}, for {up}\n", status.version, status.pid);
    if !status.exports.is_empty() {
        lines += &format!("\n{}", exports(status));
    }
    if !status.targets.is_empty() {
        lines += &format!("\n{}", targets(status));
    }
    if status.cores.len() > 1 {
        lines += &format!("\n{}", cores(status));
    }
    for export in &status.exports {
        let qemu = export.qemu_after_resize();
        if !qemu.is_empty() {
            let (before, now) = (export.size_at_start, export.size);
            lines += &format!(
                "\nThe size of export '{}' is now {now} bytes, no longer {before}. NBD tells no client; a \
                 running QEMU needs, by QMP:\n",
                export.name
            );
            lines += &qemu.iter().map(|line| format!("  {line}\n")).collect::<String>();
        }
    }
    lines
}

fn exports(status: &DaemonStatus) -> String {
    let row = |export: &byway::daemon::status::ExportStatus| {
        let p99 = export.quantile(0.99).map_or("-".into(), |ns| show_ns(ns as f64));
        vec![
            if export.name.is_empty() { "(default)".into() } else { export.name.clone() },
            text::size(export.size),
            if export.read_only { "read-only" } else { "read-write" }.into(),
            export.connections.to_string(),
            export.requests.to_string(),
            export.errors.to_string(),
            text::size(export.read_bytes),
            text::size(export.written_bytes),
            p99,
            export.device.clone(),
        ]
    };
    let headings = [
        "EXPORT", "SIZE", "ACCESS", "CLIENTS", "REQUESTS", "ERRORS", "READ", "WRITTEN", "P99",
        "DEVICE",
    ];
    text::table(&headings, &status.exports.iter().map(row).collect::<Vec<_>>())
}

fn targets(status: &DaemonStatus) -> String {
    let row = |target: &byway::daemon::status::TargetStatus| {
        vec![
            target.name.clone(),
            target.sessions.to_string(),
            target.commands.to_string(),
            target.errors.to_string(),
            text::size(target.read_bytes),
            text::size(target.written_bytes),
            target.addresses.join(", "),
        ]
    };
    let headings = ["TARGET", "SESSIONS", "COMMANDS", "ERRORS", "READ", "WRITTEN", "AT"];
    text::table(&headings, &status.targets.iter().map(row).collect::<Vec<_>>())
}

fn cores(status: &DaemonStatus) -> String {
    let row = |core: &byway::daemon::status::CoreStatus| {
        let own = status.targets.iter().filter(|target| target.core == core.number);
        vec![
            core.number.to_string(),
            core.processor.map_or("-".into(), |processor| processor.to_string()),
            if core.answers { "yes" } else { "no: see the log" }.into(),
            core.connections.to_string(),
            core.requests.to_string(),
            own.map(|target| target.sessions).sum::<u64>().to_string(),
        ]
    };
    let headings = ["CORE", "PROCESSOR", "ANSWERS", "CLIENTS", "REQUESTS", "SESSIONS"];
    text::table(&headings, &status.cores.iter().map(row).collect::<Vec<_>>())
}
