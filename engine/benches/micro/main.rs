//! `cargo bench -p byway-engine`: the small parts of one I/O, each by itself. One file per part.

use criterion::{Criterion, criterion_group, criterion_main};

mod device;
mod histogram;
mod mailbox;
mod timer_wheel;

fn short() -> Criterion {
    let second = std::time::Duration::from_secs(1);
    Criterion::default().warm_up_time(second / 2).measurement_time(2 * second)
}

criterion_group! {
    name = micro;
    config = short();
    targets = mailbox::bench, timer_wheel::bench, device::bench, histogram::bench
}
criterion_main!(micro);
