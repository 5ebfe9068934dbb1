use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;

use super::*;
use crate::block::Payload;
use crate::core::Core;
use crate::net::{NetError, NetErrorKind};
use crate::sim::{PPM, Stop, World, WorldConfig};

const PORT: u16 = 3260;
const MS: u64 = 1_000_000;
const SECOND: u64 = 1000 * MS;

fn payload(core: &Core, bytes: &[u8]) -> Payload {
    let mut lease = core.lease(bytes.len() as u32).unwrap();
    lease.copy_from_slice(bytes);
    lease.into()
}

/// The next bytes, at most `len`.
async fn some(core: &Core, stream: &SimStream, len: u32) -> Result<Vec<u8>, NetError> {
    let (received, payload) = stream.receive(core.lease(len).unwrap().into()).await;
    let mut bytes = vec![0; received?];
    payload.copy_to(0, &mut bytes);
    Ok(bytes)
}

/// Everything until the peer's end.
async fn all(core: &Core, stream: &SimStream) -> Result<Vec<u8>, NetError> {
    let mut bytes = Vec::new();
    loop {
        let more = some(core, stream, 4096).await?;
        if more.is_empty() {
            return Ok(bytes);
        }
        bytes.extend(more);
    }
}

/// Sends back whatever comes, one connection after the other.
async fn echo(core: Rc<Core>, address: Address) -> Result<(), NetError> {
    let listener = SimListener::bind(&core, &address)?;
    loop {
        let (stream, _) = listener.accept().await?;
        while let Ok(bytes) = some(&core, &stream, 4096).await {
            if bytes.is_empty() || stream.send(payload(&core, &bytes)).await.0.is_err() {
                break;
            }
        }
    }
}

/// A client and a server that echoes.
struct Pair {
    world: World,
    client: HostId,
    server: HostId,
}

impl Pair {
    fn new(seed: u64, net: NetConfig) -> Pair {
        let mut world = World::new(seed, WorldConfig { net, ..WorldConfig::default() });
        let (client, server) = (world.add_host("client"), world.add_host("server"));
        let address = world.address(server, PORT);
        world.start(server, |core| echo(core, address));
        Pair { world, client, server }
    }

    /// Runs a task on the client until it ends.
    fn run<T: 'static, F>(&mut self, main: impl FnOnce(Rc<Core>, Address) -> F) -> T
    where
        F: Future<Output = T> + 'static,
    {
        let address = self.world.address(self.server, PORT);
        let task = self.world.start(self.client, |core| main(core, address));
        let stop = self.world.run_until(u64::MAX, || task.is_finished()).unwrap();
        assert_eq!(stop, Stop::Condition, "the task never ends");
        task.try_take().unwrap()
    }
}

fn quiet() -> NetConfig {
    NetConfig { timeout_ns: SECOND, ..NetConfig::default() }
}

/// Sends `len` bytes through the echo and reads them back.
async fn round_trip(core: Rc<Core>, address: Address, len: u32) -> Result<(), NetError> {
    let stream = Rc::new(SimStream::connect(&core, &address).await?);
    let bytes: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
    let (sender, sent) = (Rc::clone(&stream), payload(&core, &bytes));
    let sending = core.spawn(crate::exec::Class::Foreground, "send", async move {
        let result = sender.send(sent).await.0;
        result.and_then(|()| sender.shutdown_write())
    });
    let back = all(&core, &stream).await?;
    sending.await.unwrap()?;
    assert!(back == bytes, "bytes come back in order");
    Ok(())
}

#[test]
fn bytes_arrive_in_order_whatever_is_lost() {
    for seed in 0..20 {
        let net = NetConfig {
            loss_ppm: PPM / 20,
            retransmit_ns: 10 * MS,
            window: 32 << 10,
            timeout_ns: 100 * SECOND,
            ..quiet()
        };
        let mut pair = Pair::new(seed, net);
        pair.run(|core, address| round_trip(core, address, 200_000)).unwrap();
    }
}

