//! Reservations as commands.

use super::*;
use crate::scsi::cdb::ModeSense;
use crate::scsi::data::{Capabilities, FullStatus, Keys, MoveList, ReservationData};

fn move_to(unit: &mut LogicalUnit, by: &str, to: &str, port: u16) -> Action {
    let to = nexus(to).initiator;
    let (key, new_key) = (10, 99);
    let list = MoveList { key, new_key, unregister: true, keep: false, port, to }.build();
    let action = ReserveOutAction::RegisterMove;
    let command = ReserveOut { action, scope: 0, kind: 0, list_len: list.len() as u32 };
    unit.handle(&nexus(by), &command.build(), &list)
}

fn registered(keep: bool) -> (LogicalUnit, Action) {
    let mut unit = unit();
    let list = ReserveList { action_key: 10, keep, ..<_>::default() };
    let action = ReserveOutAction::Register;
    let answer = reserve_out(&mut unit, "a", action, Kind::WriteExclusive, &list);
    (unit, answer)
}

#[test]
fn who_is_registered_can_be_read_in_three_ways() {
    let mut unit = unit();
    register(&mut unit, "a", 10);
    register(&mut unit, "b", 20);
    reserve(&mut unit, "a", 10, Kind::WriteExclusiveRegistrantsOnly);
    let (keys, _) = Keys::parse(&reserve_in(&mut unit, "c", ReserveInAction::ReadKeys)).unwrap();
    assert_eq!(keys, Keys { generation: 2, keys: vec![10, 20] });
    let bytes = reserve_in(&mut unit, "c", ReserveInAction::ReadReservation);
    let held = Some((10, Kind::WriteExclusiveRegistrantsOnly));
    assert_eq!(ReservationData::parse(&bytes), Some(ReservationData { generation: 2, held }));
    let bytes = reserve_in(&mut unit, "c", ReserveInAction::ReadFullStatus);
    let (_, all) = FullStatus::parse_list(&bytes).unwrap();
    let seen: Vec<_> =
        all.iter().map(|one| (one.key, one.holds.is_some(), &one.initiator.name[..])).collect();
    assert_eq!(seen, [(10, true, "a"), (20, false, "b")]);
}

#[test]
fn capabilities_are_told() {
    let mut unit = unit();
    let bytes = reserve_in(&mut unit, "a", ReserveInAction::ReportCapabilities);
    let told = Capabilities::parse(&bytes).unwrap();
    assert!(told.can_keep && told.register_others && !told.does_keep && !told.all_ports);
    assert_eq!(told.kinds, Capabilities::ALL_KINDS);
}

#[test]
fn what_is_kept_is_stored_before_the_answer_and_comes_back() {
    let (unit, answer) = registered(true);
    let Action::Drain { victims, save: Some(bytes), .. } = answer else { panic!("{answer:?}") };
    assert!(victims.is_empty());
    let mut restarted = super::unit();
    restarted.restore_reservations(&bytes).unwrap();
    assert_eq!(restarted.reservations().key_of(&nexus("a")), Some(10));
    assert!(restarted.restore_reservations(&bytes[1..]).is_err());
    drop(unit);
    let (_, answer) = registered(false);
    assert_eq!(answer, Action::Done(ScsiReply::good()));
}

#[test]
fn the_last_registration_that_was_kept_is_forgotten_on_the_medium_too() {
    let (mut unit, _) = registered(true);
    let list = ReserveList { key: 10, action_key: 0, ..<_>::default() };
    let action = ReserveOutAction::Register;
    let answer = reserve_out(&mut unit, "a", action, Kind::WriteExclusive, &list);
    let Action::Drain { save: Some(bytes), .. } = answer else { panic!("{answer:?}") };
    let mut restarted = super::unit();
    restarted.restore_reservations(&bytes).unwrap();
    assert_eq!(restarted.reservations().registrants().count(), 0);
}

#[test]
fn what_the_unit_cannot_do_is_an_invalid_parameter() {
    let mut unit = LogicalUnit::new(UnitConfig { keeps_reservations: false, ..config() });
    let list = Some(SenseCode::INVALID_FIELD_IN_PARAMETER_LIST);
    let keep = ReserveList { action_key: 1, keep: true, ..<_>::default() };
    let ports = ReserveList { action_key: 1, all_ports: true, ..<_>::default() };
    for wrong in [keep, ports] {
        let action = ReserveOutAction::RegisterIgnore;
        let answer = reserve_out(&mut unit, "a", action, Kind::WriteExclusive, &wrong);
        assert_eq!(code(&answer), list);
    }
    let others = ReserveList { action_key: 1, also: Some(vec![]), ..<_>::default() };
    let action = ReserveOutAction::RegisterIgnore;
    let answer = reserve_out(&mut unit, "a", action, Kind::WriteExclusive, &others);
    assert_eq!(code(&answer), list);
}

