//! The result as JSON that fio's readers take, with ours under `x`.
//!
//! The shape is that of fio 3.x `--output-format=json`: top keys, and for each job the directions
//! with `iops`, `bw`, `clat_ns` and `lat_ns`. Here `clat_ns` is the service time (submission to
//! completion), and `lat_ns` the response time (intended start to completion) of an open loop; a
//! closed loop has no response time, and its `lat_ns` is the service time again, as fio's is.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::job::JobSpec;
use crate::machine::Machine;
use crate::record::{Failure, INTERVAL_NS, Series, Tally};
use crate::run::{Cost, JobResult, RunResult};
use crate::words::{WordError, show_size};

/// The percentiles that fio prints.
const PERCENTILES: [f64; 17] = [
    1.0, 5.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 95.0, 99.0, 99.5, 99.9, 99.95,
    99.99,
];

/// A whole result.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FioRun {
    /// `byway-` and the version.
    #[serde(rename = "fio version")]
    pub version: String,
    /// Seconds since 1970 at the start.
    pub timestamp: u64,
    /// Milliseconds since 1970 at the start.
    pub timestamp_ms: u64,
    /// The same in words, UTC.
    pub time: String,
    /// The jobs.
    pub jobs: Vec<FioJob>,
    /// Empty: the kernel's figures of a disk say nothing of user-space devices.
    pub disk_util: Vec<serde_json::Value>,
    /// What fio does not have.
    pub x: RunExtra,
}

/// One job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FioJob {
    /// Its name.
    pub jobname: String,
    /// The errno of the first failure, or 0.
    pub error: i32,
    /// The words of the job.
    #[serde(rename = "job options")]
    pub options: BTreeMap<String, String>,
    /// Reads.
    pub read: FioSide,
    /// Writes.
    pub write: FioSide,
    /// Nothing yet: no workload discards.
    pub trim: FioSide,
    /// The measured time in milliseconds.
    pub job_runtime: u64,
    /// User time of the job's threads, in percent of the measured time.
    pub usr_cpu: f64,
    /// System time of the job's threads, in percent of the measured time.
    pub sys_cpu: f64,
    /// Context switches of the job's threads.
    pub ctx: u64,
    /// What fio does not have.
    pub x: JobExtra,
}

/// One direction of a job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FioSide {
    /// Bytes moved.
    pub io_bytes: u64,
    /// The same in KiB.
    pub io_kbytes: u64,
    /// Bytes per second.
    pub bw_bytes: u64,
    /// KiB per second.
    pub bw: u64,
    /// Operations per second.
    pub iops: f64,
    /// The measured time in milliseconds.
    pub runtime: u64,
    /// Operations.
    pub total_ios: u64,
    /// Nothing: submission is part of the service time.
    pub slat_ns: FioLatency,
    /// Service times in nanoseconds.
    pub clat_ns: FioLatency,
    /// Response times of an open loop in nanoseconds, else service times.
    pub lat_ns: FioLatency,
}

/// A distribution of times.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FioLatency {
    /// The shortest in nanoseconds.
    pub min: u64,
    /// The longest in nanoseconds.
    pub max: u64,
    /// The mean in nanoseconds.
    pub mean: f64,
    /// The standard deviation in nanoseconds.
    pub stddev: f64,
    /// How many.
    #[serde(rename = "N")]
    pub n: u64,
    /// Nanoseconds at each percentile, named as fio does: `99.000000`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub percentile: BTreeMap<String, u64>,
}

/// What fio does not have, of the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunExtra {
    /// The device.
    pub uri: String,
    /// The interface that was measured.
    pub api: String,
    /// Whether cores spun.
    pub poll_mode: String,
    /// Where random numbers came from.
    pub seed: u64,
    /// User and system time of the process for each operation, in nanoseconds.
    pub cpu_ns_per_io: f64,
    /// System calls for I/O for each operation.
    pub syscalls_per_io: f64,
    /// Heap allocations of the job's threads for each operation.
    pub allocs_per_io: f64,
    /// The share of turns that found something done.
    pub poll_hit_ratio: f64,
    /// The most memory that was resident, in bytes.
    pub resident_max: u64,
    /// Ended before its time.
    pub interrupted: bool,
    /// Where it ran.
    pub machine: Machine,
}

