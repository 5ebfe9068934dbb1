//! A timer started and stopped, and a timer started and expired, among many that run.

use std::hint::black_box;

use byway_engine::TimerWheel;
use criterion::{Criterion, Throughput};

/// Timers that run all the time.
const RUNNING: u64 = 10_000;
const BATCH: u64 = 32;

fn wheel() -> TimerWheel<u64> {
    let mut wheel = TimerWheel::with_capacity((RUNNING + BATCH) as usize);
    for n in 0..RUNNING {
        wheel.insert((1 << 60) + n * 1_000_003, n);
    }
    wheel
}

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("timer_wheel");
    group.throughput(Throughput::Elements(1));
    group.bench_function("insert_cancel", |bencher| {
        let mut wheel = wheel();
        let mut delay_ns = 1;
        bencher.iter(|| {
            delay_ns = delay_ns * 3 % 1_000_000_007;
            let key = wheel.insert(delay_ns, 0);
            black_box(wheel.cancel(key))
        });
    });
    group.throughput(Throughput::Elements(BATCH));
    group.bench_function("insert_expire", |bencher| {
        let (mut wheel, mut expired, mut now_ns) = (wheel(), Vec::new(), 0);
        bencher.iter(|| {
            for n in 0..BATCH {
                wheel.insert(now_ns + 1000 * n, n);
            }
            now_ns += 1000 * BATCH;
            wheel.advance(now_ns, &mut expired);
            assert_eq!(expired.drain(..).count() as u64, BATCH);
        });
    });
    group.finish();
}