#[test]
fn others_are_registered_by_name() {
    let mut unit = unit();
    let also = Some(vec![nexus("b").initiator, nexus("c").initiator]);
    let list = ReserveList { action_key: 10, also, ..<_>::default() };
    let action = ReserveOutAction::Register;
    let answer = reserve_out(&mut unit, "a", action, Kind::WriteExclusive, &list);
    assert_eq!(status(&answer), Some(Status::Good));
    assert_eq!(unit.reservations().registrants().count(), 3);
}

#[test]
fn a_reservation_moves_by_name() {
    let mut unit = unit();
    register(&mut unit, "a", 10);
    reserve(&mut unit, "a", 10, Kind::ExclusiveAccess);
    let wrong_port = move_to(&mut unit, "a", "b", 77);
    assert_eq!(code(&wrong_port), Some(SenseCode::INVALID_FIELD_IN_PARAMETER_LIST));
    assert_eq!(status(&move_to(&mut unit, "a", "b", 1)), Some(Status::Good));
    assert!(unit.reservations().is_holder(&nexus("b")));
    assert_eq!(unit.reservations().key_of(&nexus("a")), None);
}

#[test]
fn a_wrong_kind_scope_or_length_is_refused() {
    let mut unit = unit();
    register(&mut unit, "a", 10);
    let list = ReserveList { key: 10, ..<_>::default() }.build();
    let good = ReserveOut { action: ReserveOutAction::Reserve, scope: 0, kind: 1, list_len: 24 };
    let field = Some(SenseCode::INVALID_FIELD_IN_CDB);
    for wrong in [ReserveOut { kind: 2, ..good }, ReserveOut { scope: 2, ..good }] {
        assert_eq!(code(&unit.handle(&nexus("a"), &wrong.build(), &list)), field);
    }
    let short = ReserveOut { list_len: 20, ..good };
    let length = Some(SenseCode::PARAMETER_LIST_LENGTH_ERROR);
    assert_eq!(code(&unit.handle(&nexus("a"), &short.build(), &list)), length);
    assert_eq!(code(&unit.handle(&nexus("a"), &good.build(), &list[..20])), length);
    assert_eq!(status(&unit.handle(&nexus("a"), &good.build(), &list)), Some(Status::Good));
    let release = ReserveOut { action: ReserveOutAction::Release, kind: 3, ..good };
    let found = code(&unit.handle(&nexus("a"), &release.build(), &list));
    assert_eq!(found, Some(SenseCode::INVALID_RELEASE_OF_RESERVATION));
}

#[test]
fn reserve_6_shuts_out_others_until_released_or_reset() {
    let mut unit = unit();
    let conflict = ScsiReply::status(Status::ReservationConflict);
    let mode = Command::ModeSense(ModeSense {
        is_ten: false,
        long_lba: false,
        no_block_descriptors: false,
        control: crate::scsi::cdb::PageControl::Current,
        page: 0x3f,
        subpage: 0,
        allocation: 255,
    });
    for end in 0..4 {
        assert_eq!(ask(&mut unit, "a", Command::Reserve6), ScsiReply::good());
        assert_eq!(ask(&mut unit, "a", Command::Reserve6), ScsiReply::good());
        assert_eq!(ask(&mut unit, "b", Command::Reserve6), conflict);
        assert_eq!(ask(&mut unit, "b", Command::Release6), ScsiReply::good());
        assert_eq!(ask(&mut unit, "b", mode), conflict);
        assert_eq!(ask(&mut unit, "a", mode).status, Status::Good);
        match end {
            0 => assert_eq!(ask(&mut unit, "a", Command::Release6), ScsiReply::good()),
            1 => unit.nexus_lost(&nexus("a")),
            2 => unit.reset(Reset::LogicalUnit),
            _ => unit.reset(Reset::Target),
        }
        assert_eq!(ask(&mut unit, "b", mode).status, Status::Good);
    }
}

#[test]
fn both_kinds_of_reservation_exclude_each_other() {
    let mut unit = unit();
    let conflict = ScsiReply::status(Status::ReservationConflict);
    let _ = ask(&mut unit, "a", Command::Reserve6);
    let list = ReserveList { action_key: 10, ..<_>::default() };
    let action = ReserveOutAction::RegisterIgnore;
    let answer = reserve_out(&mut unit, "a", action, Kind::WriteExclusive, &list);
    assert_eq!(answer, Action::Done(conflict.clone()));
    let _ = ask(&mut unit, "a", Command::Release6);
    register(&mut unit, "a", 10);
    assert_eq!(ask(&mut unit, "a", Command::Reserve6), conflict);
}
