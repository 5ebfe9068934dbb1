//! Peers that send nonsense, and peers that take too much.

use byway_engine::block::wrap::SplitMix64;
use byway_engine::exec::Class;
use byway_engine::net::Stream;
use byway_proto::scsi::Status;
use byway_proto::scsi::cdb::{Command, Transfer};

use super::*;

#[test]
fn garbage_in_place_of_a_login_ends_the_connection() {
    story(config(), |core, to| async move {
        let mut random = SplitMix64::new(3);
        for _ in 0..50 {
            let stream = Stream::connect(&core, &to).await.unwrap();
            let mut lease = core.lease(1 + random.below(4000) as u32).unwrap();
            lease.iter_mut().for_each(|byte| *byte = random.next_u64() as u8);
            let _ = stream.send(lease.into()).await;
            stream.shutdown_write().unwrap();
            while let (Ok(1..), _) = stream.receive(core.lease(512).unwrap().into()).await {}
        }
        connect(&core, &to, &Who::named(ONE)).await;
    });
}

#[test]
fn garbage_in_full_feature_phase_harms_only_its_sender() {
    story(config(), |core, to| async move {
        let mut good = connect(&core, &to, &Who::named(TWO)).await;
        let mut random = SplitMix64::new(4);
        for round in 0..200u64 {
            let mut bad = connect(&core, &to, &Who::named(ONE)).await;
            let mut bytes: Vec<u8> = (0..480).map(|_| random.next_u64() as u8).collect();
            // Half of them look like PDUs of modest length.
            if round % 2 == 0 {
                for pdu in bytes.chunks_mut(48) {
                    pdu[0] = [0x01, 0x02, 0x04, 0x05, 0x00, 0x06, 0x10][usize::from(pdu[0]) % 7];
                    let len = if pdu[8] % 3 == 0 { 48 } else { 0 };
                    pdu[4..8].copy_from_slice(&[0, 0, 0, len]);
                }
            }
            let _ = bad.send_raw(&bytes).await;
            bad.stream.shutdown_write().unwrap();
            while bad.receive().await.is_some() {}
            assert_eq!(good.write(0, vec![round as u8; 512]).await.status, Status::Good);
        }
    });
}

#[test]
fn a_login_that_never_ends_is_cut() {
    let mut config = config();
    config.limits.login_ns = 20_000_000;
    story(config, |core, to| async move {
        let stream = Stream::connect(&core, &to).await.unwrap();
        let (result, _) = stream.receive(core.lease(512).unwrap().into()).await;
        assert!(matches!(result, Ok(0) | Err(_)));
    });
}

#[test]
fn who_takes_no_answers_cannot_starve_others() {
    let mut config = config();
    config.limits.session_bytes_max = 4 << 20;
    story(config, |core, to| async move {
        let mut greedy = connect(&core, &to, &Who::named(ONE)).await;
        // Far more than the socket takes, and nothing is ever received.
        for _ in 0..64 {
            greedy.start_read(Command::Read(Transfer::new(0, 2048)).build(), 1 << 20).await;
        }
        let mut modest = connect(&core, &to, &Who::named(TWO)).await;
        for lba in 0..50 {
            assert_eq!(modest.write(lba, pattern(512, lba as u8)).await.status, Status::Good);
            assert_eq!(modest.read(lba, 1).await, pattern(512, lba as u8));
        }
    });
}

#[test]
fn commands_wait_for_memory_and_none_is_lost() {
    // Less memory than all commands together want.
    story_in(24, config(), |core, to| async move {
        let mut tasks = Vec::new();
        for name in [ONE, TWO] {
            let (here, to) = (Rc::clone(&core), to.clone());
            let reading = async move {
                let mut client = connect(&here, &to, &Who::named(name)).await;
                let mut started = Vec::new();
                for lba in 0..32 {
                    let read = Command::Read(Transfer::new(lba, 2048));
                    started.push(client.start_read(read.build(), 1 << 20).await);
                }
                for itt in started {
                    let answer = client.answer(itt).await;
                    assert_eq!((answer.status, answer.data.len()), (Status::Good, 1 << 20));
                }
                let data = pattern(4 << 20, 5);
                loop {
                    match client.write(0, data.clone()).await.status {
                        Status::Good => break,
                        status => assert_eq!(status, Status::Busy),
                    }
                }
            };
            tasks.push(core.spawn(Class::Foreground, "reads", reading));
        }
        for task in tasks {
            task.await.unwrap();
        }
    });
}
