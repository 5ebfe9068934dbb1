//! Whole runs on devices without latency, through each interface.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use byway_engine::ErrorKind;
use byway_engine::api::PollQueue;
use byway_engine::block::mem::MemDevice;
use byway_engine::block::null::NullDevice;
use byway_engine::block::wrap::{Fault, FaultAction, FaultPlan, FaultRule};
use byway_engine::block::{BlockDevice, Io};
use byway_engine::core::CoreConfig;

use super::*;
use crate::job::{JobWords, RunSpec};

fn spec(pairs: &[(&str, &str)]) -> RunSpec {
    let mut words = JobWords::default();
    let short = [("runtime", "250ms"), ("warmup", "20ms"), ("qd", "4")];
    short.iter().chain(pairs).for_each(|(key, word)| words.set(key, *word).unwrap());
    RunSpec::parse(&words, &[]).unwrap()
}

fn null() -> Arc<dyn BlockDevice> {
    Arc::new(NullDevice::new(1 << 30))
}

fn run_on_null(pairs: &[(&str, &str)]) -> RunResult {
    run(&spec(pairs), &null(), &RunOptions::default()).unwrap()
}

#[test]
fn every_interface_runs_a_closed_loop() {
    for api in ["poll", "native", "client"] {
        let result = run_on_null(&[("api", api), ("rw", "randrw")]);
        let job = &result.jobs[0];
        assert_eq!(job.runtime_ns, 250_000_000, "{api}");
        assert!(job.tallies.iter().all(|tally| tally.ios > 0), "{api}");
        assert_eq!(job.tallies[0].ios, job.tallies[0].service.len(), "{api}");
        assert_eq!((result.failures(), job.unserved), (0, 0), "{api}");
        assert!(result.cost.core.turns > 0 && result.cost.process.cpu_ns() > 0, "{api}");
    }
}

#[test]
fn every_interface_counts_every_intended_start_of_an_open_loop() {
    for api in ["poll", "native", "client"] {
        for rate in ["2000", "2000:poisson"] {
            let result = run_on_null(&[("api", api), ("rate", rate), ("runtime", "500ms")]);
            let counted = result.jobs[0].tallies[0].response.len() as f64;
            assert!((counted - 1000.0).abs() < 160.0, "{api} {rate}: {counted}");
        }
    }
}

#[test]
fn threads_and_jobs_add_up() {
    let mut jobs = [JobWords::default(), JobWords::default()];
    jobs[0].set("jobs", "2").unwrap();
    jobs[1].set("rw", "randwrite").unwrap();
    jobs[1].set("rate", "1000").unwrap();
    let mut words = JobWords::default();
    words.set("runtime", "200ms").unwrap();
    words.set("warmup", "0s").unwrap();
    let spec = RunSpec::parse(&words, &jobs).unwrap();
    let result = run(&spec, &null(), &RunOptions::default()).unwrap();
    assert_eq!(result.jobs.len(), 2);
    assert!(result.jobs[0].tallies[0].ios > 0 && result.jobs[0].tallies[1].ios == 0);
    assert_eq!(result.jobs[1].tallies[1].response.len(), 200);
    assert_eq!(result.ios(), result.jobs[0].ios() + result.jobs[1].ios());
}

#[test]
fn an_interrupted_run_ends_with_what_it_has() {
    for api in ["poll", "native", "client"] {
        let options = RunOptions::default();
        options.stop.store(true, Ordering::Relaxed);
        let spec = spec(&[("api", api), ("runtime", "1h"), ("warmup", "1h")]);
        let result = run(&spec, &null(), &options).unwrap();
        assert!(result.interrupted && result.jobs[0].runtime_ns < 10_000_000_000, "{api}");
    }
}

#[test]
fn a_thread_that_cannot_be_set_up_ends_the_run() {
    let error = run(&spec(&[("cores", "1023"), ("jobs", "2")]), &null(), &RunOptions::default());
    let message = error.unwrap_err().to_string();
    assert!(message.contains("1023"), "{message}");
}

#[test]
fn a_spec_that_does_not_fit_the_device_is_refused() {
    let error = run(&spec(&[("size", "2g")]), &null(), &RunOptions::default()).unwrap_err();
    assert!(error.to_string().contains("--size 1g"), "{error}");
}

/// The first and the last word of each MiB of a device.
fn words_of(device: &dyn BlockDevice, mib: u64) -> Vec<[u8; 8]> {
    let mut queue = PollQueue::open(device, &CoreConfig::default()).unwrap();
    let mut words = Vec::new();
    for offset in (0..mib).flat_map(|n| [n << 20, ((n + 1) << 20) - 512]) {
        let (result, payload) = queue.run_one(Io::read(offset, queue.lease(512).unwrap()));
        result.unwrap();
        let lease = payload.into_lease().unwrap();
        let (first, last) = (&lease[..8], &lease[504..]);
        words.extend([first, last].map(|word| <[u8; 8]>::try_from(word).unwrap()));
    }
    words
}

#[test]
fn a_fill_writes_all_that_is_used_and_no_more() {
    let device: Arc<dyn BlockDevice> = Arc::new(MemDevice::new(4 << 20).unwrap());
    let words = [("fill", "true"), ("size", "3m"), ("runtime", "20ms")];
    run(&spec(&words), &device, &RunOptions::default()).unwrap();
    let found = words_of(&*device, 4);
    assert!(found[..12].iter().all(|word| *word != [0; 8]), "{found:?}");
    assert!(found[12..].iter().all(|word| *word == [0; 8]), "{found:?}");
}

#[test]
fn a_fill_that_fails_is_named_with_the_offset() {
    let rule = FaultRule::new(FaultAction::Fail(ErrorKind::Media)).within(1 << 20..2 << 20);
    let inner = Arc::new(NullDevice::new(2 << 20));
    let device: Arc<dyn BlockDevice> = Arc::new(Fault::new(inner, FaultPlan::new(1).rule(rule)));
    let error = run(&spec(&[("fill", "true")]), &device, &RunOptions::default());
    let error = error.unwrap_err().to_string();
    assert!(error.contains("1048576"), "{error}");
}
