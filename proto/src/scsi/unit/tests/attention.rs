//! Unit attentions, resets, port groups.

use super::*;
use crate::scsi::cdb::{Inquiry, Report, ReportLuns, Transfer};
use crate::scsi::data::AluaState;

const READY: Command = Command::TestUnitReady;
const INQUIRY: Command = Command::Inquiry(Inquiry { page: None, allocation: 96 });

fn two() -> LogicalUnit {
    let mut unit = unit();
    for name in ["a", "b"] {
        unit.nexus_established(&nexus(name));
        assert_eq!(code(&run(&mut unit, name, READY)), Some(SenseCode::RESET_OCCURRED));
    }
    unit
}

#[test]
fn the_first_command_is_told_of_the_reset_once() {
    let mut unit = unit();
    unit.nexus_established(&nexus("a"));
    assert_eq!(ask(&mut unit, "a", INQUIRY).status, Status::Good);
    let reply = ask(&mut unit, "a", READY);
    assert_eq!(reply.sense, Some(Sense::attention(SenseCode::RESET_OCCURRED)));
    assert_eq!(ask(&mut unit, "a", READY), ScsiReply::good());
}

#[test]
fn who_comes_again_is_told_that_its_session_was_lost_and_no_more() {
    let mut unit = two();
    unit.nexus_lost(&nexus("a"));
    unit.nexus_established(&nexus("a"));
    assert_eq!(code(&run(&mut unit, "a", READY)), Some(SenseCode::NEXUS_LOSS));
    unit.nexus_lost(&nexus("a"));
    unit.reset(Reset::PowerOn);
    unit.nexus_established(&nexus("a"));
    assert_eq!(code(&run(&mut unit, "a", READY)), Some(SenseCode::RESET_OCCURRED));
}

#[test]
fn who_left_untold_is_told_of_the_reset_when_it_comes_again() {
    let mut unit = unit();
    for _ in 0..2 {
        unit.nexus_established(&nexus("a"));
        unit.nexus_lost(&nexus("a"));
    }
    unit.nexus_established(&nexus("a"));
    assert_eq!(code(&run(&mut unit, "a", READY)), Some(SenseCode::RESET_OCCURRED));
}

#[test]
fn request_sense_takes_the_condition() {
    let mut unit = unit();
    unit.nexus_established(&nexus("a"));
    let request = Command::RequestSense(RequestSense { descriptor: true, allocation: 252 });
    let bytes = ask(&mut unit, "a", request).data;
    let sense = Sense::parse(&bytes).unwrap();
    assert_eq!(sense.code, SenseCode::RESET_OCCURRED);
    assert_eq!(ask(&mut unit, "a", READY).status, Status::Good);
    let bytes = ask(&mut unit, "a", request).data;
    assert_eq!(Sense::parse(&bytes).unwrap().key, SenseKey::NoSense);
}

#[test]
fn report_luns_answers_what_its_condition_asks() {
    let mut unit = two();
    unit.luns_changed();
    let report = Command::ReportLuns(ReportLuns { select: 0, allocation: 64 });
    assert_eq!(ask(&mut unit, "a", report).data.len(), 16);
    assert_eq!(ask(&mut unit, "a", READY).status, Status::Good);
    assert_eq!(code(&run(&mut unit, "b", READY)), Some(SenseCode::REPORTED_LUNS_CHANGED));
}

#[test]
fn a_new_size_is_told_to_everybody_once() {
    let mut unit = two();
    unit.resize(2000);
    unit.resize(3000);
    for name in ["a", "b"] {
        assert_eq!(code(&run(&mut unit, name, READY)), Some(SenseCode::CAPACITY_CHANGED));
        assert_eq!(ask(&mut unit, name, READY).status, Status::Good);
    }
    let read = Command::Read(Transfer::new(2999, 1));
    assert_eq!(io(run(&mut unit, "a", read)).lba, 2999);
}

#[test]
fn a_reset_wipes_out_what_came_before_it() {
    let mut unit = two();
    unit.resize(2000);
    unit.reset(Reset::LogicalUnit);
    assert_eq!(code(&run(&mut unit, "a", READY)), Some(SenseCode::BUS_DEVICE_RESET));
    assert_eq!(ask(&mut unit, "a", READY).status, Status::Good);
    unit.reset(Reset::Target);
    assert_eq!(code(&run(&mut unit, "a", READY)), Some(SenseCode::BUS_RESET));
}

#[test]
fn a_reset_leaves_persistent_reservations_and_a_power_loss_does_not() {
    let mut unit = unit();
    register(&mut unit, "a", 10);
    unit.reset(Reset::LogicalUnit);
    assert!(unit.reservations().key_of(&nexus("a")).is_some());
    unit.reset(Reset::PowerOn);
    assert!(unit.reservations().key_of(&nexus("a")).is_none());
}

#[test]
fn whose_commands_were_cleared_hears_of_it() {
    let mut unit = two();
    unit.task_set_cleared(&nexus("a"), &[nexus("a"), nexus("b")]);
    assert_eq!(ask(&mut unit, "a", READY).status, Status::Good);
    assert_eq!(code(&run(&mut unit, "b", READY)), Some(SenseCode::COMMANDS_CLEARED));
}

#[test]
fn a_port_group_in_standby_answers_little() {
    let mut unit = two();
    assert!(!unit.set_alua(9, AluaState::Standby));
    let groups = Command::Report(Report::TargetPortGroups { is_extended: false, allocation: 99 });
    let states = [
        (AluaState::Standby, SenseCode::ALUA_STANDBY, true),
        (AluaState::Unavailable, SenseCode::ALUA_UNAVAILABLE, false),
        (AluaState::Transitioning, SenseCode::ALUA_TRANSITION, false),
    ];
    for (state, wanted, reserves) in states {
        assert!(unit.set_alua(1, state));
        assert_eq!(code(&run(&mut unit, "a", READY)), Some(SenseCode::ALUA_STATE_CHANGED));
        assert_eq!(code(&run(&mut unit, "a", READY)), Some(wanted));
        assert_eq!(ask(&mut unit, "a", groups).status, Status::Good);
        assert_eq!(ask(&mut unit, "a", INQUIRY).status, Status::Good);
        let keys = ReserveIn { action: ReserveInAction::ReadKeys, allocation: 8 };
        let is_answered = ask(&mut unit, "a", Command::ReserveIn(keys)).status == Status::Good;
        assert_eq!(is_answered, reserves);
        let other = NexusId { port: 2, ..nexus("a") };
        assert_eq!(unit.handle(&other, &READY.build(), &[]), Action::Done(ScsiReply::good()));
    }
}

#[test]
fn too_many_conditions_become_one() {
    let mut unit = two();
    for ascq in 0..40 {
        unit.attentions.push(&nexus("a"), SenseCode { asc: 0x80, ascq });
    }
    let mut codes = vec![];
    while let Some(code) = code(&run(&mut unit, "a", READY)) {
        codes.push(code);
    }
    assert_eq!((codes.len(), codes[15]), (16, SenseCode::PARAMETERS_CHANGED));
}
