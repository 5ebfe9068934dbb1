//! What streams do: all bytes, in order, across segments; ends, errors, dropped futures.

use std::pin::pin;

use super::*;

#[test]
fn an_echo_goes_both_ways() {
    everywhere(|core, address| async move {
        let (near, far) = pair(&core, &address).await;
        for round in 0..3 {
            let text = [round; 100];
            send_bytes(&core, &near, &text).await;
            let got = receive_bytes(&core, &far, 100).await;
            send_bytes(&core, &far, &got).await;
            assert_eq!(receive_bytes(&core, &near, 100).await, text);
        }
    });
}

#[test]
fn segments_are_gathered_and_scattered() {
    everywhere(|core, address| async move {
        let (near, far) = pair(&core, &address).await;
        let out: Vec<u32> = (0..256).map(|n| 1 + (n * 37) % 900).collect();
        let total: u32 = out.iter().sum();
        let into: Vec<u32> = [vec![total - 255], vec![1; 255]].concat();
        let sending = filled(payload(&core, &out), 48);
        let mut header = core.lease(48).unwrap();
        header.copy_from_slice(&pattern_bytes(0, 48));

        let (sent, header, sending) = near.send_with_header(header, sending).await;
        sent.unwrap();
        assert_eq!((header.len(), sending.len()), (48, u64::from(total)));
        assert_eq!(receive_bytes(&core, &far, 48).await, pattern_bytes(0, 48));
        let (got, payload) = far.receive_exact(payload(&core, &into)).await;
        got.unwrap();
        assert_eq!(bytes(&payload, total as usize), pattern_bytes(48, total as usize));
    });
}

#[test]
fn lent_memory_is_sent_as_it_is_and_outlives_its_device() {
    const LEN: u32 = 1 << 20;
    everywhere(|core, address| async move {
        let (near, far) = pair(&core, &address).await;
        let device = MemDevice::new(4 << 20).unwrap();
        let mut channel = device.open_channel(&core).unwrap();
        let data = filled(payload(&core, &[LEN]), 0);
        channel.submit(Io::write(8192, data)).unwrap();
        channel.poll(&mut Vec::new());
        let lent = channel.lend(8192 + 512, LEN - 512).unwrap();
        drop((channel, device));
        let receiver = core.clone();
        let receiving = core.spawn(Class::Foreground, "receive", async move {
            receive_bytes(&receiver, &far, LEN - 512).await
        });
        near.send(lent.into()).await.0.unwrap();
        assert!(receiving.await.unwrap() == pattern_bytes(512, LEN as usize - 512));
    });
}

#[test]
fn a_peer_that_reads_is_noticed_on_a_unix_socket() {
    let dir = Dir::new();
    let address = dir.address("reading");
    once(|core| async move {
        let (near, far) = pair(&core, &address).await;
        let bell = Bell::new(&core).await;
        let mut watch = near.watch_reading().unwrap();
        bell.turn(&core).await;
        watch.drain();
        send_bytes(&core, &near, b"answer").await;
        bell.turn(&core).await;
        assert_eq!(watch.drain(), 0, "it has not read yet");
        assert_eq!(receive_bytes(&core, &far, 6).await, b"answer");
        bell.turn(&core).await;
        assert_eq!(watch.drain(), 1);
        drop(watch);
        send_bytes(&core, &near, b"more").await;
        assert_eq!(receive_bytes(&core, &far, 4).await, b"more");
        let (near, _far) = pair(&core, &loopback()).await;
        assert!(near.watch_reading().is_none());
    });
}