#[test]
fn bandwidth_sets_the_time_of_a_transfer() {
    let net = NetConfig { bytes_per_second: 1_000_000, window: 1 << 30, ..quiet() };
    let mut pair = Pair::new(1, NetConfig { timeout_ns: 60 * SECOND, ..net });
    let began = pair.world.now();
    pair.run(|core, address| round_trip(core, address, 500_000)).unwrap();
    let took_ms = (pair.world.now() - began) / MS;
    assert!((500..700).contains(&took_ms), "half a second at 1 MB/s, took {took_ms} ms");
}

#[test]
fn nobody_listens_there() {
    let mut pair = Pair::new(1, quiet());
    let wrong = pair.world.address(pair.server, 1);
    let error = pair.run(|core, _| async move { SimStream::connect(&core, &wrong).await.err() });
    assert_eq!(error.unwrap().kind, NetErrorKind::Refused);
    let nowhere: Address = "192.0.2.1:1".parse().unwrap();
    let error = pair.run(|core, _| async move { SimStream::connect(&core, &nowhere).await.err() });
    assert_eq!(error.unwrap().kind, NetErrorKind::Unreachable);
}

#[test]
fn an_address_is_taken_once_and_free_again_after_the_listener() {
    let mut pair = Pair::new(1, quiet());
    pair.run(|core, _| async move {
        let any: Address = "0.0.0.0:0".parse().unwrap();
        let first = SimListener::bind(&core, &any).unwrap();
        let address = first.address().clone();
        let second = SimListener::bind(&core, &address).err().unwrap();
        assert_eq!(second.kind, NetErrorKind::InUse);
        drop(first);
        assert!(SimListener::bind(&core, &address).is_ok());
    });
}

#[test]
fn a_partition_times_out_and_heals() {
    let mut pair = Pair::new(1, quiet());
    pair.world.partition(pair.client, pair.server);
    let error = pair.run(|core, address| round_trip(core, address, 100)).unwrap_err();
    assert_eq!(error.kind, NetErrorKind::TimedOut);
    pair.world.heal(pair.client, pair.server);
    pair.run(|core, address| round_trip(core, address, 100)).unwrap();
}

#[test]
fn a_short_partition_only_delays() {
    let net = NetConfig { bytes_per_second: 10_000_000, timeout_ns: 10 * SECOND, ..quiet() };
    let mut pair = Pair::new(3, net);
    let (client, server) = (pair.client, pair.server);
    pair.world.at(MS, move |world| world.partition(client, server));
    pair.world.at(SECOND, move |world| world.heal(client, server));
    pair.run(|core, address| round_trip(core, address, 1_000_000)).unwrap();
    assert!(pair.world.now() > SECOND);
}

#[test]
fn a_link_that_is_cut_one_way_carries_data_but_no_acknowledgement() {
    let mut pair = Pair::new(1, quiet());
    let (client, server) = (pair.client, pair.server);
    let seen = Rc::new(Cell::new(0));
    let count = Rc::clone(&seen);
    let sink = pair.world.address(server, 9);
    let bound = sink.clone();
    pair.world.start(server, |core| async move {
        let listener = SimListener::bind(&core, &bound).unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        while let Ok(bytes) = some(&core, &stream, 4096).await {
            count.set(count.get() + bytes.len());
        }
    });
    pair.world.at(10 * MS, move |world| world.cut_link(server, client));
    let error = pair.run(|core, _| async move {
        let stream = SimStream::connect(&core, &sink).await.unwrap();
        core.sleep_until(20 * MS).await;
        stream.send(payload(&core, &[1; 1000])).await.0.unwrap();
        some(&core, &stream, 1).await.unwrap_err()
    });
    assert_eq!((error.kind, seen.get()), (NetErrorKind::TimedOut, 1000));
}

