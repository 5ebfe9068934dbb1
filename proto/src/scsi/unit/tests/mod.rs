mod access;
mod attention;
mod blocks;
mod identity;
mod mode;
mod reserve;

use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::reservation::Kind;
use crate::scsi::cdb::{ReserveIn, ReserveInAction, ReserveOut, ReserveOutAction};
use crate::scsi::data::{InitiatorPort, PortGroup, ReserveList};

pub(super) fn nexus(name: &str) -> NexusId {
    let initiator = InitiatorPort { name: name.into(), isid: [0x80, 0, 0, 0, 0, 1] };
    NexusId { initiator, port: 1 }
}

pub(super) fn config() -> UnitConfig {
    UnitConfig {
        serial: "0042".into(),
        naa: vec![0x60; 16],
        target_name: "iqn.2026-01.test:disk".into(),
        blocks: 1000,
        thin: true,
        write_cache: true,
        keeps_reservations: true,
        limits: Limits { transfer_blocks_max: 256, compare_blocks_max: 8, ..Limits::default() },
        groups: vec![
            PortGroup { id: 1, ports: vec![1], ..<_>::default() },
            PortGroup { id: 2, ports: vec![2], ..<_>::default() },
        ],
        ..UnitConfig::default()
    }
}

pub(super) fn unit() -> LogicalUnit {
    LogicalUnit::new(config())
}

pub(super) fn run(unit: &mut LogicalUnit, by: &str, command: Command) -> Action {
    unit.handle(&nexus(by), &command.build(), &[])
}

/// The answer to a command that needs no I/O.
pub(super) fn ask(unit: &mut LogicalUnit, by: &str, command: Command) -> ScsiReply {
    match run(unit, by, command) {
        Action::Done(reply) => reply,
        other => panic!("{other:?}"),
    }
}

pub(super) fn code(action: &Action) -> Option<SenseCode> {
    match action {
        Action::Done(reply) => reply.sense.map(|sense| sense.code),
        _ => None,
    }
}

pub(super) fn status(action: &Action) -> Option<Status> {
    match action {
        Action::Done(reply) => Some(reply.status),
        Action::Drain { reply, .. } => Some(reply.status),
        Action::Io(_) => None,
    }
}

pub(super) fn io(action: Action) -> BlockRequest {
    match action {
        Action::Io(request) => request,
        other => panic!("{other:?}"),
    }
}

pub(super) fn reserve_out(
    unit: &mut LogicalUnit,
    by: &str,
    action: ReserveOutAction,
    kind: Kind,
    list: &ReserveList,
) -> Action {
    let list = list.build();
    let command =
        ReserveOut { action, scope: 0, kind: kind.to_type(), list_len: list.len() as u32 };
    unit.handle(&nexus(by), &command.build(), &list)
}

pub(super) fn register(unit: &mut LogicalUnit, by: &str, key: u64) {
    let list = ReserveList { action_key: key, ..<_>::default() };
    let action = ReserveOutAction::RegisterIgnore;
    let answer = reserve_out(unit, by, action, Kind::WriteExclusive, &list);
    assert_eq!(status(&answer), Some(Status::Good));
}

pub(super) fn reserve(unit: &mut LogicalUnit, by: &str, key: u64, kind: Kind) {
    let list = ReserveList { key, ..<_>::default() };
    let answer = reserve_out(unit, by, ReserveOutAction::Reserve, kind, &list);
    assert_eq!(status(&answer), Some(Status::Good));
}

pub(super) fn preempt(unit: &mut LogicalUnit, by: &str, key: u64, victim: u64) -> Action {
    let list = ReserveList { key, action_key: victim, ..<_>::default() };
    let action = ReserveOutAction::PreemptAndAbort;
    reserve_out(unit, by, action, Kind::WriteExclusiveRegistrantsOnly, &list)
}

pub(super) fn reserve_in(unit: &mut LogicalUnit, by: &str, action: ReserveInAction) -> Vec<u8> {
    ask(unit, by, Command::ReserveIn(ReserveIn { action, allocation: u16::MAX })).data
}
