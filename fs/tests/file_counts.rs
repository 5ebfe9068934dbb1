//! What an overwrite through a file costs, counted: allocations, requests of the device, commits.
//!
//! One test in its own program: the counting allocator is installed here.

#![allow(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

mod files;

use std::sync::Arc;

use byway_engine::block::mem::MemDevice;
use byway_engine::block::wrap::Stats;
use byway_engine::block::{BlockDevice, Channel, Completions, Io, Op};
use byway_engine::count_alloc::{CountingAllocator, allocations};

use files::{Bed, make, new_core, run_on};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const SIZE: u64 = 4 << 20;
const BLOCK: u64 = 4096;
const ROUNDS: u64 = 4000;

/// One request at a time, without the core: what the file itself costs.
fn round(channel: &mut dyn Channel, done: &mut Completions, io: Io) -> Io {
    let (op, offset) = (io.op, io.offset);
    channel.submit(io).expect("there is room");
    channel.flush_submissions();
    channel.poll(done);
    let completion = done.pop().expect("memory answers at once");
    assert!(completion.result.is_ok());
    let next = (offset + 37 * BLOCK) % SIZE;
    let payload = completion.payload;
    if op == Op::Write { Io::write(next, payload) } else { Io::read(next, payload) }
}

#[test]
fn an_overwrite_allocates_nothing_and_asks_nobody() {
    let stats = Stats::new(Arc::new(MemDevice::new(64 << 20).unwrap()));
    let counts = stats.handle();
    let device: Arc<dyn BlockDevice> = Arc::new(stats);
    let core = new_core();
    run_on(&core, make(core.clone(), Arc::clone(&device)));
    core.shutdown();
    let bed = Bed::mount(device);
    let file = bed.open("a");
    let grown = file.clone();
    bed.run(async move { grown.truncate(SIZE).await }).unwrap();
    let disk = bed.disk(&file);
    (0..SIZE / 65_536).for_each(|n| bed.write(&disk, n * 65_536, &[1; 65_536]));
    bed.submit(&disk, Io::flush()).result.unwrap();
    // A channel that knows every extent, and nothing of fresh blocks.
    (0..SIZE / 65_536).for_each(|n| drop(bed.read(&disk, n * 65_536, 65_536)));
    drop(disk);
    let warm = bed.disk(&file);
    assert_eq!(bed.read(&warm, 0, 4096), [1; 4096]);
    let mut channel = file.open_channel(&bed.core).unwrap();
    let mut done = Completions::with_capacity(16);
    let first = bed.core.lease(BLOCK as u32).unwrap();
    channel.submit(Io::read(0, first)).unwrap();
    let mut io = loop {
        bed.core.turn(false);
        channel.poll(&mut done);
        if let Some(completion) = done.pop() {
            break Io::write(0, completion.payload);
        }
    };
    let before = (allocations(), bed.volume.counts().commits);
    let writes = counts.snapshot().get(Op::Write).map_or(0, |stats| stats.ios);
    let counted = allocations();
    for n in 0..2 * ROUNDS {
        if n == ROUNDS {
            io = Io::read(io.offset, io.payload);
        }
        io = round(&mut *channel, &mut done, io);
    }
    assert_eq!(allocations() - counted, 0, "allocations");
    assert_eq!(bed.volume.counts().commits, before.1, "commits");
    let after = counts.snapshot().get(Op::Write).map_or(0, |stats| stats.ios);
    assert_eq!(after - writes, ROUNDS, "one request of the device for each write");
}
