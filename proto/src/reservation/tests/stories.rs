//! One story for each rule.

use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::reservation::Attention::{
    RegistrationsPreempted, ReservationsPreempted, ReservationsReleased,
};
use crate::reservation::Kind::*;

fn plain_register(key: u64, new_key: u64) -> Request<u8> {
    Request::Register { key, new_key, keep: false, also: vec![] }
}

fn preempt(key: u64, victim: u64, kind: Kind) -> Request<u8> {
    Request::Preempt { key, victim, kind, abort: false }
}

#[test]
fn a_stranger_registers_with_the_key_zero() {
    let mut machine = Machine::new();
    assert_eq!(machine.apply(&A, plain_register(5, 10)), Err(Refusal::Conflict));
    machine.apply(&A, plain_register(0, 10)).unwrap();
    assert_eq!((machine.key_of(&A), machine.generation()), (Some(10), 1));
}

#[test]
fn a_registrant_changes_its_key_only_if_it_knows_it() {
    let mut machine = three();
    assert_eq!(machine.apply(&A, plain_register(0, 11)), Err(Refusal::Conflict));
    machine.apply(&A, plain_register(10, 11)).unwrap();
    assert_eq!(machine.key_of(&A), Some(11));
    register(&mut machine, A, 12);
    assert_eq!((machine.key_of(&A), machine.generation()), (Some(12), 5));
}

#[test]
fn unregistering_nobody_does_nothing() {
    let mut machine = Machine::new();
    assert_eq!(machine.apply(&A, plain_register(0, 0)), Ok(Effect::none()));
    register(&mut machine, A, 0);
    assert_eq!(machine, Machine::new());
}

#[test]
fn others_are_registered_together_or_not_at_all() {
    let mut machine = Machine::new();
    let all = |also| Request::Register { key: 0, new_key: 7, keep: false, also };
    machine.apply(&A, all(vec![B])).unwrap();
    assert_eq!(machine.key_of(&B), Some(7));
    assert_eq!(machine.apply(&C, all(vec![B])), Err(Refusal::InvalidParameter));
    assert_eq!(machine.key_of(&C), None);
    let again = Request::Register { key: 7, new_key: 8, keep: false, also: vec![C] };
    assert_eq!(machine.apply(&A, again), Err(Refusal::InvalidParameter));
}

#[test]
fn a_reservation_is_for_registrants_who_know_their_key() {
    let mut machine = three();
    let reserve = |key, kind| Request::Reserve { key, kind };
    assert_eq!(machine.apply(&9, reserve(0, WriteExclusive)), Err(Refusal::Conflict));
    assert_eq!(machine.apply(&A, reserve(11, WriteExclusive)), Err(Refusal::Conflict));
    machine.apply(&A, reserve(10, WriteExclusive)).unwrap();
    assert_eq!((machine.kind(), machine.holder_key()), (Some(WriteExclusive), Some(10)));
    assert_eq!(machine.generation(), 3, "RESERVE leaves the generation alone");
    assert_eq!(machine.apply(&A, reserve(10, WriteExclusive)), Ok(Effect::none()));
    assert_eq!(machine.apply(&A, reserve(10, ExclusiveAccess)), Err(Refusal::Conflict));
    assert_eq!(machine.apply(&B, reserve(20, WriteExclusive)), Err(Refusal::Conflict));
}

#[test]
fn of_all_registrants_each_is_a_holder() {
    let mut machine = three_reserved(WriteExclusiveAllRegistrants);
    assert_eq!(machine.holder_key(), Some(0));
    let again = Request::Reserve { key: 20, kind: WriteExclusiveAllRegistrants };
    assert_eq!(machine.apply(&B, again), Ok(Effect::none()));
    let release = Request::Release { key: 30, kind: WriteExclusiveAllRegistrants };
    let effect = machine.apply(&C, release).unwrap();
    assert_eq!(effect.attentions, [(A, ReservationsReleased), (B, ReservationsReleased)]);
    assert_eq!(machine.kind(), None);
}

#[test]
fn a_release_tells_registrants_only_where_it_concerns_them() {
    for kind in Kind::ALL {
        let mut machine = three_reserved(kind);
        let effect = machine.apply(&A, Request::Release { key: 10, kind }).unwrap();
        let is_told = !matches!(kind, WriteExclusive | ExclusiveAccess);
        assert_eq!(effect.attentions.len(), if is_told { 2 } else { 0 }, "{kind:?}");
        assert_eq!(machine.generation(), 3);
    }
}

