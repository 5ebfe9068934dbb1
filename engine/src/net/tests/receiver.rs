//! Receivers: chunks in order, back-pressure, buffers that leave, buffers that nobody took.

use std::pin::pin;

use super::*;
use crate::exec::JoinHandle;

fn pool(core: &Rc<Core>, chunks: u16, chunk_len: u32) -> Rc<ReceivePool> {
    ReceivePool::new(core, PoolOptions { chunks, chunk_len }).unwrap()
}

/// Sends `len` bytes of the pattern in one task, and ends the direction.
fn send_pattern(core: &Rc<Core>, stream: Stream, len: u32) -> JoinHandle<()> {
    let sender = core.clone();
    core.spawn(Class::Foreground, "send", async move {
        stream.send(filled(payload(&sender, &[len]), 0)).await.0.unwrap();
        stream.shutdown_write().unwrap();
        // Stays open until the peer is done too.
        assert_eq!(stream.receive(payload(&sender, &[1])).await.0.unwrap(), 0);
    })
}

#[test]
fn chunks_arrive_in_order_through_a_small_pool() {
    const LEN: u32 = 300_000;
    everywhere(|core, address| async move {
        let (near, far) = pair(&core, &address).await;
        let pool = pool(&core, 4, 4096);
        let mut receiver = Rc::new(far).receive_multishot(&pool).unwrap();
        let sending = send_pattern(&core, near, LEN);
        // The last few chunks are kept, so that the pool is nearly always dry.
        let (mut at, mut kept) = (0, std::collections::VecDeque::new());
        while let Some(chunk) = receiver.next().await.unwrap() {
            assert_eq!(*chunk, pattern_bytes(at, chunk.len())[..], "at byte {at}");
            at += chunk.len() as u64;
            kept.push_back(chunk);
            kept.truncate(8);
            if kept.len() == 4 {
                kept.pop_front();
            }
        }
        assert_eq!(at, u64::from(LEN));
        assert!(receiver.next().await.unwrap().is_none(), "the end stays the end");
        drop((kept, receiver));
        sending.await.unwrap();
        assert_eq!(pool.out(), 0);
    });
}

#[test]
fn a_receiver_waits_for_a_chunk_to_come_back() {
    everywhere(|core, address| async move {
        let (near, far) = pair(&core, &address).await;
        let (pool, bell) = (pool(&core, 1, 512), Bell::new(&core).await);
        let mut receiver = Rc::new(far).receive_multishot(&pool).unwrap();
        let sending = send_pattern(&core, near, 1024);
        let first = receiver.next().await.unwrap().unwrap();
        {
            let mut second = pin!(receiver.next());
            start(second.as_mut()).await;
            bell.turn(&core).await;
            start(second.as_mut()).await;
        }
        assert_eq!(*first, pattern_bytes(0, first.len())[..]);
        let at = first.len() as u64;
        drop(first);
        let second = receiver.next().await.unwrap().unwrap();
        assert_eq!(*second, pattern_bytes(at, second.len())[..]);
        drop((second, receiver));
        sending.await.unwrap();
    });
}

#[test]
fn chunks_leave_for_good_without_a_copy() {
    everywhere(|core, address| async move {
        let (near, far) = pair(&core, &address).await;
        let pool = pool(&core, 2, 1024);
        let mut receiver = Rc::new(far).receive_multishot(&pool).unwrap();
        let sending = send_pattern(&core, near, 20_000);
        let mut leases = Vec::new();
        while let Some(chunk) = receiver.next().await.unwrap() {
            leases.push(chunk.into_lease());
        }
        let got: Vec<u8> = leases.iter().flat_map(|lease| lease.iter().copied()).collect();
        assert_eq!(got, pattern_bytes(0, 20_000));
        assert_eq!(pool.out(), 0);
        drop(receiver);
        sending.await.unwrap();
    });
}

#[test]
fn a_pool_that_can_get_no_memory_says_so() {
    everywhere(|core, address| async move {
        let (near, far) = pair(&core, &address).await;
        let pool = pool(&core, 1, 2 << 20);
        let mut receiver = Rc::new(far).receive_multishot(&pool).unwrap();
        send_bytes(&core, &near, b"one").await;
        let only = receiver.next().await.unwrap().unwrap();
        let all: Vec<_> = std::iter::from_fn(|| core.lease(2 << 20)).collect();
        let kept = only.into_lease();
        near.send(filled(payload(&core, &[512]), 0)).await.0.unwrap();
        let error = receiver.next().await.unwrap_err();
        assert_eq!(error.kind, NetErrorKind::Exhausted);
        assert!(error.to_string().contains("the arena is used up"), "{error}");
        assert_eq!(&kept[..], b"one");
        drop(all);
    });
}

#[test]
fn buffers_that_nobody_took_go_back_to_the_pool() {
    everywhere(|core, address| async move {
        let (pool, bell) = (pool(&core, 4, 512), Bell::new(&core).await);
        for _ in 0..10 {
            let (near, far) = pair(&core, &address).await;
            let mut receiver = Rc::new(far).receive_multishot(&pool).unwrap();
            {
                let mut next = pin!(receiver.next());
                start(next.as_mut()).await;
                near.send(filled(payload(&core, &[512, 512, 512]), 0)).await.0.unwrap();
                bell.turn(&core).await;
            }
            // Dropped with arrivals that it did not look at, and with its request in flight.
            drop(receiver);
        }
        bell.turn(&core).await;
        let (near, far) = pair(&core, &address).await;
        let mut receiver = Rc::new(far).receive_multishot(&pool).unwrap();
        let sending = send_pattern(&core, near, 2048);
        let mut all = Vec::new();
        for _ in 0..4 {
            all.push(receiver.next().await.unwrap().unwrap());
        }
        assert_eq!(pool.out(), 4, "every buffer is there");
        drop((all, receiver));
        sending.await.unwrap();
    });
}

#[test]
fn a_stream_has_one_receiver() {
    once(|core| async move {
        let (near, far) = pair(&core, &loopback()).await;
        let (pool, far) = (pool(&core, 4, 512), Rc::new(far));
        let receiver = far.receive_multishot(&pool).unwrap();
        assert!(far.receive_multishot(&pool).is_err());
        let error = far.receive(payload(&core, &[1])).await.0.unwrap_err();
        assert!(error.to_string().contains("its bytes go to a receiver"), "{error}");
        assert_eq!(receiver.stream().peer_address(), &near.local_address().unwrap());
    });
}

#[test]
fn pools_out_of_range_are_refused() {
    let core = Core::standalone().unwrap();
    for (chunks, chunk_len) in [(0, 512), (1, 0), (CHUNKS_MAX + 1, 512), (1, (2 << 20) + 1)] {
        let Err(error) = ReceivePool::new(&core, PoolOptions { chunks, chunk_len }) else {
            panic!("{chunks} chunks of {chunk_len} bytes");
        };
        assert!(error.to_string().contains("use 1 to 32768 chunks"), "{error}");
    }
    once(|core| async move {
        let options = PoolOptions { chunks: 64, chunk_len: 2 << 20 };
        let Err(error) = ReceivePool::new(&core, options) else {
            panic!("the arena is smaller");
        };
        assert!(error.to_string().contains("a larger arena"), "{error}");
    });
}
