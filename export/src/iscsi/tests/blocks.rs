//! Block commands other than the usual ones, and what devices answer.

use byway_engine::block::Op;
use byway_engine::block::wrap::{Fault, FaultAction, FaultPlan, FaultRule};
use byway_engine::error::ErrorKind;
use byway_engine::exec::Class;
use byway_proto::iscsi::pdu::Residual;
use byway_proto::scsi::cdb::{Command, CompareAndWrite, Transfer};
use byway_proto::scsi::{SenseCode, Status};

use super::*;

fn swap(lba: u64, blocks: u8) -> Command {
    Command::CompareAndWrite(CompareAndWrite { lba, blocks, fua: false, dpo: false })
}

#[test]
fn compare_and_write_writes_what_it_finds_equal() {
    story(config(), |core, to| async move {
        let mut client = connect(&core, &to, &Who::named(ONE)).await;
        let (old, new) = (vec![0; 1024], pattern(1024, 1));
        let both = [old, new.clone()].concat();
        assert_eq!(client.run_out(swap(4, 2), both.clone()).await.status, Status::Good);
        assert_eq!(client.read(4, 2).await, new);
        let again = client.run_out(swap(4, 2), both).await;
        assert_eq!(again.sense, Some(SenseCode::MISCOMPARE));
    });
}

#[test]
fn counters_that_two_sessions_swap_lose_nothing() {
    // Longer than the device does in one step, so that it is read, compared and written.
    const BLOCKS: u8 = 255;
    story(config(), |core, to| async move {
        let mut tasks = Vec::new();
        for name in [ONE, TWO] {
            let (here, to) = (Rc::clone(&core), to.clone());
            let counting = async move {
                let mut client = connect(&here, &to, &Who::named(name)).await;
                let mut done = 0;
                while done < 20 {
                    let old = client.read(0, BLOCKS.into()).await;
                    let mut new = old.clone();
                    new[0] += 1;
                    let last = new.len() - 1;
                    new[last] += 1;
                    let answer = client.run_out(swap(0, BLOCKS), [old, new].concat()).await;
                    done += u32::from(answer.status == Status::Good);
                }
            };
            tasks.push(core.spawn(Class::Foreground, "counts", counting));
        }
        for task in tasks {
            task.await.unwrap();
        }
        let mut client = connect(&core, &to, &Who::named(ONE)).await;
        let found = client.read(0, BLOCKS.into()).await;
        assert_eq!((found[0], *found.last().unwrap()), (40, 40));
    });
}

#[test]
fn residuals_tell_what_was_expected_and_what_there_is() {
    story(config(), |core, to| async move {
        let mut client = connect(&core, &to, &Who::named(ONE)).await;
        let read = |blocks| Command::Read(Transfer::new(0, blocks));
        assert_eq!(client.run(read(1), 1000).await.residual, Residual::Underflow(488));
        let short = client.run(read(2), 700).await;
        assert_eq!((short.residual, short.data.len()), (Residual::Overflow(324), 700));
        let write = Command::Write(Transfer::new(8, 2));
        let answer = client.run_out(write, pattern(512, 3)).await;
        assert_eq!((answer.status, answer.residual), (Status::Good, Residual::Overflow(512)));
        assert_eq!(client.read(8, 2).await, [pattern(512, 3), vec![0; 512]].concat());
    });
}

#[test]
fn errors_of_the_device_become_sense() {
    for (op, kind, expected) in [
        (Op::Read, ErrorKind::Media, SenseCode::UNRECOVERED_READ_ERROR),
        (Op::Write, ErrorKind::Media, SenseCode::WRITE_ERROR),
        (Op::Write, ErrorKind::NoSpace, SenseCode::SPACE_ALLOCATION_FAILED),
        (Op::Write, ErrorKind::ReadOnly, SenseCode::WRITE_PROTECTED),
        (Op::Read, ErrorKind::PathLost, SenseCode::INTERNAL_TARGET_FAILURE),
    ] {
        let rule = FaultRule::new(FaultAction::Fail(kind)).on(op).times(1);
        let device = Fault::new(mem(1), FaultPlan::new(1).rule(rule));
        story(config_with(Arc::new(device)), move |core, to| async move {
            let mut client = connect(&core, &to, &Who::named(ONE)).await;
            let answer = match op {
                Op::Read => client.run(Command::Read(Transfer::new(0, 1)), 512).await,
                _ => client.write(0, vec![1; 512]).await,
            };
            assert_eq!((answer.status, answer.sense), (Status::CheckCondition, Some(expected)));
            assert_eq!(client.write(8, vec![2; 512]).await.status, Status::Good, "life goes on");
        });
    }
}
