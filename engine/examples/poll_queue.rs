//! Level three: the program's own thread submits and polls: no futures, no threads started.
//! Keeps 32 reads in flight on a device and tells how long they took.
//!
//! Run: `cargo run --release -p byway-engine --example poll_queue [FILE]`

use std::error::Error;
use std::path::Path;

use byway_engine::api::PollQueue;
use byway_engine::block::file::{FileDevice, FileOptions};
use byway_engine::block::mem::MemDevice;
use byway_engine::block::{BlockDevice, Completions, Io};
use byway_engine::core::CoreConfig;

const DEPTH: usize = 32;
const BLOCK: u32 = 4096;
const READS: u64 = 200_000;

/// Offsets that visit the device in no obvious order (a Weyl sequence).
fn offset(n: u64, blocks: u64) -> u64 {
    n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % blocks * u64::from(BLOCK)
}

fn main() -> Result<(), Box<dyn Error>> {
    let device: Box<dyn BlockDevice> = match std::env::args().nth(1) {
        Some(path) => {
            let options = FileOptions { read_only: true, ..FileOptions::default() };
            Box::new(FileDevice::open(Path::new(&path), options)?)
        }
        None => Box::new(MemDevice::new(64 << 20)?),
    };
    let mut queue = PollQueue::open(&*device, &CoreConfig::default())?;
    let blocks = queue.info().size / u64::from(BLOCK);
    let mut done = Completions::with_capacity(DEPTH);
    let began = queue.core().now();
    let (mut sent, mut ended) = (0, 0);
    for _ in 0..DEPTH {
        let lease = queue.lease(BLOCK).ok_or("the arena is used up")?;
        let full = queue.submit(Io::read(offset(sent, blocks), lease)).is_err();
        assert!(!full, "the queue is deeper than {DEPTH}");
        sent += 1;
    }
    while ended < sent {
        queue.wait(&mut done, 1_000_000_000);
        for completion in done.drain(..) {
            completion.result?;
            ended += 1;
            if sent < READS {
                // The completion gives its memory back: it carries the next request.
                let next = Io::read(offset(sent, blocks), completion.payload);
                let full = queue.submit(next).is_err();
                assert!(!full, "a completion makes room");
                sent += 1;
            }
        }
    }
    let elapsed_ns = queue.core().now() - began;
    println!("{ended} reads of {BLOCK} bytes at depth {DEPTH}: {} ns each", elapsed_ns / ended);
    Ok(())
}