/// What fio does not have, of a job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobExtra {
    /// True where `lat_ns` is a response time from the intended start.
    pub open_loop: bool,
    /// Requests that were due and never started.
    pub unserved: u64,
    /// Requests that were due in time and done later.
    pub late_ios: u64,
    /// Blocks whose content was checked.
    pub verified: u64,
    /// Failed operations.
    pub errors: u64,
    /// The first of them.
    pub first_errors: Vec<FailedIo>,
    /// The length of an interval of the series, in milliseconds.
    pub interval_ms: u64,
    /// Reads over time.
    pub read_series: Vec<SeriesPoint>,
    /// Writes over time.
    pub write_series: Vec<SeriesPoint>,
}

/// A failed operation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FailedIo {
    /// The operation.
    pub op: String,
    /// First byte on the device.
    pub offset: u64,
    /// Bytes.
    pub len: u64,
    /// The kernel's number for it, where there is one.
    pub errno: Option<i32>,
    /// What happened.
    pub what: String,
}

/// One interval of a series: operations, then nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SeriesPoint {
    /// Operations done.
    pub ios: u64,
    /// Median.
    pub p50: u64,
    /// 99th percentile.
    pub p99: u64,
    /// Longest.
    pub max: u64,
}

/// Reads a result, or says what is wrong with it. `name` is the file's.
pub fn run_json(name: &str, text: &str) -> Result<FioRun, WordError> {
    let error = |problem: String| {
        WordError::new(name, problem, "name a file that bench run --json has written")
    };
    let run: FioRun = serde_json::from_str(text).map_err(|e| error(e.to_string()))?;
    if run.jobs.is_empty() {
        return Err(error("a result without jobs".into()));
    }
    Ok(run)
}

impl FioRun {
    /// The JSON of a result.
    pub fn of(run: &RunResult) -> FioRun {
        FioRun {
            version: format!("byway-{}", run.machine.version),
            timestamp: run.started_ms / 1000,
            timestamp_ms: run.started_ms,
            time: super::table::utc(run.started_ms / 1000),
            jobs: run.jobs.iter().map(|job| fio_job(job, run)).collect(),
            disk_util: Vec::new(),
            x: run_extra(run),
        }
    }

    /// The text, in lines.
    pub fn text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("plain data becomes JSON");
        text.push('\n');
        text
    }
}

fn per_io(amount: u64, ios: u64) -> f64 {
    if ios == 0 { 0.0 } else { rounded(amount as f64 / ios as f64) }
}

/// Six digits behind the point: all that is known, and read back by everyone as the same number.
fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

fn run_extra(run: &RunResult) -> RunExtra {
    let (cost, ios) = (&run.cost, run.ios());
    RunExtra {
        uri: run.device.name.clone(),
        api: run.spec.api.word().into(),
        poll_mode: run.spec.poll_mode.name().into(),
        seed: run.spec.seed,
        cpu_ns_per_io: per_io(cost.process.cpu_ns(), ios),
        syscalls_per_io: per_io(cost.core.syscalls, ios),
        allocs_per_io: per_io(cost.allocations, ios),
        poll_hit_ratio: hit_ratio(cost),
        resident_max: cost.process.resident_max,
        interrupted: run.interrupted,
        machine: run.machine.clone(),
    }
}

fn hit_ratio(cost: &Cost) -> f64 {
    per_io(cost.core.polls_hit, cost.core.polls_hit + cost.core.polls_empty)
}

fn fio_job(job: &JobResult, run: &RunResult) -> FioJob {
    let percent = |ns: u64| {
        if job.runtime_ns == 0 { 0.0 } else { rounded(ns as f64 * 100.0 / job.runtime_ns as f64) }
    };
    let threads = &job.cost.threads;
    FioJob {
        jobname: job.spec.name.clone(),
        error: job.errors.errno(),
        options: options(&job.spec, run),
        read: side(job, 0),
        write: side(job, 1),
        trim: FioSide::default(),
        job_runtime: job.runtime_ns / 1_000_000,
        usr_cpu: percent(threads.user_ns),
        sys_cpu: percent(threads.system_ns),
        ctx: threads.preemptions + threads.waits,
        x: job_extra(job),
    }
}

