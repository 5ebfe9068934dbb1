//! Where a result comes from: machine, kernel, build, and how quiet the machine was.
//!
//! The jitter probe reads the clock in a loop and looks at the gaps: what others take of a core
//! shows as gaps far longer than a reading (the method of the program `hiccups`).

use std::fs;

use byway_engine::core::Clock;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::record::histogram;

/// The commit of this build, or `unknown` outside of a repository.
pub const GIT_HASH: &str = env!("BYWAY_GIT_HASH");
/// How long the jitter probe runs before each run, in nanoseconds.
pub const JITTER_PROBE_NS: u64 = 200_000_000;
/// A gap longer than this is time taken by others, in nanoseconds.
const HICCUP_NS: u64 = 10_000;

/// The machine and the build of a result.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Machine {
    /// The model of the processor.
    pub cpu: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// The kernel's release.
    pub kernel: String,
    /// The version of this program.
    pub version: String,
    /// The commit of this build, or `unknown` outside of a repository.
    pub git_hash: String,
    /// The clock that times are read from.
    pub clock: String,
    /// What the jitter probe found.
    pub jitter: Jitter,
}

/// What the jitter probe found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Jitter {
    /// How long was probed, in nanoseconds.
    pub probe_ns: u64,
    /// The longest gap, in nanoseconds.
    pub max_ns: u64,
    /// The 99.99th percentile of gaps, in nanoseconds.
    pub p99_99_ns: u64,
    /// The share of the time in gaps over 10 us, in percent.
    pub taken_percent: f64,
}

impl Machine {
    /// Looks at this machine, which takes as long as the jitter probe.
    pub fn record() -> Machine {
        let clock = Clock::real();
        Machine {
            cpu: cpu_model(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: kernel_release(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            git_hash: GIT_HASH.to_owned(),
            clock: clock.name().to_owned(),
            jitter: Jitter::probe(&clock, JITTER_PROBE_NS),
        }
    }

    /// How `other` differs in what a comparison needs to be the same.
    pub fn differences(&self, other: &Machine) -> Vec<String> {
        let mut found = Vec::new();
        let mut compare = |what: &str, a: &str, b: &str| {
            if a != b {
                found.push(format!("{what} differs: {a} and {b}"));
            }
        };
        compare("cpu", &self.cpu, &other.cpu);
        compare("number of cores", &self.cores.to_string(), &other.cores.to_string());
        compare("kernel", &self.kernel, &other.kernel);
        compare("clock", &self.clock, &other.clock);
        found
    }
}

impl Jitter {
    /// Probes for `ns` nanoseconds on this thread.
    pub fn probe(clock: &Clock, ns: u64) -> Jitter {
        let (start, mut gaps) = (clock.now(), histogram());
        let (mut last, mut taken) = (start, 0);
        while last - start < ns {
            let now = clock.now();
            taken += note_gap(&mut gaps, now - last);
            last = now;
        }
        let probe_ns = last - start;
        Jitter {
            probe_ns,
            max_ns: gaps.max(),
            p99_99_ns: gaps.value_at_quantile(0.9999),
            taken_percent: (taken as f64 * 1e8 / probe_ns.max(1) as f64).round() / 1e6,
        }
    }
}

fn note_gap(gaps: &mut Histogram<u64>, gap: u64) -> u64 {
    gaps.saturating_record(gap);
    if gap > HICCUP_NS { gap } else { 0 }
}

fn cpu_model(cpuinfo: &str) -> String {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"));
    let model = line.and_then(|line| line.split_once(':'));
    model.map_or("unknown", |(_, model)| model.trim()).to_owned()
}

fn kernel_release() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease");
    release.map_or_else(|_| "unknown".into(), |text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_read_or_unknown() {
        assert_eq!(cpu_model("processor: 0\nmodel name\t: Some CPU\n"), "Some CPU");
        assert_eq!(cpu_model(""), "unknown");
    }

    #[test]
    fn a_probe_accounts_for_its_time() {
        let jitter = Jitter::probe(&Clock::real(), 1_000_000);
        assert!(jitter.probe_ns >= 1_000_000 && jitter.max_ns > 0);
        assert!(jitter.p99_99_ns <= jitter.max_ns + 1 && jitter.taken_percent <= 100.0);
    }

    #[test]
    fn other_machines_are_told_apart() {
        let machine = Machine { kernel: "6.1".into(), ..Machine::default() };
        assert!(machine.differences(&machine).is_empty());
        let other = Machine { kernel: "6.18".into(), cores: 2, ..machine.clone() };
        assert_eq!(machine.differences(&other).len(), 2);
    }
}
