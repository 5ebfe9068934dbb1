//! Level two: a client from any thread. A reactor thread drives the device; ordinary threads read
//! and write through it, with futures of any runtime or by blocking.
//!
//! Run: `cargo run --release -p byway-engine --example client`

use std::error::Error;
use std::sync::Arc;
use std::thread;

use byway_engine::api::{Client, block_on};
use byway_engine::block::mem::MemDevice;
use byway_engine::core::CoreConfig;
use byway_engine::reactor::ReactorThread;

const THREADS: u64 = 4;
const ROUNDS: u64 = 1000;
const BLOCK: u32 = 4096;

/// Writes and reads a block per round, each thread in its own part of the device.
fn work(client: &Client, part: u64) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut lease = client.lease(BLOCK).ok_or("the arena is used up")?;
    for round in 0..ROUNDS {
        let at = (part * ROUNDS + round) * u64::from(BLOCK);
        lease.fill(round as u8);
        let (written, back) = client.write_blocking(at, lease);
        written?;
        let (read, back) = client.read_blocking(at, back.ok_or("the reactor has ended")?);
        read?;
        lease = back.ok_or("the reactor has ended")?;
        if lease.iter().any(|&byte| byte != round as u8) {
            return Err(format!("block at {at} holds other bytes").into());
        }
    }
    Ok(())
}

/// The same with futures: several requests of one thread at once.
async fn read_two(client: &Client) -> Result<(u8, u8), Box<dyn Error>> {
    let (a, b) = (client.lease(BLOCK), client.lease(BLOCK));
    let first = client.read(0, a.ok_or("the arena is used up")?);
    let second = client.read(u64::from(BLOCK), b.ok_or("the arena is used up")?);
    let ((ra, a), (rb, b)) = (first.await, second.await);
    ra?;
    rb?;
    Ok((a.map_or(0, |lease| lease[0]), b.map_or(0, |lease| lease[0])))
}

fn main() -> Result<(), Box<dyn Error>> {
    let reactor = ReactorThread::start(CoreConfig::default())?;
    let device = Arc::new(MemDevice::new(THREADS * ROUNDS * u64::from(BLOCK))?);
    let client = Client::open(&reactor, device, 64)?;
    thread::scope(|scope| {
        let start = |part| {
            let client = &client;
            scope.spawn(move || work(client, part).map_err(|e| e.to_string()))
        };
        let threads: Vec<_> = (0..THREADS).map(start).collect();
        let ended = threads.into_iter().map(|t| t.join().map_err(|_| "a thread panicked")?);
        ended.collect::<Result<Vec<()>, String>>()
    })?;
    let (first, second) = block_on(read_two(&client))?;
    println!("{} blocks written and read back", THREADS * ROUNDS);
    println!("the first two hold {first} and {second}");
    Ok(())
}
