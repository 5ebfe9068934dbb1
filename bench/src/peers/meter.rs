//! Processor time of a program while it runs, by one ruler for everyone.
//!
//! Programs count differently: fio leaves out the kernel's workers that run requests of a device
//! which cannot promise not to wait, and those may cost more than fio itself. So each program is
//! looked at from outside, in the middle of its life, where it does nothing but the work.
//!
//! Source: proc(5), `/proc/PID/stat`, fields 14 and 15.

use std::fs;
use std::process::{Child, ExitStatus};
use std::time::Duration;

use byway_engine::core::Clock;

/// Between two looks at a program.
const LOOK: Duration = Duration::from_millis(20);
/// Nanoseconds of a clock tick of `/proc` (`USER_HZ` is 100 on every Linux).
const TICK_NS: u64 = 10_000_000;
/// The part of a program's life that is looked at, in percent: behind its start and warm-up, before
/// its end.
const WINDOW: std::ops::Range<u64> = 40..85;
/// Shorter windows than this are too coarse in ticks.
const WINDOW_NS_MIN: u64 = 500_000_000;

#[derive(Clone, Copy, Debug)]
struct Look {
    at_ns: u64,
    cpu_ns: u64,
}

/// What was seen of a program that has ended. Processor time is in nanoseconds of each second, user
/// and system of all threads; none where the program lived too briefly to tell.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) status: ExitStatus,
    pub(super) own: Option<f64>,
    /// That of its server in the same window.
    pub(super) server: Option<f64>,
}

/// Waits for a program's end, and looks at it and at the process `server` meanwhile.
pub(super) fn watch(child: &mut Child, server: Option<u32>) -> std::io::Result<Watched> {
    let clock = Clock::real();
    let start = clock.now();
    let (mut looks, mut at_server) = (Vec::new(), Vec::new());
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        let at_ns = clock.now() - start;
        looks.extend(cpu_ns(child.id()).map(|cpu_ns| Look { at_ns, cpu_ns }));
        at_server.extend(server.and_then(cpu_ns).map(|cpu_ns| Look { at_ns, cpu_ns }));
        std::thread::park_timeout(LOOK);
    };
    let life_ns = clock.now() - start;
    Ok(Watched { status, own: rate(&looks, life_ns), server: rate(&at_server, life_ns) })
}

/// Processor time in the window of a life, for each second of it.
fn rate(looks: &[Look], life_ns: u64) -> Option<f64> {
    let edge = |percent: u64| looks.iter().find(|look| look.at_ns >= life_ns / 100 * percent);
    let (first, last) = (edge(WINDOW.start)?, edge(WINDOW.end)?);
    let span = last.at_ns.checked_sub(first.at_ns).filter(|&ns| ns >= WINDOW_NS_MIN)?;
    let cpu = last.cpu_ns.checked_sub(first.cpu_ns)?;
    Some(cpu as f64 / span as f64 * 1e9)
}

fn cpu_ns(pid: u32) -> Option<u64> {
    of_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// User and system time of a line of `/proc/PID/stat`. The program's name, in parentheses, may
/// contain anything: what counts begins behind the last one.
fn of_stat(line: &str) -> Option<u64> {
    let mut fields = line.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    user.checked_add(system)?.checked_mul(TICK_NS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let line = "7 (a) (b c) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 3 0 9";
        assert_eq!(of_stat(line), Some(3_000_000_000));
        assert_eq!(of_stat("nonsense"), None);
    }

    #[test]
    fn the_rate_is_of_the_middle_of_a_life() {
        let look =
            |ms: u64, cpu_ms: u64| Look { at_ns: ms * 1_000_000, cpu_ns: cpu_ms * 1_000_000 };
        // Idle at first, then half of a processor, then a burst at the end.
        let looks: Vec<_> = (0..100)
            .map(|n| {
                look(n * 40, if n < 20 { 0 } else { (n - 20) * 20 } + if n > 95 { 900 } else { 0 })
            })
            .collect();
        let rate = rate(&looks, 4_000_000_000).unwrap();
        assert!((rate - 5e8).abs() < 1e6, "{rate}");
    }

    #[test]
    fn a_short_life_tells_nothing() {
        assert_eq!(rate(&[], 1_000_000), None);
        let looks = [Look { at_ns: 0, cpu_ns: 0 }, Look { at_ns: 90, cpu_ns: 90 }];
        assert_eq!(rate(&looks, 100), None);
    }

    #[test]
    fn a_program_is_watched_to_its_end() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let watched = watch(&mut child, Some(std::process::id())).unwrap();
        assert!(watched.status.success() && watched.own.is_none() && watched.server.is_none());
    }
}
