//! The interval log: one histogram for every second, as the HdrHistogram tools read it.

use std::time::{Duration, SystemTime};

use byway_engine::SetupError;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use hdrhistogram::serialization::{Deserializer, V2DeflateSerializer};

use crate::record::histogram;
use crate::run::RunResult;

/// Values are written in nanoseconds; tools show them divided by this, in milliseconds.
const NS_PER_MS: f64 = 1e6;

/// The log of a run that kept one: a line for each second, job and direction, tagged
/// `job.read` or `job.write`. Response times for an open loop, else service times.
pub fn interval_log(run: &RunResult) -> Result<Vec<u8>, SetupError> {
    let mut text = Vec::new();
    write(run, &mut text)
        .map_err(|problem| SetupError::new("interval log", problem, "run without --hdr"))?;
    Ok(text)
}

fn write(run: &RunResult, text: &mut Vec<u8>) -> Result<(), String> {
    let mut serializer = V2DeflateSerializer::new();
    let start = SystemTime::UNIX_EPOCH + Duration::from_millis(run.started_ms);
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment(&format!("byway {} on {}", run.machine.version, run.device.name))
        .add_comment("values in nanoseconds")
        .with_start_time(start)
        .with_base_time(start)
        .with_max_value_divisor(NS_PER_MS)
        .begin_log_with(text, &mut serializer)
        .map_err(|e| e.to_string())?;
    for job in &run.jobs {
        for (threads, word) in job.log.iter().zip(["read", "write"]) {
            let name = format!("{}.{word}", job.spec.name);
            let tag = Tag::new(&name).ok_or("a job name with a separator")?;
            for second in 0..threads.iter().map(Vec::len).max().unwrap_or(0) {
                let times = merged(threads, second)?;
                if times.is_empty() {
                    continue;
                }
                let from =
                    Duration::from_nanos(run.spec.warmup_ns) + Duration::from_secs(second as u64);
                log.write_histogram(&times, from, Duration::from_secs(1), Some(tag))
                    .map_err(|e| format!("{e:?}"))?;
            }
        }
    }
    Ok(())
}

/// The histogram of one second of all threads.
fn merged(threads: &[Vec<Vec<u8>>], second: usize) -> Result<Histogram<u64>, String> {
    let mut decoder = Deserializer::new();
    let mut sum = histogram();
    for line in threads.iter().filter_map(|lines| lines.get(second)) {
        let times: Histogram<u64> =
            decoder.deserialize(&mut line.as_slice()).map_err(|e| e.to_string())?;
        sum.add(&times).map_err(|e| e.to_string())?;
    }
    Ok(sum)
}
