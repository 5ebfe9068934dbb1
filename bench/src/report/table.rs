//! The result for people, on the standard output.

use std::fmt::Write;

use hdrhistogram::Histogram;

use crate::record::{Direction, Tally};
use crate::run::{JobResult, RunResult};
use crate::sweep::SweepResult;
use crate::words::{show_ns, show_size};

/// The table of a run.
pub fn run_table(run: &RunResult) -> String {
    let mut text = String::new();
    let line = |text: &mut String, words: String| {
        text.push_str(words.trim_end());
        text.push('\n');
    };
    for job in &run.jobs {
        let loop_kind = if job.is_open_loop() { "open loop" } else { "closed loop" };
        let seconds = job.runtime_ns as f64 / 1e9;
        line(
            &mut text,
            format!(
                "{} on {}: {}, {loop_kind}, {seconds:.1} s",
                job.spec.name, run.device.name, job.spec
            ),
        );
        text.push_str(&job_lines(job));
    }
    line(&mut text, cost_line(run));
    line(&mut text, machine_line(run));
    if run.interrupted {
        line(&mut text, "interrupted: this is what there was until then".into());
    }
    text
}

fn job_lines(job: &JobResult) -> String {
    let mut text = String::new();
    let directions = [Direction::Read, Direction::Write];
    for (direction, tally) in directions.into_iter().zip(&job.tallies) {
        if tally.ios + tally.late_ios == 0 && tally.response.is_empty() {
            continue;
        }
        let bytes = job.per_second(tally.ios * u64::from(job.spec.bs));
        let _ = writeln!(
            text,
            "  {:<8} {:>10} IOPS  {:>10}/s",
            direction.word(),
            show_count(job.per_second(tally.ios)),
            show_bytes(bytes)
        );
        text.push_str(&time_lines(job, tally));
    }
    if job.unserved > 0 {
        let _ = writeln!(
            text,
            "  {} requests were due and never started: the rate is beyond the \
            device",
            job.unserved
        );
    }
    if job.spec.verify {
        let _ = writeln!(text, "  verified {} blocks", job.verified);
    }
    for failure in &job.errors.first {
        let errno = failure.errno.map_or(String::new(), |errno| format!(" (errno {errno})"));
        let _ = writeln!(text, "  failed: {}{errno}", failure.what);
    }
    if job.errors.count > 0 {
        let _ = writeln!(
            text,
            "  {} operations failed and are counted nowhere above",
            job.errors.count
        );
    }
    text
}

/// A closed loop has service times alone, and says so.
fn time_lines(job: &JobResult, tally: &Tally) -> String {
    let service = times_line("service", &tally.service);
    if job.is_open_loop() {
        return service + &times_line("response", &tally.response);
    }
    service + "           (a closed loop has no response times: it starts nothing while it waits)\n"
}

fn times_line(name: &str, times: &Histogram<u64>) -> String {
    let mut text = format!("    {name:<9}");
    for (word, quantile) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)] {
        let value = show_ns(times.value_at_quantile(quantile) as f64);
        let _ = write!(text, "{word} {value:<9} ");
    }
    let _ = writeln!(text, "max {:<9} mean {}", show_ns(times.max() as f64), show_ns(times.mean()));
    text
}

fn cost_line(run: &RunResult) -> String {
    let ios = run.ios().max(1) as f64;
    let core = &run.cost.core;
    let polls = (core.polls_hit + core.polls_empty).max(1) as f64;
    format!(
        "cost of an operation: cpu {}, {:.4} syscalls, {:.4} allocations; polls that hit {:.1} %; \
         resident at most {}",
        show_ns(run.cost.process.cpu_ns() as f64 / ios),
        core.syscalls as f64 / ios,
        run.cost.allocations as f64 / ios,
        core.polls_hit as f64 * 100.0 / polls,
        show_bytes(run.cost.process.resident_max as f64),
    )
}

fn machine_line(run: &RunResult) -> String {
    let machine = &run.machine;
    format!(
        "{}, {} cores, kernel {}, build {}, api {}, poll mode {}, seed {}; jitter max {}, {:.2} % \
         taken",
        machine.cpu,
        machine.cores,
        machine.kernel,
        machine.git_hash,
        run.spec.api.word(),
        run.spec.poll_mode.name(),
        run.spec.seed,
        show_ns(machine.jitter.max_ns as f64),
        machine.jitter.taken_percent,
    )
}

/// The table of a sweep.
pub fn sweep_table(sweep: &SweepResult) -> String {
    let mut text = format!(
        "{:>12} {:>12} {:>10} {:>10} {:>10} {:>10}\n",
        "asked/s", "done/s", "p50", "p99", "p99.9", "cpu/op"
    );
    for (index, step) in sweep.steps.iter().enumerate() {
        let knee = if sweep.knee == Some(index) { "  <- knee" } else { "" };
        let _ = writeln!(
            text,
            "{:>12} {:>12} {:>10} {:>10} {:>10} {:>10}{knee}",
            show_count(step.asked),
            show_count(step.done),
            show_ns(step.p50_ns as f64),
            show_ns(step.p99_ns as f64),
            show_ns(step.p999_ns as f64),
            show_ns(step.cpu_ns_per_io)
        );
    }
    text.push_str(crate::sweep::KNEE_MEANS);
    text.push('\n');
    text
}

/// A number of operations for people.
pub(crate) fn show_count(count: f64) -> String {
    match count {
        n if n >= 1e6 => format!("{:.2}m", n / 1e6),
        n if n >= 1e4 => format!("{:.1}k", n / 1e3),
        n => format!("{n:.0}"),
    }
}

fn show_bytes(bytes: f64) -> String {
    match bytes {
        b if b >= f64::from(1 << 30) => format!("{:.2} GiB", b / f64::from(1 << 30)),
        b if b >= f64::from(1 << 20) => format!("{:.1} MiB", b / f64::from(1 << 20)),
        b if b >= 1024.0 => format!("{:.1} KiB", b / 1024.0),
        b => format!("{} B", show_size(b as u64)),
    }
}

/// A time of day in words, UTC, as fio writes it: `Mon Nov 23 15:06:24 2026`. The calendar is
/// H. Hinnant's `civil_from_days`.
pub(crate) fn utc(seconds: u64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12;
    let year = year_of_era + era * 400 + u64::from(month < 2);
    format!(
        "{} {} {day:>2} {:02}:{:02}:{:02} {year}",
        DAYS[(days % 7) as usize],
        MONTHS[month as usize],
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}
