//! Fencing: what passes a reservation and what does not, for every command there is.

use proptest::prelude::*;

use super::*;
use crate::scsi::cdb::DataLen;
use crate::scsi::data::{UnmapRange, build_unmap};
use crate::scsi::opcode::SUPPORTED;

fn fenced() -> LogicalUnit {
    let mut unit = unit();
    register(&mut unit, "a", 10);
    register(&mut unit, "b", 20);
    reserve(&mut unit, "a", 10, Kind::WriteExclusiveRegistrantsOnly);
    let drain = preempt(&mut unit, "a", 10, 20);
    assert_eq!(
        drain,
        Action::Drain { victims: vec![nexus("b")], save: None, reply: ScsiReply::good() }
    );
    unit
}

/// Commands of a stranger under a write exclusive reservation: `w` shut out; under exclusive access:
/// `r` shut out too; `.` always let through. In the order of the opcode table.
const TABLE: &str = "\
00. 03. 08r 0aw 12. 15w 16w 17w 1ar 1bw 1e. 25. 28r 2aw 2ew 2fr 34r 35w 41w 42w 55w 5ar \
5e. 5e. 5e. 5e. 5fw 5fw 5fw 5fw 5fw 5fw 5f. 5fw 88r 89w 8aw 8bw 8ew 8fr 90r 91w 93w \
9e. 9er a0. a3. a3r a3r a8r aaw aew afr ";

#[test]
fn every_command_has_its_place_in_the_table_of_conflicts() {
    let mut table = std::string::String::new();
    for entry in SUPPORTED {
        let pf = if matches!(entry.opcode, 0x15 | 0x55) { 0x10 } else { 0 };
        let mut cdb = Cdb::default();
        (cdb[0], cdb[1]) = (entry.opcode, entry.service_action.unwrap_or(pf));
        let list = ReserveList { key: 10, action_key: 0, ..<_>::default() }.build();
        if entry.opcode == 0x5f {
            (cdb[2], cdb[8]) = (5, list.len() as u8);
        }
        let conflicts = |kind| {
            let mut unit = unit();
            register(&mut unit, "a", 10);
            reserve(&mut unit, "a", 10, kind);
            let list = if entry.service_action == Some(7) {
                let to = nexus("c").initiator;
                let (key, new_key) = (10, 30);
                let (unregister, keep) = (false, false);
                crate::scsi::data::MoveList { key, new_key, unregister, keep, port: 1, to }.build()
            } else {
                list.clone()
            };
            let mut cdb = cdb;
            if entry.opcode == 0x5f {
                cdb[8] = list.len() as u8;
            }
            status(&unit.handle(&nexus("s"), &cdb, &list)) == Some(Status::ReservationConflict)
        };
        let shut_out = (conflicts(Kind::WriteExclusive), conflicts(Kind::ExclusiveAccess));
        let letter = match shut_out {
            (true, true) => 'w',
            (false, true) => 'r',
            (false, false) => '.',
            (true, false) => '!',
        };
        table.push_str(&std::format!("{:02x}{letter} ", entry.opcode));
    }
    assert_eq!(table, TABLE);
}

#[test]
fn a_fenced_host_may_look_but_not_write() {
    let mut unit = fenced();
    let read = Command::Read(crate::scsi::cdb::Transfer::new(0, 1));
    assert_eq!(code(&run(&mut unit, "b", read)), Some(SenseCode::REGISTRATIONS_PREEMPTED));
    assert_eq!(io(run(&mut unit, "b", read)).op, BlockOp::Read);
    let write = Command::Write(crate::scsi::cdb::Transfer::new(0, 1));
    assert_eq!(status(&run(&mut unit, "b", write)), Some(Status::ReservationConflict));
    assert_eq!(io(run(&mut unit, "a", write)).op, BlockOp::Write);
}

#[test]
fn a_conflict_leaves_the_unit_attention_for_a_command_that_passes() {
    let mut unit = fenced();
    let write = Command::Write(crate::scsi::cdb::Transfer::new(0, 1));
    for _ in 0..3 {
        assert_eq!(status(&run(&mut unit, "b", write)), Some(Status::ReservationConflict));
    }
    let ready = run(&mut unit, "b", Command::TestUnitReady);
    assert_eq!(code(&ready), Some(SenseCode::REGISTRATIONS_PREEMPTED));
}

#[test]
fn a_new_session_of_a_fenced_host_is_fenced() {
    let mut unit = fenced();
    unit.nexus_lost(&nexus("b"));
    unit.nexus_established(&nexus("b"));
    let write = Command::Write(crate::scsi::cdb::Transfer::new(0, 1));
    assert_eq!(status(&run(&mut unit, "b", write)), Some(Status::ReservationConflict));
    let codes = [SenseCode::RESET_OCCURRED, SenseCode::REGISTRATIONS_PREEMPTED];
    for wanted in codes {
        assert_eq!(code(&run(&mut unit, "b", Command::TestUnitReady)), Some(wanted));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn no_bytes_of_a_fenced_host_write(
        mut cdb: [u8; 16],
        entry in 0..SUPPORTED.len(),
        lba in 0u8..200,
        flags in prop::sample::select(&[0u8, 0x01, 0x08, 0x10, 0x11, 0x18]),
    ) {
        // Every field is such that the command would be performed for a host that is not fenced.
        let mut unit = fenced();
        let list = build_unmap(&[UnmapRange { lba: lba.into(), blocks: 1 }]);
        (cdb[0], cdb[1]) = (SUPPORTED[entry].opcode, flags);
        cdb[2..].fill(0);
        let (lba_byte, len_byte) = match SUPPORTED[entry].len {
            6 => (3, 4),
            10 => (5, 8),
            12 => (5, 9),
            _ => (9, 13),
        };
        cdb[lba_byte] = lba;
        cdb[len_byte] = if has_parameter_list(&cdb) { list.len() as u8 } else { 1 };
        for _ in 0..2 {
            if let Action::Io(request) = unit.handle(&nexus("b"), &cdb, &list) {
                prop_assert!(!request.op.is_write(), "{request:?}");
                prop_assert!(request.op != BlockOp::Flush);
            }
        }
    }

    #[test]
    fn any_bytes_are_survived_and_stay_in_range(
        mut cdb: [u8; 16],
        opcode in prop::option::of(0..SUPPORTED.len()),
        list: Vec<u8>,
    ) {
        if let Some(index) = opcode {
            cdb[0] = SUPPORTED[index].opcode;
        }
        let mut unit = unit();
        if let Action::Io(request) = unit.handle(&nexus("a"), &cdb, &list) {
            if !matches!(request.op, BlockOp::Unmap(_)) {
                let told = Command::parse(&cdb).unwrap().data_len(512);
                let (input, output) = (request.data_in_len(512), request.data_out_len(512));
                match told {
                    DataLen::Out(len) if !has_parameter_list(&cdb) => prop_assert_eq!(output, len),
                    DataLen::In(len) if input != 0 => prop_assert_eq!(input, len),
                    _ => prop_assert_eq!((input, output), (0, 0)),
                }
                prop_assert!(request.blocks > 0 && request.lba + request.blocks <= 1000);
            }
            let _ = unit.finish(&request, BlockResult::Failed);
        }
    }
}
