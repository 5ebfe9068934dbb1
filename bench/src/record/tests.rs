//! Recording without a device.

use byway_engine::block::Op;
use byway_engine::{ErrorKind, IoError};
use proptest::prelude::*;

use super::*;

const MS: u64 = 1_000_000;

#[test]
fn intervals_become_points_and_add_up() {
    let mut recorder = Recorder::new(0, 1000 * MS, false, false);
    recorder.closed(Direction::Read, 100);
    recorder.closed(Direction::Write, 900);
    recorder.tick(100 * MS);
    recorder.closed(Direction::Read, 200);
    recorder.tick(350 * MS);
    assert_eq!(recorder.done(), 3);
    recorder.closed(Direction::Read, 300);
    let done = recorder.finish();
    let ios: Vec<_> = done.series[0].points().iter().map(|p| p.ios).collect();
    assert_eq!(ios, [1, 1, 0, 1]);
    assert_eq!((done.tallies[0].ios, done.tallies[0].late_ios), (3, 0));
    assert_eq!((done.tallies[1].ios, done.tallies[1].service.max()), (1, 900));
    assert_eq!(done.series[0].points()[1].max_ns, 200);
    assert!(done.tallies[0].response.is_empty(), "a closed loop has no response times");
}

#[test]
fn an_open_loop_keeps_both_times() {
    let mut recorder = Recorder::new(0, 1000 * MS, true, false);
    recorder.open(Direction::Read, 10, 1000);
    recorder.unserved(Direction::Read, 5000);
    let done = recorder.finish();
    assert_eq!((done.tallies[0].ios, done.tallies[0].service.max()), (1, 10));
    assert_eq!((done.tallies[0].response.len(), done.tallies[0].response.min()), (2, 1000));
}

#[test]
fn what_is_done_after_the_end_is_late() {
    let mut recorder = Recorder::new(0, 200 * MS, true, false);
    recorder.open(Direction::Read, 10, 10);
    recorder.end(150 * MS);
    recorder.open(Direction::Read, 10, 60 * MS);
    recorder.tick(900 * MS);
    let done = recorder.finish();
    assert_eq!((done.tallies[0].ios, done.tallies[0].late_ios), (1, 1));
    assert_eq!((done.tallies[0].response.len(), done.series[0].points().len()), (2, 1));
}

#[test]
fn the_log_has_a_line_for_every_second_begun() {
    let mut recorder = Recorder::new(0, 3000 * MS, false, true);
    for interval in 0..25 {
        recorder.closed(Direction::Read, 1000 + interval);
        recorder.tick((interval + 1) * 100 * MS);
    }
    let lines = recorder.finish().log[0].clone();
    let counts = lines.iter().map(|line| {
        let mut decoder = hdrhistogram::serialization::Deserializer::new();
        decoder.deserialize::<u64, _>(&mut line.as_slice()).unwrap().len()
    });
    assert_eq!(counts.collect::<Vec<_>>(), [10, 10, 5]);
}

#[test]
fn a_time_beyond_the_longest_is_kept_as_the_longest() {
    let mut recorder = Recorder::new(0, MS, false, false);
    recorder.closed(Direction::Read, u64::MAX);
    recorder.closed(Direction::Read, 0);
    let done = recorder.finish();
    assert_eq!(done.tallies[0].service.len(), 2);
    assert!(done.tallies[0].service.max() >= LATENCY_NS_MAX);
}

#[test]
fn errors_are_kept_in_part_and_counted_in_full() {
    let mut log = ErrorLog::default();
    assert_eq!(log.errno(), 0);
    let error = IoError::new(ErrorKind::Range, Op::Read, 512, 4096, "somewhere");
    log.add(Failure::from(&error));
    assert_eq!(log.errno(), 5);
    let error = IoError::from_errno(28, Op::Write, 4096, 4096, "file:x");
    (0..40).for_each(|_| log.add(Failure::from(&error)));
    assert_eq!((log.count, log.first.len(), log.errno()), (41, ERRORS_MAX, 28));
    assert!(log.is_full() && log.first[1].what.contains("offset 4096"));
    let mut other = ErrorLog::default();
    other.merge(log);
    assert_eq!((other.count, other.first.len()), (41, ERRORS_MAX));
}

proptest! {
    #[test]
    fn percentiles_are_those_of_the_sorted_times(
        mut times in prop::collection::vec(1u64..1_000_000_000, 1..500),
    ) {
        let mut recorder = Recorder::new(0, MS, false, false);
        times.iter().for_each(|t| recorder.closed(Direction::Read, *t));
        let done = recorder.finish();
        times.sort_unstable();
        for q in [0.5, 0.9, 0.99, 1.0] {
            let rank = ((q * times.len() as f64).ceil() as usize).clamp(1, times.len());
            let exact = times[rank - 1] as f64;
            let found = done.tallies[0].service.value_at_quantile(q) as f64;
            prop_assert!((found - exact).abs() <= exact / 500.0 + 1.0, "{q}: {found} {exact}");
        }
    }
}
