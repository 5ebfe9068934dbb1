//! The same tasks on the simulated network: streams and listeners do not tell which one they have.

use std::pin::pin;

use super::*;
use crate::sim::{NetConfig, Stop, World, WorldConfig};

const PORT: u16 = 3260;

/// Runs two tasks on two simulated hosts; the first serves, the second decides when it is over.
fn on_two_hosts<S, C>(
    serve: impl FnOnce(Rc<Core>, Listener) -> S + 'static,
    ask: impl FnOnce(Rc<Core>, Address) -> C + 'static,
) where
    S: Future<Output = ()> + 'static,
    C: Future<Output = ()> + 'static,
{
    // Every other send leaves in parts.
    let net = NetConfig { partial_ppm: 500_000, ..NetConfig::default() };
    let mut world = World::new(7, WorldConfig { net, ..WorldConfig::default() });
    let (client, server) = (world.add_host("client"), world.add_host("server"));
    let (here, there) = (world.address(server, PORT), world.address(server, PORT));
    let served = world.start(server, move |core| async move {
        let listener = listen(&core, &here);
        serve(core, listener).await;
    });
    let asked = world.start(client, move |core| ask(core, there));
    let stop = world.run_until(u64::MAX, || served.is_finished() && asked.is_finished()).unwrap();
    assert_eq!(stop, Stop::Condition, "a task never ends");
    // A task that was aborted has finished too, but without a value.
    assert!(served.try_take().is_some() && asked.try_take().is_some());
}

#[test]
fn headers_payloads_and_ends_pass_through_the_simulation() {
    on_two_hosts(
        |core, listener| async move {
            assert_eq!(listener.local_address().as_tcp().unwrap().port(), PORT);
            let (stream, peer) = listener.accept().await.unwrap();
            assert_eq!(peer, stream.peer_address().as_tcp());
            assert_eq!(receive_bytes(&core, &stream, 48).await, pattern_bytes(0, 48));
            let (got, buffer) = stream.receive_exact(payload(&core, &[30_000, 10_000])).await;
            got.unwrap();
            assert_eq!(bytes(&buffer, 40_000), pattern_bytes(48, 40_000));
            let error = stream.receive_exact(payload(&core, &[1])).await.0.unwrap_err();
            assert_eq!(error.kind, NetErrorKind::Closed);
            send_bytes(&core, &stream, b"bye").await;
        },
        |core, to| async move {
            let stream = Stream::connect(&core, &to).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let mut header = core.lease(48).unwrap();
            header.copy_from_slice(&pattern_bytes(0, 48));
            let sending = filled(payload(&core, &[7, 39_993]), 48);
            let (sent, header, sending) = stream.send_with_header(header, sending).await;
            sent.unwrap();
            assert_eq!((header.len(), sending.len()), (48, 40_000));
            stream.shutdown_write().unwrap();
            assert_eq!(receive_bytes(&core, &stream, 3).await, b"bye");
        },
    );
}

#[test]
fn a_dropped_receive_loses_nothing_in_the_simulation() {
    on_two_hosts(
        |core, listener| async move {
            let (stream, _) = listener.accept().await.unwrap();
            let first = receive_bytes(&core, &stream, 1).await;
            {
                let mut dropped = pin!(stream.receive_exact(payload(&core, &[2000])));
                start(dropped.as_mut()).await;
                core.sleep(1_000_000_000).await;
                start(dropped.as_mut()).await;
            }
            let rest = receive_bytes(&core, &stream, 999).await;
            assert_eq!([first, rest].concat(), pattern_bytes(0, 1000));
            send_bytes(&core, &stream, b"!").await;
        },
        |core, to| async move {
            let stream = Stream::connect(&core, &to).await.unwrap();
            stream.send(filled(payload(&core, &[1000]), 0)).await.0.unwrap();
            receive_bytes(&core, &stream, 1).await;
        },
    );
}

#[test]
fn a_receiver_works_in_the_simulation() {
    on_two_hosts(
        |core, listener| async move {
            let (stream, _) = listener.accept().await.unwrap();
            let options = PoolOptions { chunks: 2, chunk_len: 1000 };
            let pool = ReceivePool::new(&core, options).unwrap();
            let mut receiver = Rc::new(stream).receive_multishot(&pool).unwrap();
            let mut at = 0;
            while let Some(chunk) = receiver.next().await.unwrap() {
                assert_eq!(*chunk, pattern_bytes(at, chunk.len())[..]);
                at += chunk.len() as u64;
            }
            assert_eq!(at, 50_000);
        },
        |core, to| async move {
            let stream = Stream::connect(&core, &to).await.unwrap();
            stream.send(filled(payload(&core, &[50_000]), 0)).await.0.unwrap();
            stream.shutdown_write().unwrap();
            assert_eq!(stream.receive(payload(&core, &[1])).await.0.unwrap(), 0);
        },
    );
}
