//! `byway nbd attach`: a device for an export, and who tends it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use byway::daemon::notify::{Notifier, State};
use byway_bench::words::{show_size, span_ns};
use byway_export::nbd::kernel::{AttachConfig, Attachment, CONNECTIONS_MAX, Tended};

use super::super::failure::Failure;
use super::super::output;
use super::args::AttachArgs;
use super::place;

/// Sockets where nothing is said.
const CONNECTIONS: u32 = 4;
const NS_PER_S: u64 = 1_000_000_000;
/// How long the watcher waits for dead links before it looks at other things.
const SPAN: Duration = Duration::from_secs(1);
/// The same while the server is away.
const AWAY_SPAN: Duration = Duration::from_millis(200);
/// The spans for which a device that was there is tended.
const HEAL_SPANS: u32 = 2;

pub(super) fn run(args: &AttachArgs) -> Result<(), Failure> {
    let config = config(args)?;
    let mut attachment = Attachment::open(config)?;
    let line = line(&attachment, args);
    output::print(&format!("{line}\n"))?;
    if args.watch {
        tell_manager(&line);
        return watch(&mut attachment);
    }
    if attachment.was_attached() { heal(&mut attachment) } else { Ok(()) }
}

/// Tells the service manager, where there is one, that the device is there.
fn tell_manager(line: &str) {
    match Notifier::from_environment() {
        Ok(notifier) => notifier.tell(&[State::Ready, State::Status(line.to_owned())]),
        Err(error) => tracing::warn!(%error, "the service manager is not told: NOTIFY_SOCKET"),
    }
}

/// Replaces what has died of a device that was there; and what is about to die, since the kernel may
/// be at work on the end of a server that was killed.
fn heal(attachment: &mut Attachment) -> Result<(), Failure> {
    for _ in 0..HEAL_SPANS {
        match attachment.tend(SPAN)? {
            Tended::Waiting(why) => return Err(Failure::failed(why.to_string())),
            tended => tell(attachment, &tended)?,
        }
    }
    Ok(())
}

fn config(args: &AttachArgs) -> Result<AttachConfig, Failure> {
    let connections = args.connections.unwrap_or(CONNECTIONS);
    if !(1..=CONNECTIONS_MAX).contains(&connections) {
        return Err(Failure::usage(format!(
            "--connections {connections}: no number of sockets; write 1 to {CONNECTIONS_MAX}"
        )));
    }
    let timeout_s = seconds("timeout", &args.timeout)?;
    if timeout_s == 0 {
        return Err(Failure::usage("--timeout 0s: nothing is that fast; write 1s or more"));
    }
    Ok(AttachConfig {
        index: place::index(&args.device)?,
        backend: place::backend(&args.export)?,
        connections,
        insist: args.connections.is_some(),
        timeout_s,
        dead_timeout_s: seconds("dead-timeout", &args.dead_timeout)?,
        read_only: args.read_only,
    })
}

/// The kernel counts whole seconds: a part of one is a whole one.
fn seconds(option: &str, word: &str) -> Result<u64, Failure> {
    let ns = span_ns(word).map_err(|error| Failure::usage(format!("--{option}: {error}")))?;
    Ok(ns.div_ceil(NS_PER_S))
}

fn line(attachment: &Attachment, args: &AttachArgs) -> String {
    let device = attachment.disk().device();
    let size = show_size(attachment.size());
    if attachment.was_attached() {
        return format!("{device}: has {} already, {size}", args.export);
    }
    let (count, plural) = match attachment.connections() {
        1 => (1, ""),
        count => (count, "s"),
    };
    let mode = if attachment.is_read_only() { ", read-only" } else { "" };
    format!("{device}: {}, {size}, {count} connection{plural}{mode}", args.export)
}

/// Tends the device until a signal, or until somebody detaches it.
fn watch(attachment: &mut Attachment) -> Result<(), Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))
            .map_err(|error| Failure::failed(format!("signals: {error}; report this")))?;
    }
    let mut is_away = false;
    while !stop.load(Ordering::Relaxed) {
        let tended = attachment.tend(if is_away { AWAY_SPAN } else { SPAN })?;
        let was_away = std::mem::replace(&mut is_away, matches!(tended, Tended::Waiting(_)));
        // A server that stays away is told of once.
        if !(was_away && is_away) {
            tell(attachment, &tended)?;
        }
        if matches!(tended, Tended::Detached) {
            return Ok(());
        }
    }
    Ok(())
}

fn tell(attachment: &Attachment, tended: &Tended) -> Result<(), Failure> {
    let device = attachment.disk().device();
    let line = match tended {
        Tended::Quiet => return Ok(()),
        Tended::Restored(1) => format!("{device}: replaced a dead connection"),
        Tended::Restored(count) => format!("{device}: replaced {count} dead connections"),
        Tended::Resized { from, to } => {
            format!("{device}: {} instead of {}", show_size(*to), show_size(*from))
        }
        Tended::Detached => format!("{device}: was detached"),
        Tended::Waiting(why) | Tended::NotResized(why) => {
            tracing::warn!(device, "{why}");
            return Ok(());
        }
    };
    output::print(&format!("{line}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(connections: Option<u32>, timeout: &str) -> AttachArgs {
        AttachArgs {
            export: "nbd+unix:///a?socket=/run/s".into(),
            device: "/dev/nbd3".into(),
            connections,
            timeout: timeout.into(),
            dead_timeout: "10m".into(),
            read_only: false,
            watch: false,
        }
    }

    #[test]
    fn times_are_whole_seconds() {
        let config = config(&args(None, "1500ms")).unwrap();
        assert_eq!((config.timeout_s, config.dead_timeout_s, config.index), (2, 600, 3));
        assert_eq!((config.connections, config.insist), (4, false));
    }

    #[test]
    fn what_cannot_be_is_refused_with_a_remedy() {
        for (args, part) in [
            (args(Some(0), "1s"), "write 1 to 16"),
            (args(Some(17), "1s"), "write 1 to 16"),
            (args(None, "0s"), "write 1s or more"),
            (args(None, "10"), "without its unit"),
        ] {
            let line = config(&args).unwrap_err().line().to_owned();
            assert!(line.contains(part), "{line}");
        }
    }
}
