//! Reports of small results: round trips, and what must be in them.

use std::sync::Arc;

use byway_engine::block::BlockDevice;
use byway_engine::block::null::NullDevice;
use byway_engine::block::wrap::{Fault, FaultAction, FaultPlan, FaultRule, Pick};
use byway_engine::{ErrorKind, SetupError};
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use serde_json::Value;

use super::*;
use crate::job::{JobWords, RunSpec};
use crate::run::{RunOptions, RunResult, run};
use crate::sweep::{Step, SweepResult};

fn small_run(pairs: &[(&str, &str)]) -> RunResult {
    let device: Arc<dyn BlockDevice> = Arc::new(NullDevice::new(1 << 30));
    run_on(&device, pairs).unwrap()
}

fn run_on(device: &Arc<dyn BlockDevice>, pairs: &[(&str, &str)]) -> Result<RunResult, SetupError> {
    let mut words = JobWords::default();
    let short = [("runtime", "250ms"), ("warmup", "0s")];
    short.iter().chain(pairs).for_each(|(key, word)| words.set(key, *word).unwrap());
    let options = RunOptions { log: true, ..RunOptions::default() };
    run(&RunSpec::parse(&words, &[]).unwrap(), device, &options)
}

#[test]
fn the_json_has_what_readers_of_fio_look_for() {
    let result = small_run(&[("rw", "randrw"), ("rate", "4k")]);
    let json: Value = serde_json::from_str(&FioRun::of(&result).text()).unwrap();
    assert!(json["fio version"].as_str().unwrap().starts_with("byway-"));
    for key in ["timestamp", "timestamp_ms", "time", "jobs", "disk_util"] {
        assert!(!json[key].is_null(), "{key}");
    }
    let job = &json["jobs"][0];
    assert_eq!((&job["jobname"], &job["error"]), (&Value::from("randrw"), &Value::from(0)));
    for side in ["read", "write"] {
        for key in ["io_bytes", "bw_bytes", "bw", "iops", "runtime", "total_ios"] {
            assert!(job[side][key].as_f64().unwrap() > 0.0, "{side} {key}");
        }
        for times in ["clat_ns", "lat_ns"] {
            assert!(job[side][times]["percentile"]["99.000000"].as_u64().unwrap() > 0);
            assert!(job[side][times]["N"].as_u64().unwrap() > 0);
        }
    }
    assert_eq!(job["job options"]["rwmixread"], "50");
    for key in ["cpu_ns_per_io", "syscalls_per_io", "allocs_per_io", "poll_hit_ratio"] {
        assert!(json["x"][key].is_f64(), "{key}");
    }
    assert!(job["x"]["open_loop"].as_bool().unwrap());
    assert!(!job["x"]["read_series"].as_array().unwrap().is_empty());
}

#[test]
fn the_json_reads_back_as_it_was() {
    let run = FioRun::of(&small_run(&[]));
    assert_eq!(run_json("x", &run.text()).unwrap(), run);
    assert_eq!(run.jobs[0].read.clat_ns, run.jobs[0].read.lat_ns, "a closed loop, as fio has it");
}

#[test]
fn what_is_no_result_is_refused() {
    for text in ["", "{}", "[]", "{\"jobs\":[]}", "{\"jobs\":[{\"error\":\"x\"}]}", "nonsense"] {
        let message = run_json("file.json", text).unwrap_err().to_string();
        assert!(message.starts_with("file.json: "), "{message}");
    }
}

#[test]
fn the_interval_log_is_read_by_the_tools_of_the_format() {
    let log = interval_log(&small_run(&[("name", "one")])).unwrap();
    let entries: Vec<_> = IntervalLogIterator::new(&log).map(Result::unwrap).collect();
    let intervals = entries.iter().filter_map(|entry| match entry {
        LogEntry::Interval(interval) => Some(interval.tag().unwrap().as_str().to_owned()),
        _ => None,
    });
    assert_eq!(intervals.collect::<Vec<_>>(), ["one.read"]);
}

#[test]
fn failures_are_in_every_report_and_counted_as_nothing() {
    let rule = FaultRule::new(FaultAction::Fail(ErrorKind::Media)).pick(Pick::Nth(10));
    let null: Arc<dyn BlockDevice> = Arc::new(NullDevice::new(1 << 30));
    let device: Arc<dyn BlockDevice> = Arc::new(Fault::new(null, FaultPlan::new(1).rule(rule)));
    let result = run_on(&device, &[("rw", "randwrite")]).unwrap();
    assert_eq!(result.failures(), 1);
    let run = FioRun::of(&result);
    assert_eq!((run.jobs[0].error, run.jobs[0].x.errors), (5, 1));
    assert_eq!(run.jobs[0].x.first_errors[0].op, "write");
    let table = run_table(&result);
    assert!(table.contains("failed: write of 4096 bytes at offset"), "{table}");
    assert!(table.contains("1 operations failed"), "{table}");
}

#[test]
fn the_table_says_which_loop_it_was() {
    let closed = run_table(&small_run(&[]));
    assert!(closed.contains("closed loop") && closed.contains("no response times"), "{closed}");
    let open = run_table(&small_run(&[("rate", "1k")]));
    assert!(open.contains("open loop") && open.contains("response"), "{open}");
}

fn assert_page(page: &str, charts: usize) {
    assert_eq!(page.matches("<svg").count(), charts);
    assert_eq!(page.matches("</svg>").count(), charts);
    for outside in ["http-equiv", "src=", "href=", "@import", "<script"] {
        assert!(!page.contains(outside), "nothing from outside: {outside}");
    }
}

#[test]
fn the_page_of_a_run_has_its_charts_and_nothing_from_outside() {
    let page = run_page(&small_run(&[("rw", "randrw"), ("name", "a-job")]));
    assert_page(&page, 3);
    for part in [
        "Latency by percentile",
        "Latency over time",
        "Load over time",
        "99.9 %",
        "operations per second",
        "a-job read",
        "null:",
    ] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn the_page_of_a_sweep_shows_the_curve_and_the_knee() {
    let step = |asked: f64, p99_ns| Step {
        asked,
        done: asked,
        p50_ns: 1000,
        p99_ns,
        p999_ns: 2 * p99_ns,
        ..Step::default()
    };
    let steps = vec![step(1e4, 2000), step(2e4, 3000), step(3e4, 90_000)];
    let sweep = SweepResult { uri: "mem:<1g>".into(), steps, knee: Some(1), ..Default::default() };
    let page = sweep_page(&sweep);
    assert_page(&page, 2);
    assert!(page.contains("mem:&lt;1g&gt;") && page.contains("knee at 20.0k/s"));
    assert!(sweep_table(&sweep).lines().any(|l| l.contains("20.0k") && l.contains("<- knee")));
    assert_page(&sweep_page(&SweepResult::default()), 0);
}

#[test]
fn the_time_of_day_is_that_of_the_calendar() {
    assert_eq!(table::utc(0), "Thu Jan  1 00:00:00 1970");
    assert_eq!(table::utc(951_782_400), "Tue Feb 29 00:00:00 2000");
    assert_eq!(table::utc(1_795_446_384), "Mon Nov 23 15:06:24 2026");
}
