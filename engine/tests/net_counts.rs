//! What the steady state of a connection costs, counted and not timed: allocations per message.
//!
//! One test in its own program: the counting allocator is installed here, and the thread's count
//! is read around a stretch of work after a warm-up.

#![allow(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

use std::rc::Rc;

use byway_engine::block::{Payload, SegmentList};
use byway_engine::core::{Core, CoreConfig, PollMode};
use byway_engine::count_alloc::{CountingAllocator, allocations};
use byway_engine::exec::Class;
use byway_engine::net::{Address, ListenOptions, Listener, PoolOptions, ReceivePool, Stream};
use byway_engine::reactor::Reactor;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const WARM_UP: u32 = 500;
const COUNTED: u32 = 5_000;
const HEADER: u32 = 48;
const DATA: u32 = 8192;

async fn pair(core: &Rc<Core>) -> (Stream, Stream) {
    let any: Address = "127.0.0.1:0".parse().unwrap();
    let listener = Listener::bind(core, &any, ListenOptions::default()).unwrap();
    let to = listener.local_address().clone();
    let far = core.spawn(Class::Foreground, "accept", async move { listener.accept().await });
    let near = Stream::connect(core, &to).await.unwrap();
    (near, far.await.unwrap().unwrap().0)
}

/// Two segments, header and data, as a protocol receives its units.
fn unit(core: &Core) -> Payload {
    let mut list = SegmentList::with_capacity(2);
    for len in [HEADER, DATA] {
        list.push(core.lease(len).unwrap()).unwrap();
    }
    Payload::Many(Box::new(list))
}

/// Sends a header with data, receives it scattered, answers with a single segment.
async fn rounds(core: Rc<Core>) -> u64 {
    let (near, far) = pair(&core).await;
    let (mut header, mut data) = (core.lease(HEADER).unwrap(), core.lease(DATA).unwrap().into());
    let mut request = unit(&core);
    let (mut answer, mut answered) =
        (core.lease(HEADER).unwrap().into(), core.lease(HEADER).unwrap().into());
    let mut before = 0;
    for round in 0..WARM_UP + COUNTED {
        if round == WARM_UP {
            before = allocations();
        }
        let (sent, received, got);
        (sent, header, data) = near.send_with_header(header, data).await;
        sent.unwrap();
        (received, request) = far.receive_exact(request).await;
        received.unwrap();
        let sent;
        (sent, answer) = far.send(answer).await;
        sent.unwrap();
        (got, answered) = near.receive(answered).await;
        assert_eq!(got.unwrap(), HEADER as usize);
    }
    allocations() - before
}

/// Sends single segments; a receiver takes them out of its pool.
async fn chunks(core: Rc<Core>) -> u64 {
    let (near, far) = pair(&core).await;
    let pool = ReceivePool::new(&core, PoolOptions { chunks: 8, chunk_len: DATA }).unwrap();
    let mut receiver = Rc::new(far).receive_multishot(&pool).unwrap();
    let mut data: Payload = core.lease(DATA).unwrap().into();
    let mut before = 0;
    for round in 0..WARM_UP + COUNTED {
        if round == WARM_UP {
            before = allocations();
        }
        let sent;
        (sent, data) = near.send(data).await;
        sent.unwrap();
        let mut got = 0;
        while got < DATA as usize {
            got += receiver.next().await.unwrap().unwrap().len();
        }
    }
    allocations() - before
}

#[test]
fn a_connection_in_the_steady_state_allocates_nothing() {
    let config = CoreConfig { poll_mode: PollMode::Never, ..CoreConfig::default() };
    let reactor = Reactor::new(&config).unwrap();
    assert_eq!(reactor.run(rounds), 0, "header and data, gathered and scattered");
    assert_eq!(reactor.run(chunks), 0, "chunks of a pool");
}
