//! Sessions take each other's place, their commands end, and idle ones cost little.

use byway_engine::block::Op;
use byway_engine::block::wrap::{Fault, FaultAction, FaultPlan, FaultRule};
use byway_engine::exec::Class;
use byway_proto::iscsi::pdu::{Itt, TaskFunction};
use byway_proto::scsi::cdb::{Command, Transfer};
use byway_proto::scsi::{SenseCode, Status};

use super::*;

/// How long a slow write takes.
const SLOW_NS: u64 = 30_000_000;

/// A device whose first write is slow.
fn slow() -> Arc<dyn BlockDevice> {
    let rule = FaultRule::new(FaultAction::Delay { ns: SLOW_NS }).on(Op::Write).times(1);
    Arc::new(Fault::new(mem(1), FaultPlan::new(1).rule(rule)))
}

fn write_one(lba: u64) -> Command {
    Command::Write(Transfer::new(lba, 1))
}

#[test]
fn a_login_waits_for_the_writes_of_the_session_it_replaces() {
    story(config_with(slow()), |core, to| async move {
        let who = Who::named(ONE);
        let mut old = connect(&core, &to, &who).await;
        old.start(write_one(0).build(), 0, vec![1; 512]).await;
        core.sleep(1_000_000).await;
        let begun = core.now();
        let mut new = connect(&core, &to, &who).await;
        assert!(core.now() - begun >= SLOW_NS / 2, "the old write ended before the login did");
        assert_eq!(new.write(0, vec![2; 512]).await.status, Status::Good);
        assert_eq!(new.read(0, 1).await, vec![2; 512]);
        assert!(!old.step().await, "the old connection is closed");
        assert_ne!(new.tsih, old.tsih);
    });
}

#[test]
fn other_ports_of_the_initiator_are_other_sessions() {
    story(config(), |core, to| async move {
        let who = Who::named(ONE);
        let mut first = connect(&core, &to, &who).await;
        let mut second = connect(&core, &to, &Who { qualifier: 2, ..who }).await;
        first.write(0, vec![7; 512]).await;
        assert_eq!(second.read(0, 1).await, vec![7; 512]);
        assert_eq!(first.read(0, 1).await, vec![7; 512]);
    });
}

#[test]
fn an_aborted_write_sends_no_status_and_is_over_when_the_answer_comes() {
    story(config_with(slow()), |core, to| async move {
        let mut client = connect(&core, &to, &Who::named(ONE)).await;
        let begun = core.now();
        let itt = client.start(write_one(0).build(), 0, vec![1; 512]).await;
        let response = client.manage(TaskFunction::AbortTask, itt).await;
        assert_eq!(response, Some(0));
        assert!(core.now() - begun >= SLOW_NS, "the device was done");
        assert!(!client.is_answered(itt));
        assert_eq!(client.read(1, 1).await.len(), 512);
    });
}

#[test]
fn a_reset_of_the_unit_ends_the_commands_of_all_and_tells_them() {
    story(config_with(slow()), |core, to| async move {
        let mut one = connect(&core, &to, &Who::named(ONE)).await;
        let mut two = connect(&core, &to, &Who::named(TWO)).await;
        let itt = one.start(write_one(0).build(), 0, vec![1; 512]).await;
        core.sleep(1_000_000).await;
        assert_eq!(two.manage(TaskFunction::LogicalUnitReset, Itt::NONE).await, Some(0));
        for client in [&mut one, &mut two] {
            let told = client.run(Command::TestUnitReady, 0).await.sense;
            assert_eq!(told, Some(SenseCode::BUS_DEVICE_RESET));
        }
        assert!(!one.is_answered(itt));
    });
}

#[test]
fn clear_task_set_reaches_other_sessions_and_they_hear_of_it() {
    story(config_with(slow()), |core, to| async move {
        let mut one = connect(&core, &to, &Who::named(ONE)).await;
        let mut two = connect(&core, &to, &Who::named(TWO)).await;
        let itt = one.start(write_one(0).build(), 0, vec![1; 512]).await;
        core.sleep(1_000_000).await;
        assert_eq!(two.manage(TaskFunction::ClearTaskSet, Itt::NONE).await, Some(0));
        let told = one.run(Command::TestUnitReady, 0).await.sense;
        assert_eq!(told, Some(SenseCode::COMMANDS_CLEARED));
        assert!(!one.is_answered(itt));
    });
}