#[test]
fn more_than_the_kernel_buffers_arrives_whole() {
    const LEN: usize = 4 << 20;
    everywhere(|core, address| async move {
        let (near, far) = pair(&core, &address).await;
        let sender = core.clone();
        let sending = core.spawn(Class::Foreground, "send", async move {
            // Segments of 1 MiB, so that sends end short and continue inside of a segment.
            let payload = filled(payload(&sender, &[1 << 20; LEN >> 20]), 0);
            near.send(payload).await.0.unwrap();
        });
        let (mut buffer, mut at) = (payload(&core, &[60_000, 5_000]), 0);
        loop {
            let got;
            (got, buffer) = far.receive(buffer).await;
            let got = got.unwrap();
            if got == 0 {
                break;
            }
            assert_eq!(bytes(&buffer, got), pattern_bytes(at as u64, got), "at byte {at}");
            at += got;
        }
        assert_eq!(at, LEN);
        sending.await.unwrap();
    });
}

#[test]
fn a_receive_takes_what_is_there() {
    everywhere(|core, address| async move {
        let (near, far) = pair(&core, &address).await;
        send_bytes(&core, &near, b"first").await;
        let (got, buffer) = far.receive(payload(&core, &[3, 100])).await;
        assert_eq!(got.unwrap(), 5);
        assert_eq!(bytes(&buffer, 5), b"first");
        let (got, _) = far.receive(Payload::None).await;
        assert_eq!(got.unwrap(), 0, "no room, no bytes, no waiting");
    });
}

#[test]
fn a_peer_that_ends_early_is_an_error_of_exact_receives_only() {
    everywhere(|core, address| async move {
        let (near, far) = pair(&core, &address).await;
        send_bytes(&core, &near, b"five!").await;
        near.shutdown_write().unwrap();
        let (got, buffer) = far.receive_exact(payload(&core, &[4, 6])).await;
        let error = got.unwrap_err();
        assert_eq!(error.kind, NetErrorKind::Closed);
        assert!(error.to_string().contains("the peer ended after 5 of 10 bytes"), "{error}");
        assert!(error.to_string().contains(&far.peer_address().to_string()), "{error}");
        assert_eq!(far.receive(buffer).await.0.unwrap(), 0);
        // The other direction is open still.
        send_bytes(&core, &far, b"bye").await;
        assert_eq!(receive_bytes(&core, &near, 3).await, b"bye");
    });
}

#[test]
fn sending_to_a_peer_that_is_gone_fails() {
    everywhere(|core, address| async move {
        let (near, far) = pair(&core, &address).await;
        send_bytes(&core, &far, b"unread").await;
        drop(far);
        let mut buffer = payload(&core, &[4096]);
        let error = loop {
            let sent;
            (sent, buffer) = near.send(buffer).await;
            if let Err(error) = sent {
                break error;
            }
        };
        assert!(matches!(error.kind, NetErrorKind::Closed | NetErrorKind::Reset), "{error}");
        assert!(error.errno.is_some() && error.detail.starts_with("send"), "{error}");
    });
}

#[test]
fn a_refused_connection_names_address_and_remedy() {
    everywhere(|core, address| async move {
        let listener = listen(&core, &address);
        let to = listener.local_address().clone();
        drop(listener);
        Bell::new(&core).await.turn(&core).await;
        let Err(error) = Stream::connect(&core, &to).await else {
            panic!("nobody listens there");
        };
        assert_eq!(error.kind, NetErrorKind::Refused);
        let line = error.to_string();
        assert!(line.starts_with(&format!("{to}: connect: ")), "{line}");
        assert!(line.ends_with("; start the server there, or correct the address"), "{line}");
    });
}

#[test]
fn a_dropped_receive_leaves_its_bytes_to_the_next() {
    everywhere(|core, address| async move {
        let (near, far) = pair(&core, &address).await;
        let bell = Bell::new(&core).await;
        for exact in [false, true] {
            let mut at = 0;
            for turns in 0..3 {
                {
                    let buffer = payload(&core, &[64, 64]);
                    let mut dropped = pin!(async {
                        match exact {
                            true => far.receive_exact(buffer).await.0.unwrap(),
                            false => drop(far.receive(buffer).await.0.unwrap()),
                        }
                    });
                    start(dropped.as_mut()).await;
                    for _ in 0..turns {
                        bell.turn(&core).await;
                    }
                    near.send(filled(payload(&core, &[100]), at)).await.0.unwrap();
                }
                let got = receive_bytes(&core, &far, 30).await;
                assert_eq!(got, pattern_bytes(at, 30), "after {turns} turns");
                let (got, buffer) = far.receive(payload(&core, &[50])).await;
                let got = got.unwrap();
                assert_eq!(bytes(&buffer, got), pattern_bytes(at + 30, got));
                let left = 70 - got;
                let rest = receive_bytes(&core, &far, left as u32).await;
                assert_eq!(rest, pattern_bytes(at + 30 + got as u64, left));
                at += 100;
            }
        }
    });
}

