//! A target that misbehaves does so by plan.

use byway_proto::iscsi::login::target::Pace;
use byway_proto::iscsi::negotiate::{DigestPolicy, Operational};
use byway_proto::scsi::Status;
use byway_proto::scsi::cdb::{Command, Transfer};

use super::*;

fn with(faults: Faults) -> TargetConfig {
    TargetConfig { faults, ..config() }
}

#[test]
fn a_connection_is_cut_at_its_pdu() {
    story(with(Faults { cut_at_pdu: Some(5), ..Faults::default() }), |core, to| async move {
        let mut client = log_in(&core, &to, &Who::named(ONE)).await.unwrap();
        for _ in 0..4 {
            client.run(Command::TestUnitReady, 0).await;
        }
        let itt = client.start_read(Command::TestUnitReady.build(), 0).await;
        assert_eq!(client.try_answer(itt).await, None);
    });
}

#[test]
fn late_answers_change_places() {
    let faults = Faults { delay_ppm: 500_000, delay_ns: 20_000_000, ..Faults::default() };
    story(with(faults), |core, to| async move {
        let mut client = connect(&core, &to, &Who::named(ONE)).await;
        let mut started = Vec::new();
        for lba in 0..16 {
            let read = Command::Read(Transfer::new(lba, 1));
            started.push(client.start_read(read.build(), 512).await);
        }
        let last = *started.last().unwrap();
        client.answer(last).await;
        assert!(started.iter().any(|itt| *itt != last && !client.is_answered(*itt)));
        for itt in &started[..15] {
            assert_eq!(client.answer(*itt).await.status, Status::Good);
        }
    });
}

#[test]
fn excuses_lies_and_slow_logins_are_made() {
    let faults = Faults { busy_ppm: 1_000_000, ..Faults::default() };
    story(with(faults), |core, to| async move {
        let mut client = log_in(&core, &to, &Who::named(ONE)).await.unwrap();
        assert_eq!(client.run(Command::TestUnitReady, 0).await.status, Status::Busy);
    });
    let pace = Some(Pace { part_len: 7, held_rounds: 2 });
    story(with(Faults { pace, ..Faults::default() }), |core, to| async move {
        connect(&core, &to, &Who::named(ONE)).await;
    });
    let faults = Faults { lie: Some(Lie::Residual), lie_ppm: 1_000_000, ..Faults::default() };
    story(with(faults), |core, to| async move {
        let mut client = log_in(&core, &to, &Who::named(ONE)).await.unwrap();
        client.start_read(Command::TestUnitReady.build(), 0).await;
        let pdu = client.receive().await.unwrap();
        let pdu = if pdu.bhs[0] == 0x20 { client.receive().await.unwrap() } else { pdu };
        assert_ne!(pdu.bhs[44..48], [0; 4]);
    });
}

#[test]
fn a_closed_window_opens_when_answers_have_left() {
    story(with(Faults { window_max: Some(1), ..Faults::default() }), |core, to| async move {
        let mut client = connect(&core, &to, &Who::named(ONE)).await;
        for lba in 0..10 {
            while client.max_cmd_sn.is_before(client.cmd_sn) {
                assert!(client.step().await);
            }
            client.write(lba, vec![1; 512]).await;
        }
    });
}

#[test]
#[should_panic(expected = "a right data digest")]
fn digests_are_wrong_by_plan() {
    let faults = Faults { flip_data_ppm: 1_000_000, ..Faults::default() };
    story(with(faults), |core, to| async move {
        let operational =
            Operational { data_digest: DigestPolicy::Require, ..Operational::default() };
        let who = Who { operational, ..Who::named(ONE) };
        connect(&core, &to, &who).await.read(0, 1).await;
    });
}