#[test]
fn a_release_by_others_does_nothing_and_of_another_kind_is_an_error() {
    let mut machine = three_reserved(WriteExclusive);
    let release = |key, kind| Request::Release { key, kind };
    assert_eq!(machine.apply(&B, release(20, WriteExclusive)), Ok(Effect::none()));
    assert_eq!(machine.apply(&B, release(21, WriteExclusive)), Err(Refusal::Conflict));
    assert_eq!(machine.apply(&A, release(10, ExclusiveAccess)), Err(Refusal::InvalidRelease));
    assert_eq!(machine.kind(), Some(WriteExclusive));
}

#[test]
fn with_its_holder_goes_the_reservation() {
    for kind in Kind::ALL {
        let mut machine = three_reserved(kind);
        let effect = machine.apply(&A, plain_register(10, 0)).unwrap();
        assert_eq!(machine.kind().is_some(), kind.is_all_registrants(), "{kind:?}");
        let told = [(B, ReservationsReleased), (C, ReservationsReleased)];
        let wanted: &[_] = if kind.is_registrants_only() { &told } else { &[] };
        assert_eq!(effect.attentions, wanted, "{kind:?}");
    }
}

#[test]
fn all_registrants_hold_until_the_last_one_goes() {
    let mut machine = three_reserved(ExclusiveAccessAllRegistrants);
    for (nexus, left) in [(A, true), (C, true), (B, false)] {
        register(&mut machine, nexus, 0);
        assert_eq!(machine.kind().is_some(), left);
    }
}

#[test]
fn a_holder_may_change_its_key_and_stays_holder() {
    let mut machine = three_reserved(ExclusiveAccess);
    machine.apply(&A, plain_register(10, 99)).unwrap();
    assert_eq!((machine.is_holder(&A), machine.holder_key()), (true, Some(99)));
}

#[test]
fn clear_takes_everything_from_everybody() {
    let mut machine = three_reserved(WriteExclusive);
    assert_eq!(machine.apply(&B, Request::Clear { key: 10 }), Err(Refusal::Conflict));
    let effect = machine.apply(&B, Request::Clear { key: 20 }).unwrap();
    assert_eq!(effect.attentions, [(A, ReservationsPreempted), (C, ReservationsPreempted)]);
    assert_eq!(machine.registrants().count(), 0);
    assert_eq!((machine.kind(), machine.generation()), (None, 4));
}

#[test]
fn preempting_a_bystander_takes_its_registration_only() {
    let mut machine = three_reserved(WriteExclusiveRegistrantsOnly);
    let effect = machine.apply(&B, preempt(20, 30, WriteExclusive)).unwrap();
    assert_eq!(effect.attentions, [(C, RegistrationsPreempted)]);
    assert!(machine.is_holder(&A));
    assert_eq!((machine.key_of(&C), machine.generation()), (None, 4));
}

#[test]
fn preempting_the_holder_takes_the_reservation() {
    let mut machine = three_reserved(WriteExclusiveRegistrantsOnly);
    let effect = machine.apply(&B, preempt(20, 10, WriteExclusiveRegistrantsOnly)).unwrap();
    assert_eq!(effect.attentions, [(A, RegistrationsPreempted)]);
    assert!(effect.victims.is_empty());
    assert!(machine.is_holder(&B) && machine.key_of(&A).is_none());
    assert_eq!(machine.check(&A, AccessKind::Write), Verdict::Conflict);
}

#[test]
fn a_change_of_kind_is_told_to_those_who_stay() {
    let mut machine = three_reserved(WriteExclusiveRegistrantsOnly);
    let effect = machine.apply(&B, preempt(20, 10, ExclusiveAccess)).unwrap();
    assert_eq!(effect.attentions, [(C, ReservationsReleased), (A, RegistrationsPreempted)]);
    assert_eq!(machine.kind(), Some(ExclusiveAccess));
}

#[test]
fn a_holder_preempts_itself_to_change_the_kind() {
    let mut machine = three_reserved(WriteExclusive);
    register(&mut machine, C, 10);
    let effect = machine.apply(&A, preempt(10, 10, ExclusiveAccess)).unwrap();
    assert_eq!(effect.attentions, [(B, ReservationsReleased), (C, RegistrationsPreempted)]);
    assert!(machine.is_holder(&A) && machine.key_of(&A) == Some(10));
}