#[test]
fn memory_of_a_dropped_receive_lives_until_its_completion() {
    everywhere(|core, address| async move {
        let (near, far) = pair(&core, &address).await;
        let bell = Bell::new(&core).await;
        bell.turn(&core).await;
        let before = core.arena().region().in_use(0);
        for segments in [&[4096][..], &[512; 100][..]] {
            let mut dropped = Box::pin(far.receive(payload(&core, segments)));
            start(dropped.as_mut()).await;
            bell.turn(&core).await;
            near.send(filled(payload(&core, &[4096]), 0)).await.0.unwrap();
            drop(dropped);
            assert_eq!(receive_bytes(&core, &far, 4096).await, pattern_bytes(0, 4096));
        }
        let mut dropped = Box::pin(far.receive(payload(&core, &[2 << 20])));
        start(dropped.as_mut()).await;
        drop(dropped);
        assert_eq!(core.arena().region().in_use(0), before + 1, "the kernel may write it still");
        drop(far);
        bell.turn(&core).await;
        assert_eq!(core.arena().region().in_use(0), before, "the memory came back");
    });
}

#[test]
fn a_dropped_send_ends_the_sending_direction() {
    everywhere(|core, address| async move {
        let (near, far) = pair(&core, &address).await;
        let bell = Bell::new(&core).await;
        let mut dropped = Box::pin(near.send(payload(&core, &[2 << 20; 4])));
        start(dropped.as_mut()).await;
        bell.turn(&core).await;
        drop(dropped);
        let (sent, buffer) = near.send(payload(&core, &[10])).await;
        let error = sent.unwrap_err();
        assert!(error.to_string().contains("a send was dropped before its end"), "{error}");
        assert_eq!(buffer.len(), 10);
        // Receiving goes on.
        send_bytes(&core, &far, b"still here").await;
        assert_eq!(receive_bytes(&core, &near, 10).await, b"still here");
    });
}

#[test]
fn one_receive_at_a_time() {
    once(|core| async move {
        let (near, far) = pair(&core, &loopback()).await;
        let mut first = pin!(near.receive(payload(&core, &[10])));
        start(first.as_mut()).await;
        let (second, buffer) = near.receive(payload(&core, &[20])).await;
        assert!(second.unwrap_err().to_string().contains("another one is under way"));
        assert_eq!(buffer.len(), 20, "the memory comes back all the same");
        send_bytes(&core, &far, b"for one").await;
        assert_eq!(first.await.0.unwrap(), 7);
    });
}

#[test]
fn streams_know_their_addresses_and_options() {
    everywhere(|core, address| async move {
        let (near, far) = pair(&core, &address).await;
        for stream in [&near, &far] {
            stream.set_nodelay(false).unwrap();
            stream.set_quickack(true).unwrap();
        }
        assert_eq!(&far.local_address().unwrap(), near.peer_address());
        if address.as_tcp().is_some() {
            assert_eq!(&near.local_address().unwrap(), far.peer_address());
        }
    });
}

#[test]
fn a_core_without_a_kernel_has_no_network() {
    let core = Core::standalone().unwrap();
    let Err(error) = Listener::bind(&core, &loopback(), ListenOptions::default()) else {
        panic!("there is nothing to listen with");
    };
    assert_eq!(error.kind, NetErrorKind::Unsupported);
}