#[test]
fn a_cold_reset_drops_every_connection() {
    story(config(), |core, to| async move {
        let mut one = connect(&core, &to, &Who::named(ONE)).await;
        let mut two = connect(&core, &to, &Who::named(TWO)).await;
        assert_eq!(two.manage(TaskFunction::TargetColdReset, Itt::NONE).await, Some(0));
        assert!(!one.step().await && !two.step().await);
        connect(&core, &to, &Who::named(ONE)).await;
    });
}

#[test]
fn every_initiator_hears_that_the_size_changed() {
    let device = Arc::new(MemDevice::new(4 << 20).unwrap());
    let resized = Arc::clone(&device);
    story(config_with(device), |core, to| async move {
        let mut one = connect(&core, &to, &Who::named(ONE)).await;
        let mut two = connect(&core, &to, &Who::named(TWO)).await;
        resized.resize(2 << 20).unwrap();
        core.sleep(1_000_000).await;
        for client in [&mut one, &mut two] {
            let told = client.run(Command::TestUnitReady, 0).await.sense;
            assert_eq!(told, Some(SenseCode::CAPACITY_CHANGED));
            let capacity = client.run(Command::ReadCapacity16 { allocation: 32 }, 32).await.data;
            assert_eq!(capacity[..8], 4095u64.to_be_bytes());
        }
    });
}

#[test]
fn a_target_that_stops_asks_to_log_out_and_lets_writes_end() {
    let mut config = config_with(slow());
    config.limits.logout_ns = 5_000_000;
    reactor(64).run(|core| async move {
        let target = Target::start(&core, config).unwrap();
        let to = target.addresses()[0].clone();
        let mut client = connect(&core, &to, &Who::named(ONE)).await;
        client.start(write_one(0).build(), 0, vec![1; 512]).await;
        core.sleep(1_000_000).await;
        let begun = core.now();
        let stopping = core.spawn(Class::Foreground, "stop", target.stop());
        let pdu = client.other().await.unwrap();
        assert_eq!((pdu.bhs[0], pdu.bhs[36]), (0x32, 1), "asked to log out");
        stopping.await.unwrap();
        assert!(core.now() - begun >= SLOW_NS / 2, "the write ended first");
    });
}

#[test]
fn sessions_are_counted() {
    reactor(64).run(|core| async move {
        let target = Target::start(&core, config()).unwrap();
        let to = target.addresses()[0].clone();
        let mut client = connect(&core, &to, &Who::named(ONE)).await;
        client.write(0, vec![1; 4096]).await;
        client.read(0, 2).await;
        let sessions = target.sessions();
        assert_eq!(sessions.len(), 1);
        assert_eq!((&*sessions[0].initiator, sessions[0].tsih), (ONE, client.tsih));
        assert_eq!(sessions[0].counts.written_bytes, 4096);
        assert_eq!(sessions[0].counts.read_bytes, 1024);
        target.stop().await;
    });
}

#[test]
fn connections_that_break_under_load_leave_nothing_behind() {
    // More rounds than the arena could bear if each left a megabyte behind.
    const ROUNDS: u64 = 60;
    let rule = FaultRule::new(FaultAction::Delay { ns: 300_000 });
    let device = Arc::new(Fault::new(mem(64), FaultPlan::new(1).rule(rule)));
    reactor(32).run(|core| async move {
        let target = Target::start(&core, config_with(device)).unwrap();
        let to = target.addresses()[0].clone();
        for round in 0..ROUNDS {
            let who = Who { qualifier: (round % 3) as u16, ..Who::named(ONE) };
            let mut client = connect(&core, &to, &who).await;
            for lba in 0..4 {
                let read = Command::Read(Transfer::new(lba, 1024));
                client.start_read(read.build(), 512 << 10).await;
                let write = Command::Write(Transfer::new(lba * 1024, 1024));
                client.start(write.build(), 0, pattern(512 << 10, 1)).await;
            }
            for _ in 0..round % 7 {
                client.step().await;
            }
            if round % 2 == 0 {
                client.stream.set_reset_on_drop().unwrap();
            }
        }
        while !target.sessions().is_empty() {
            core.sleep(1_000_000).await;
        }
        let mut client = connect(&core, &to, &Who::named(ONE)).await;
        let data = pattern(8 << 20, 9);
        assert_eq!(client.write(0, data.clone()).await.status, Status::Good);
        assert!(client.read(0, 16 << 10).await == data);
        target.stop().await;
    });
}
