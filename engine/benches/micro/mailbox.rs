//! A message of 64 bytes from one end of a ring to the other, on one core.

use std::hint::black_box;

use byway_engine::cross::spsc;
use criterion::{Criterion, Throughput};

const BATCH: u64 = 32;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mailbox");
    group.throughput(Throughput::Elements(BATCH));
    group.bench_function("push_pop", |bencher| {
        let (mut to, mut from) = spsc::ring(BATCH as usize);
        bencher.iter(|| {
            for n in 0..BATCH {
                assert!(to.push([n; 8]).is_ok(), "the ring takes a batch");
            }
            for _ in 0..BATCH {
                black_box(from.pop());
            }
        });
    });
    group.finish();
}
