use super::*;
use crate::block::Op;
use crate::block::wrap::{Fault, FaultAction, FaultPlan, FaultRule, Verify, VerifyCounts};

fn counts(matched: u64, mismatched: u64, skipped: u64) -> VerifyCounts {
    VerifyCounts { matched, mismatched, skipped }
}

#[test]
fn bytes_that_change_behind_its_back_are_a_medium_error() {
    let disk = mem(1 << 20);
    let verify = Verify::new(disk.clone()).unwrap();
    let (mut behind, mut lab) = (Lab::on(&*disk), Lab::on(&verify));
    lab.write(4096, 4096, 1).unwrap();
    assert!(lab.reads(4096, 4096, 1));
    behind.write(5120, 512, 2).unwrap();
    let error = lab.run(Io::read(4096, lab.lease(4096, 0))).result.unwrap_err();
    assert_eq!((error.kind, error.offset, error.len), (ErrorKind::Media, 4096, 4096));
    assert_eq!(error.detail, "verify: block at offset 5120 reads other bytes than were written");
    assert_eq!(verify.handle().counts(), counts(8 + 7, 1, 0));
}

#[test]
fn zeroes_are_known_and_discarded_blocks_are_not() {
    let disk = mem(1 << 20);
    let verify = Verify::new(disk.clone()).unwrap();
    let (mut behind, mut lab) = (Lab::on(&*disk), Lab::on(&verify));
    lab.write(0, 4096, 1).unwrap();
    lab.run(Io::write_zeroes(0, 2048, true)).result.unwrap();
    lab.run(Io::discard(2048, 2048)).result.unwrap();
    behind.write(0, 4096, 3).unwrap();
    assert_eq!(lab.read(0, 512).unwrap_err(), ErrorKind::Media);
    assert!(lab.reads(2048, 2048, 3));
    assert_eq!(verify.handle().counts(), counts(0, 1, 4));
}

#[test]
fn a_failed_write_makes_its_blocks_unknown_and_a_miscompare_does_not() {
    let plan = FaultPlan::new(3).rule(FaultRule::new(FaultAction::Torn).within(4096..8192));
    let verify = Verify::new(Arc::new(Fault::new(mem(1 << 20), plan))).unwrap();
    let mut lab = Lab::on(&verify);
    lab.write(0, 4096, 1).unwrap();
    let miscompare = lab.run(Io::compare_and_write(0, lab.lease(1024, 9))).result;
    assert_eq!(kind(&miscompare), ErrorKind::Miscompare { at: 0 });
    lab.write(0, 8192, 2).unwrap_err();
    lab.read(0, 8192).unwrap();
    assert_eq!(verify.handle().counts(), counts(0, 0, 16), "a torn write leaves nothing known");
    let mut words = lab.lease(1024, 2);
    words.fill(lab.read(0, 512).unwrap()[0]);
    words[512..].fill(7);
    lab.run(Io::compare_and_write(0, words)).result.unwrap();
    assert!(lab.reads(0, 512, 7));
    assert_eq!(verify.handle().counts(), counts(1, 0, 17));
}

#[test]
fn a_read_beside_a_write_in_flight_is_not_judged() {
    let slow = FaultRule::new(FaultAction::Delay { ns: 100 }).on(Op::Read);
    let plan = FaultPlan::new(0).rule(slow);
    let verify = Verify::new(Arc::new(Fault::new(mem(1 << 20), plan))).unwrap();
    let mut lab = Lab::on(&verify);
    lab.write(0, 512, 1).unwrap();
    lab.submit(Io::read(0, lab.lease(512, 0)));
    assert!(lab.poll().is_empty(), "the read has its bytes and is held");
    lab.write(0, 512, 2).unwrap();
    lab.core.clock().advance_to(100);
    assert_eq!(lab.poll()[0].payload.segments().len(), 1);
    assert_eq!(verify.handle().counts(), counts(0, 0, 1));
    lab.submit(Io::read(0, lab.lease(512, 0)));
    lab.run_dry();
    assert_eq!(verify.handle().counts(), counts(1, 0, 1));
}

#[test]
fn a_misdirected_write_is_found_at_the_block_it_hit() {
    let misdirect = FaultRule::new(FaultAction::Misdirect { to: 8192 }).within(0..512);
    let fault = Fault::new(mem(1 << 20), FaultPlan::new(0).rule(misdirect.on(Op::Write)));
    let verify = Verify::new(Arc::new(fault)).unwrap();
    let mut lab = Lab::on(&verify);
    lab.write(8192, 512, 1).unwrap();
    lab.write(0, 512, 2).unwrap();
    assert_eq!(lab.read(8192, 512).unwrap_err(), ErrorKind::Media);
    assert_eq!(lab.read(0, 512).unwrap_err(), ErrorKind::Media, "the block it missed, too");
}

#[test]
fn what_a_shrink_cut_off_is_forgotten() {
    let disk = Arc::new(MemDevice::new(64 << 10).unwrap());
    let verify = Verify::new(disk.clone()).unwrap();
    let mut lab = Lab::on(&verify);
    lab.write(0, 64 << 10, 1).unwrap();
    disk.resize(1024).unwrap();
    assert!(lab.channel.take_event().is_some());
    disk.resize(64 << 10).unwrap();
    assert!(lab.reads(0, 1024, 1) && lab.reads(1024, 4096, 0));
}
