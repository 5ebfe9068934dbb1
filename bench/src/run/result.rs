//! What a run brings, before it becomes a table, a file or a chart.

use byway_engine::block::DeviceInfo;

use super::Cost;
use crate::job::{JobSpec, RunSpec};
use crate::load::Outcome;
use crate::machine::Machine;
use crate::record::{ErrorLog, Series, Tally};

/// The result of a run.
#[derive(Debug)]
pub struct RunResult {
    /// What was run.
    pub spec: RunSpec,
    /// The device it ran on.
    pub device: DeviceInfo,
    /// When it began, in milliseconds since 1970.
    pub started_ms: u64,
    /// Each job, its threads together.
    pub jobs: Vec<JobResult>,
    /// What all of it cost.
    pub cost: Cost,
    /// The machine it ran on.
    pub machine: Machine,
    /// It was interrupted before its time.
    pub interrupted: bool,
}

impl RunResult {
    /// Operations of all jobs that were done in time.
    pub fn ios(&self) -> u64 {
        self.jobs.iter().map(JobResult::ios).sum()
    }

    /// Failed operations of all jobs.
    pub fn failures(&self) -> u64 {
        self.jobs.iter().map(|job| job.errors.count).sum()
    }

    /// Operations per second of all jobs.
    pub fn iops(&self) -> f64 {
        self.jobs.iter().map(|job| job.per_second(job.ios())).sum()
    }
}

/// The result of one job.
#[derive(Debug)]
pub struct JobResult {
    /// What was to be done.
    pub spec: JobSpec,
    /// Reads, then writes.
    pub tallies: [Tally; 2],
    /// Reads, then writes.
    pub series: [Series; 2],
    /// Serialised histograms of each second and thread, where asked for: reads, then writes.
    pub log: [Vec<Vec<Vec<u8>>>; 2],
    /// What failed.
    pub errors: ErrorLog,
    /// The measured time in nanoseconds, the longest of the threads.
    pub runtime_ns: u64,
    /// Requests of an open loop that were due and never started.
    pub unserved: u64,
    /// Blocks whose content was checked.
    pub verified: u64,
    /// What the job's own threads cost.
    pub cost: Cost,
}

impl JobResult {
    /// A job of which no thread has reported yet.
    pub(super) fn new(spec: JobSpec) -> JobResult {
        JobResult {
            spec,
            tallies: Default::default(),
            series: Default::default(),
            log: Default::default(),
            errors: ErrorLog::default(),
            runtime_ns: 0,
            unserved: 0,
            verified: 0,
            cost: Cost::default(),
        }
    }

    /// Adds what one thread has done.
    pub(super) fn add(&mut self, outcome: Outcome, cost: &Cost) {
        let recorded = outcome.recorded;
        for direction in 0..2 {
            self.tallies[direction].merge(&recorded.tallies[direction]);
            self.series[direction].merge(&recorded.series[direction]);
        }
        let [read_log, write_log] = recorded.log;
        self.log[0].push(read_log);
        self.log[1].push(write_log);
        self.errors.merge(recorded.errors);
        self.runtime_ns = self.runtime_ns.max(outcome.runtime_ns);
        self.unserved += outcome.unserved;
        self.verified += outcome.verified;
        self.cost.add(cost);
    }

    /// Operations that were done in time.
    pub fn ios(&self) -> u64 {
        self.tallies.iter().map(|tally| tally.ios).sum()
    }

    /// `amount` over the measured time.
    pub fn per_second(&self, amount: u64) -> f64 {
        if self.runtime_ns == 0 { 0.0 } else { amount as f64 * 1e9 / self.runtime_ns as f64 }
    }

    /// True where response times were measured, from the intended start.
    pub fn is_open_loop(&self) -> bool {
        self.spec.rate.is_some()
    }
}