fn job_extra(job: &JobResult) -> JobExtra {
    JobExtra {
        open_loop: job.is_open_loop(),
        unserved: job.unserved,
        late_ios: job.tallies.iter().map(|tally| tally.late_ios).sum(),
        verified: job.verified,
        errors: job.errors.count,
        first_errors: job.errors.first.iter().map(failed_io).collect(),
        interval_ms: INTERVAL_NS / 1_000_000,
        read_series: series(&job.series[0]),
        write_series: series(&job.series[1]),
    }
}

fn failed_io(failure: &Failure) -> FailedIo {
    FailedIo {
        op: failure.op.into(),
        offset: failure.offset,
        len: failure.len,
        errno: failure.errno,
        what: failure.what.clone(),
    }
}

fn series(series: &Series) -> Vec<SeriesPoint> {
    let point = |p: &crate::record::Point| SeriesPoint {
        ios: p.ios,
        p50: p.p50_ns,
        p99: p.p99_ns,
        max: p.max_ns,
    };
    if series.points().iter().all(|p| p.ios == 0) {
        return Vec::new();
    }
    series.points().iter().map(point).collect()
}

fn side(job: &JobResult, direction: usize) -> FioSide {
    let tally: &Tally = &job.tallies[direction];
    let bytes = tally.ios * u64::from(job.spec.bs);
    let per_second = job.per_second(bytes) as u64;
    let clat = latency(&tally.service);
    let lat = if job.is_open_loop() { latency(&tally.response) } else { clat.clone() };
    FioSide {
        io_bytes: bytes,
        io_kbytes: bytes >> 10,
        bw_bytes: per_second,
        bw: per_second >> 10,
        iops: rounded(job.per_second(tally.ios)),
        runtime: if tally.ios == 0 { 0 } else { job.runtime_ns / 1_000_000 },
        total_ios: tally.ios,
        slat_ns: FioLatency::default(),
        clat_ns: clat,
        lat_ns: FioLatency { percentile: lat.percentile.clone(), ..lat },
    }
}

fn latency(times: &Histogram<u64>) -> FioLatency {
    if times.is_empty() {
        return FioLatency::default();
    }
    let at = |percent: &f64| (format!("{percent:.6}"), times.value_at_percentile(*percent));
    FioLatency {
        min: times.min(),
        max: times.max(),
        mean: rounded(times.mean()),
        stddev: rounded(times.stdev()),
        n: times.len(),
        percentile: PERCENTILES.iter().map(at).collect(),
    }
}

/// The words by which the job can be run again, under fio's names where fio has one.
fn options(job: &JobSpec, run: &RunResult) -> BTreeMap<String, String> {
    let mut options = BTreeMap::new();
    let mut set = |key: &str, word: String| options.insert(key.to_owned(), word);
    set("name", job.name.clone());
    set("filename", run.device.name.clone());
    set("rw", job.pattern.word().into());
    set("bs", show_size(u64::from(job.bs)));
    set("iodepth", job.qd.to_string());
    set("numjobs", job.jobs.to_string());
    set("size", job.range(run.device.size).to_string());
    set("runtime", format!("{}ms", run.spec.runtime_ns / 1_000_000));
    set("ramp_time", format!("{}ms", run.spec.warmup_ns / 1_000_000));
    set("randseed", run.spec.seed.to_string());
    if job.pattern.writes() && job.pattern.read_percent > 0 {
        set("rwmixread", job.pattern.read_percent.to_string());
    }
    if let Some(rate) = job.rate {
        set("rate_iops", rate.word());
    }
    if let Some(exponent) = job.zipf {
        set("random_distribution", format!("zipf:{exponent}"));
    }
    if !job.cores.is_empty() {
        let cores: Vec<_> = job.cores.iter().map(usize::to_string).collect();
        set("cpus_allowed", cores.join(","));
    }
    if job.verify {
        set("verify", "crc32c".into());
    }
    options
}
