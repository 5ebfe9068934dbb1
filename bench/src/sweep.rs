//! Latency against load: an open loop at rising rates, and the knee of the curve.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use byway_engine::SetupError;
use byway_engine::block::BlockDevice;
use serde::{Deserialize, Serialize};

use crate::job::RunSpec;
use crate::machine::Machine;
use crate::run::{JobResult, RunOptions, RunResult, run};
use crate::words::Rate;

/// Steps of one sweep.
pub const STEPS_MAX: u32 = 1000;
/// The share of the asked rate that must be done.
const DONE_SHARE_MIN: f64 = 0.99;
/// How often the 99th percentile of the first step.
const KNEE_FACTOR: f64 = 4.0;
/// What the knee is, in words.
pub const KNEE_MEANS: &str = "knee: the last step up to which every step did 99 % of what was asked \
    with a 99th percentile of at most 4 times the first step's";

/// One step of a sweep. Times are response times, from the intended start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Operations per second that were asked for.
    pub asked: f64,
    /// Operations per second that were done in time.
    pub done: f64,
    /// Median in nanoseconds.
    pub p50_ns: u64,
    /// 99th percentile in nanoseconds.
    pub p99_ns: u64,
    /// 99.9th percentile in nanoseconds.
    pub p999_ns: u64,
    /// Longest in nanoseconds.
    pub max_ns: u64,
    /// Processor time of each operation in nanoseconds.
    pub cpu_ns_per_io: f64,
    /// Failed operations.
    pub errors: u64,
}

/// A whole sweep.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SweepResult {
    /// The device.
    pub uri: String,
    /// The job, in words.
    pub job: String,
    /// The steps in order of their rates.
    pub steps: Vec<Step>,
    /// The knee's place in the steps; none where not even the first step keeps up.
    pub knee: Option<usize>,
    /// Ended before its time.
    pub interrupted: bool,
    /// Where it ran.
    pub machine: Machine,
}

/// The rates of a sweep: `steps` of them, evenly from the first to the last.
pub fn rates(low: Rate, high: Rate, steps: u32) -> Vec<Rate> {
    let last = u64::from(steps.max(2) - 1);
    let span = high.per_second - low.per_second;
    let at = |i: u64| Rate { per_second: low.per_second + span * i / last, ..low };
    (0..=last).map(at).collect()
}

/// Runs the only job of `spec` at each of `rates`.
///
/// # Errors
/// As [`run`]. An interruption ends the sweep with the steps so far.
pub fn sweep(
    spec: &RunSpec,
    rates: &[Rate],
    device: &Arc<dyn BlockDevice>,
    options: &RunOptions,
) -> Result<SweepResult, SetupError> {
    let mut result = SweepResult { uri: device.info().name, ..SweepResult::default() };
    for rate in rates {
        let mut spec = spec.clone();
        spec.jobs.iter_mut().for_each(|job| job.rate = Some(*rate));
        let done = run(&spec, device, options)?;
        result.job = done.jobs.first().map(|job| job.spec.to_string()).unwrap_or_default();
        if !options.stop.load(Ordering::Relaxed) {
            result.steps.push(step(*rate, &done));
        }
        result.machine = done.machine;
        if options.stop.load(Ordering::Relaxed) {
            result.interrupted = true;
            break;
        }
    }
    result.knee = knee(&result.steps);
    Ok(result)
}

fn step(rate: Rate, run: &RunResult) -> Step {
    let mut times = crate::record::histogram();
    for tally in run.jobs.iter().flat_map(|job: &JobResult| &job.tallies) {
        times.add(&tally.response).expect("histograms of the same bounds add up");
    }
    Step {
        asked: rate.per_second as f64,
        done: run.iops(),
        p50_ns: times.value_at_quantile(0.5),
        p99_ns: times.value_at_quantile(0.99),
        p999_ns: times.value_at_quantile(0.999),
        max_ns: times.max(),
        cpu_ns_per_io: run.cost.process.cpu_ns() as f64 / run.ios().max(1) as f64,
        errors: run.failures(),
    }
}

/// The place of the knee; see [`KNEE_MEANS`].
pub fn knee(steps: &[Step]) -> Option<usize> {
    let unloaded = steps.first()?.p99_ns as f64;
    let keeps_up = |step: &Step| {
        step.done >= step.asked * DONE_SHARE_MIN && step.p99_ns as f64 <= unloaded * KNEE_FACTOR
    };
    steps.iter().take_while(|step| keeps_up(step)).count().checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words;

    /// The exact curve of a queue with random arrivals and service (M/M/1): its response times are
    /// exponential with the rate `capacity - load`.
    fn mm1(capacity: f64, load: f64) -> Step {
        let p99 = 100f64.ln() / (capacity - load) * 1e9;
        Step { asked: load, done: load, p99_ns: p99 as u64, ..Step::default() }
    }

    #[test]
    fn the_knee_of_a_known_queue_is_where_the_law_puts_it() {
        // The unloaded step runs at 10 % of the capacity; four times its percentile is reached at
        // 1 - 0.9 / 4 = 77.5 % of it.
        let steps: Vec<_> =
            (1..20).map(|i| mm1(100_000.0, f64::from(i) * 5000.0 + 5000.0)).collect();
        assert_eq!(steps[knee(&steps).unwrap()].asked, 75_000.0);
    }

    #[test]
    fn a_rate_that_is_not_done_is_beyond_the_knee() {
        let flat = |asked: f64, done: f64| Step { asked, done, p99_ns: 100, ..Step::default() };
        let steps = [flat(10.0, 10.0), flat(20.0, 19.9), flat(30.0, 29.0), flat(40.0, 40.0)];
        assert_eq!(knee(&steps), Some(1));
        assert_eq!(knee(&steps[2..]), None);
        assert_eq!(knee(&[]), None);
    }

    #[test]
    fn rates_rise_evenly_from_end_to_end() {
        let (low, high) = words::rate_range("10k..120k").unwrap();
        let rates: Vec<_> = rates(low, high, 12).iter().map(|r| r.per_second).collect();
        assert_eq!(rates, (1..=12).map(|i| i * 10_000).collect::<Vec<_>>());
    }
}