#[test]
fn an_absent_key_is_a_conflict_and_harms_nobody() {
    let mut machine = three_reserved(WriteExclusiveRegistrantsOnly);
    let before = machine.clone();
    let request = preempt(20, 77, WriteExclusiveRegistrantsOnly);
    assert_eq!(machine.apply(&B, request), Err(Refusal::Conflict));
    assert_eq!(machine, before);
}

#[test]
fn the_key_zero_preempts_only_where_all_hold() {
    let mut machine = three_reserved(WriteExclusive);
    let all = preempt(20, 0, WriteExclusive);
    assert_eq!(machine.apply(&B, all.clone()), Err(Refusal::InvalidParameter));
    let mut machine = three_reserved(WriteExclusiveAllRegistrants);
    let effect = machine.apply(&B, all).unwrap();
    assert_eq!(effect.attentions, [(A, RegistrationsPreempted), (C, RegistrationsPreempted)]);
    assert!(machine.is_holder(&B));
    assert_eq!(machine.registrants().count(), 1);
}

#[test]
fn where_all_hold_a_key_takes_registrations_only() {
    let mut machine = three_reserved(WriteExclusiveAllRegistrants);
    machine.apply(&B, preempt(20, 10, WriteExclusive)).unwrap();
    assert_eq!(machine.kind(), Some(WriteExclusiveAllRegistrants));
    assert!(machine.is_holder(&C) && !machine.is_holder(&A));
}

#[test]
fn without_a_reservation_preempt_makes_none() {
    let mut machine = three();
    machine.apply(&B, preempt(20, 10, WriteExclusive)).unwrap();
    assert_eq!((machine.kind(), machine.key_of(&A)), (None, None));
}

#[test]
fn preempt_and_abort_names_whose_commands_must_end() {
    let mut machine = three_reserved(WriteExclusiveRegistrantsOnly);
    register(&mut machine, C, 10);
    let kind = WriteExclusiveRegistrantsOnly;
    let request = Request::Preempt { key: 20, victim: 10, kind, abort: true };
    assert_eq!(machine.apply(&B, request).unwrap().victims, [A, C]);
}

#[test]
fn one_preempt_removes_every_session_of_a_host() {
    let mut machine = three();
    register(&mut machine, C, 10);
    machine.apply(&B, preempt(20, 10, WriteExclusive)).unwrap();
    assert_eq!(machine.registrants().collect::<Vec<_>>(), [(&B, 20)]);
}

#[test]
fn a_reservation_moves_to_another_nexus() {
    let mut machine = three_reserved(ExclusiveAccess);
    let to =
        |key, new_key, to, unregister| Request::Move { key, new_key, to, unregister, keep: false };
    assert_eq!(machine.apply(&B, to(20, 5, C, false)), Err(Refusal::Conflict));
    assert_eq!(machine.apply(&A, to(11, 5, C, false)), Err(Refusal::Conflict));
    assert_eq!(machine.apply(&A, to(10, 0, C, false)), Err(Refusal::InvalidParameter));
    assert_eq!(machine.apply(&A, to(10, 5, A, false)), Err(Refusal::InvalidParameter));
    machine.apply(&A, to(10, 5, 9, true)).unwrap();
    assert!(machine.is_holder(&9) && machine.key_of(&A).is_none());
    assert_eq!((machine.key_of(&9), machine.generation()), (Some(5), 4));
}

#[test]
fn what_all_hold_cannot_be_moved() {
    let mut machine = three_reserved(WriteExclusiveAllRegistrants);
    let request = Request::Move { key: 10, new_key: 5, to: B, unregister: false, keep: false };
    assert_eq!(machine.apply(&A, request), Err(Refusal::Conflict));
}

#[test]
fn the_table_of_registrants_has_an_end() {
    let mut machine = Reservations::<u32>::new();
    for nexus in 0..REGISTRANTS_MAX as u32 {
        machine.registrants.insert(nexus, 1);
    }
    let request = Request::RegisterIgnore { new_key: 1, keep: false };
    assert_eq!(machine.apply(&u32::MAX, request.clone()), Err(Refusal::NoRoom));
    assert!(machine.apply(&0, request).is_ok());
}
