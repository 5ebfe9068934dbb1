//! What an NBD request costs the server, and our client, in the steady state, counted and not timed:
//! no allocation, and few system calls.
//!
//! One test in its own program: the counting allocator is installed here. Both ends run on one core;
//! the client sends requests that were built before and allocates nothing either.

#![allow(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

use std::rc::Rc;
use std::sync::Arc;

use byway_engine::block::mem::MemDevice;
use byway_engine::block::{BlockDevice, Completions, Io, Payload};
use byway_engine::core::{Core, CoreConfig, PollMode, yield_now};
use byway_engine::count_alloc::{CountingAllocator, allocations};
use byway_engine::memory::{ArenaConfig, Lease};
use byway_engine::net::{Address, Stream};
use byway_engine::reactor::Reactor;
use byway_export::nbd::client::{NbdConfig, NbdDevice};
use byway_export::nbd::{ExportConfig, ListenOn, Server, ServerConfig, ServerHandle};
use byway_proto::nbd::command::Command;
use byway_proto::nbd::flags::CommandFlags;
use byway_proto::nbd::option::{Opt, OptionHead};
use byway_proto::nbd::request::{COMPACT_LEN, Request};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const DEPTH: u32 = 32;
const BLOCK: u32 = 4096;
const HEAD: u32 = 16;
const WARM_UP: u32 = 200;
const COUNTED: u32 = 2_000;
/// Both ends: a client sends and receives as often as the server does.
const SYSCALLS_MAX: f64 = 0.25;

struct Client {
    stream: Stream,
    batch: Option<Lease>,
    answers: Option<Lease>,
}

async fn exactly(core: &Rc<Core>, stream: &Stream, len: u32) -> Lease {
    let (result, payload) = stream.receive_exact(core.lease(len).unwrap().into()).await;
    result.unwrap();
    payload.into_lease().unwrap()
}

/// A client with simple replies, by the option that has no answer but the export's size.
async fn connect(core: &Rc<Core>, to: &Address) -> Client {
    let stream = Stream::connect(core, to).await.unwrap();
    exactly(core, &stream, 18).await;
    let option = OptionHead { option: Opt::ExportName, len: 0 }.encode();
    let wire = [&3u32.to_be_bytes()[..], &option].concat();
    let mut lease = core.lease(wire.len() as u32).unwrap();
    lease.copy_from_slice(&wire);
    stream.send(lease.into()).await.0.unwrap();
    exactly(core, &stream, 10).await;
    let len = DEPTH * (COMPACT_LEN as u32 + BLOCK);
    Client { stream, batch: core.lease(len), answers: core.lease(len) }
}

impl Client {
    /// Sends `DEPTH` requests at once and takes their answers.
    async fn round(&mut self, is_write: bool) {
        let mut batch = self.batch.take().unwrap();
        let sent = if is_write { BLOCK } else { 0 };
        let each = COMPACT_LEN as u32 + sent;
        batch.set_len(DEPTH * each);
        for (n, wire) in batch.chunks_exact_mut(each as usize).enumerate() {
            let request = Request {
                flags: CommandFlags::NONE,
                command: if is_write { Command::Write } else { Command::Read },
                cookie: n as u64,
                offset: n as u64 * u64::from(BLOCK),
                len: BLOCK.into(),
            };
            wire[..COMPACT_LEN].copy_from_slice(&request.encode_compact());
        }
        let (result, payload) = self.stream.send(batch.into()).await;
        result.unwrap();
        self.batch = payload.into_lease();
        let mut answers = self.answers.take().unwrap();
        let each = HEAD + BLOCK - sent;
        answers.set_len(DEPTH * each);
        let (result, payload) = self.stream.receive_exact(Payload::from(answers)).await;
        result.unwrap();
        let answers = payload.into_lease().unwrap();
        assert!(answers.chunks_exact(each as usize).all(|reply| reply[4..8] == [0; 4]));
        self.answers = Some(answers);
    }
}

/// A server of memory, at a socket of its own.
fn serve(core: &Rc<Core>) -> ServerHandle {
    let path = std::env::temp_dir().join(format!("byway-nbd-counts-{}", std::process::id()));
    let config = ServerConfig {
        listeners: vec![ListenOn::Address(Address::Unix(path))],
        exports: vec![ExportConfig::new("", Arc::new(MemDevice::new(1 << 20).unwrap()))],
        ..ServerConfig::default()
    };
    Server::start(core, config).unwrap()
}

/// Allocations in all, and system calls of a request, of the server and a client that only counts.
async fn costs(core: Rc<Core>, is_write: bool) -> (u64, f64) {
    let server = serve(&core);
    let mut client = connect(&core, &server.addresses()[0]).await;
    let mut before = (0, 0);
    for round in 0..WARM_UP + COUNTED {
        if round == WARM_UP {
            before = (allocations(), core.counters().syscalls);
        }
        client.round(is_write).await;
    }
    let allocated = allocations() - before.0;
    let syscalls = core.counters().syscalls - before.1;
    (allocated, syscalls as f64 / f64::from(COUNTED * DEPTH))
}

/// The same of the server and our client device.
async fn device_costs(core: Rc<Core>, is_write: bool) -> (u64, f64) {
    let server = serve(&core);
    let config = NbdConfig::new(server.addresses()[0].clone(), "");
    let device = NbdDevice::open_on(&core, config).await.unwrap();
    let mut channel = device.open_channel(&core).unwrap();
    let mut leases: Vec<_> = (0..DEPTH).map(|_| core.lease(BLOCK).unwrap()).collect();
    let mut done = Completions::with_capacity(2 * DEPTH as usize);
    let mut before = (0, 0);
    for round in 0..WARM_UP + COUNTED {
        if round == WARM_UP {
            before = (allocations(), core.counters().syscalls);
        }
        for (n, lease) in leases.drain(..).enumerate() {
            let offset = n as u64 * u64::from(BLOCK);
            let io = if is_write { Io::write(offset, lease) } else { Io::read(offset, lease) };
            channel.submit(io).unwrap();
        }
        channel.flush_submissions();
        while done.len() < DEPTH as usize {
            yield_now().await;
            channel.poll(&mut done);
        }
        for completion in done.drain(..) {
            assert!(completion.result.is_ok());
            leases.push(completion.payload.into_lease().unwrap());
        }
    }
    let allocated = allocations() - before.0;
    let syscalls = core.counters().syscalls - before.1;
    (allocated, syscalls as f64 / f64::from(COUNTED * DEPTH))
}

/// Runs `count` on a core of its own.
fn on_a_core<F: Future<Output = (u64, f64)> + 'static>(
    count: impl FnOnce(Rc<Core>) -> F,
) -> (u64, f64) {
    let arena = ArenaConfig { len: 32 << 20, huge: false };
    let config = CoreConfig { arena, poll_mode: PollMode::Always, ..CoreConfig::default() };
    Reactor::new(&config).unwrap().run(count)
}

#[test]
fn requests_allocate_nothing_and_share_system_calls() {
    for is_write in [false, true] {
        let of_server = on_a_core(|core| costs(core, is_write));
        let with_device = on_a_core(|core| device_costs(core, is_write));
        for (allocated, syscalls) in [of_server, with_device] {
            // A timer of the housekeeping may have come in between.
            assert!(allocated < 64, "{allocated} allocations, write: {is_write}");
            assert!(syscalls < SYSCALLS_MAX, "{syscalls} system calls each, write: {is_write}");
        }
    }
}
