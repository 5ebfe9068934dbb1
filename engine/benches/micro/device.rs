//! A request through a channel and back, without a reactor around it.

use byway_engine::block::mem::MemDevice;
use byway_engine::block::null::NullDevice;
use byway_engine::block::wrap::{Stats, Verify};
use byway_engine::block::{BlockDevice, Channel, Completions, Io};
use byway_engine::core::Core;
use byway_engine::memory::Lease;
use criterion::{Criterion, Throughput};
use std::sync::Arc;

const DEPTHS: [usize; 2] = [1, 128];
/// Enough to be far larger than any cache.
const MEM_LEN: u64 = 1 << 30;

struct Loop {
    channel: Box<dyn Channel>,
    leases: Vec<Lease>,
    done: Completions,
    blocks: u64,
    state: u64,
}

impl Loop {
    fn new(device: &dyn BlockDevice, depth: usize) -> Loop {
        let core = Core::standalone().expect("an arena of 8 MiB");
        let channel = device.open_channel(&core).expect("a device in memory");
        let leases = (0..depth).map(|_| core.arena().lease(4096).expect("8 MiB")).collect();
        let done = Completions::with_capacity(depth);
        Loop { channel, leases, done, blocks: device.info().size / 4096, state: 1 }
    }

    /// One batch of reads at random blocks, as many as there are leases.
    fn turn(&mut self, request: impl Fn(u64, Lease) -> Io) {
        for lease in self.leases.drain(..) {
            self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let block = ((self.state >> 32) * self.blocks) >> 32;
            assert!(self.channel.submit(request(block * 4096, lease)).is_ok());
        }
        self.channel.flush_submissions();
        self.channel.poll(&mut self.done);
        for completion in self.done.drain(..) {
            assert!(completion.result.is_ok());
            self.leases.extend(completion.payload.into_lease());
        }
    }
}

fn touched(len: u64) -> Arc<dyn BlockDevice> {
    let device = MemDevice::new(len).expect("address space");
    let core = Core::standalone().expect("an arena of 8 MiB");
    let mut channel = device.open_channel(&core).expect("a device in memory");
    let mut done = Completions::new();
    for offset in (0..len).step_by(1 << 20) {
        let lease = core.arena().lease(1 << 20).expect("one at a time");
        assert!(channel.submit(Io::write(offset, lease)).is_ok());
        channel.poll(&mut done);
        assert!(done.drain(..).all(|c| c.result.is_ok()));
    }
    Arc::new(device)
}

pub(crate) fn bench(criterion: &mut Criterion) {
    let null = Arc::new(NullDevice::new(1 << 40));
    let mem = touched(MEM_LEN);
    let verify = Verify::new(mem.clone()).expect("address space");
    let devices: [(&str, Arc<dyn BlockDevice>); 4] = [
        ("null", null.clone()),
        ("stats_null", Arc::new(Stats::new(null))),
        ("mem", mem),
        ("verify_mem", Arc::new(verify)),
    ];
    for (name, device) in devices {
        let mut group = criterion.benchmark_group(format!("submit_complete/{name}"));
        for depth in DEPTHS {
            group.throughput(Throughput::Elements(depth as u64));
            group.bench_function(format!("read_4k/qd{depth}"), |bencher| {
                let mut run = Loop::new(device.as_ref(), depth);
                bencher.iter(|| run.turn(Io::read));
            });
        }
        group.finish();
    }
}