#[test]
fn a_crashed_peer_is_silent_and_a_restarted_one_resets() {
    for (is_restarted, expected) in [(false, NetErrorKind::TimedOut), (true, NetErrorKind::Reset)] {
        let mut pair = Pair::new(1, quiet());
        let server = pair.server;
        pair.world.at(100 * MS, move |world| world.crash(server));
        if is_restarted {
            pair.world.at(150 * MS, move |world| drop(world.restart(server, |_| async {})));
        }
        let kind = pair.run(|core, address| async move {
            let stream = SimStream::connect(&core, &address).await.unwrap();
            core.sleep_until(200 * MS).await;
            // The connection is half open: a send succeeds, and nothing answers.
            stream.send(payload(&core, &[1; 100])).await.0.unwrap();
            some(&core, &stream, 1).await.unwrap_err().kind
        });
        assert_eq!(kind, expected);
    }
}

#[test]
fn a_reader_of_a_vanished_peer_waits_for_ever() {
    let mut pair = Pair::new(1, quiet());
    let server = pair.server;
    pair.world.at(100 * MS, move |world| world.crash(server));
    let address = pair.world.address(server, PORT);
    let reading = pair.world.start(pair.client, |core| async move {
        let stream = SimStream::connect(&core, &address).await.unwrap();
        some(&core, &stream, 1).await
    });
    assert_eq!(pair.world.run().unwrap(), Stop::Idle);
    assert!(!reading.is_finished());
}

#[test]
fn a_reset_reaches_both_ends() {
    let mut pair = Pair::new(1, quiet());
    let (client, server) = (pair.client, pair.server);
    pair.world.at(10 * MS, move |world| world.reset_connections(client, server));
    let kind = pair.run(|core, address| async move {
        let stream = SimStream::connect(&core, &address).await.unwrap();
        some(&core, &stream, 1).await.unwrap_err().kind
    });
    assert_eq!(kind, NetErrorKind::Reset);
    pair.run(|core, address| round_trip(core, address, 100)).unwrap();
}

#[test]
fn what_arrives_of_a_connection_that_is_cut_has_no_gap() {
    let mut cut = 0;
    for seed in 0..50 {
        let net = NetConfig { reset_ppm: PPM / 20, ..quiet() };
        let mut pair = Pair::new(seed, net);
        let address = pair.world.address(pair.server, 9);
        let bound = address.clone();
        let reading = pair.world.start(pair.server, |core| async move {
            let listener = SimListener::bind(&core, &bound).unwrap();
            let (stream, _) = listener.accept().await.unwrap();
            let mut bytes = Vec::new();
            while let Ok(more) = some(&core, &stream, 4096).await
                && !more.is_empty()
            {
                bytes.extend(more);
                core.sleep(MS).await;
            }
            bytes
        });
        pair.run(|core, _| async move {
            let stream = SimStream::connect(&core, &address).await.unwrap();
            let bytes: Vec<u8> = (0..200_000u32).map(|i| (i % 251) as u8).collect();
            drop(stream.send(payload(&core, &bytes)).await);
        });
        pair.world.run().unwrap();
        let bytes = reading.try_take().unwrap();
        assert!(bytes.iter().enumerate().all(|(at, byte)| *byte == (at % 251) as u8));
        cut += u32::from(bytes.len() < 200_000);
    }
    assert!((10..50).contains(&cut), "{cut} of 50 were cut");
}

#[test]
fn a_stream_dropped_with_unread_bytes_resets_its_peer() {
    let mut pair = Pair::new(1, quiet());
    let address = pair.world.address(pair.server, 9);
    let bound = address.clone();
    let peer = pair.world.start(pair.server, |core| async move {
        let listener = SimListener::bind(&core, &bound).unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        stream.send(payload(&core, &[1; 1000])).await.0.unwrap();
        some(&core, &stream, 1).await.unwrap_err().kind
    });
    pair.run(|core, _| async move {
        let stream = SimStream::connect(&core, &address).await.unwrap();
        core.sleep(100 * MS).await;
        drop(stream);
        core.sleep(100 * MS).await;
    });
    assert_eq!(peer.try_take(), Some(NetErrorKind::Reset));
}
