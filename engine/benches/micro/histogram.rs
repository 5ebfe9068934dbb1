//! One latency into a histogram of the shape that statistics and reports use.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use hdrhistogram::Histogram;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("histogram");
    group.throughput(Throughput::Elements(1));
    group.bench_function("record", |bencher| {
        let mut histogram =
            Histogram::<u64>::new_with_bounds(1, 60_000_000_000, 3).expect("legal bounds");
        let mut latency_ns = 500;
        bencher.iter(|| {
            latency_ns = 500 + latency_ns * 7919 % 1_000_000;
            histogram.saturating_record(black_box(latency_ns));
        });
        assert!(!histogram.is_empty());
    });
    group.finish();
}
