//! Who the logical unit says it is, and what it says it can.

use super::*;
use crate::scsi::cdb::{Inquiry, Report, Which};
use crate::scsi::data::{
    self, BlockLimits, Capacity, Designator, StandardInquiry, ThinProvisioning, vpd,
};
use crate::scsi::opcode::{self, SUPPORTED};

fn page(unit: &mut LogicalUnit, page: u8) -> Vec<u8> {
    ask(unit, "a", Command::Inquiry(Inquiry { page: Some(page), allocation: 1024 })).data
}

fn opcodes(unit: &mut LogicalUnit, which: Which, timeouts: bool) -> ScsiReply {
    let allocation = 65535;
    ask(unit, "a", Command::Report(Report::Opcodes { which, timeouts, allocation }))
}

#[test]
fn every_page_that_is_listed_is_there_and_no_other() {
    let mut unit = unit();
    let list = page(&mut unit, vpd::SUPPORTED);
    let (_, pages) = vpd::parse_page(&list).unwrap();
    for number in 0..=u8::MAX {
        let inquiry = Command::Inquiry(Inquiry { page: Some(number), allocation: 255 });
        let reply = ask(&mut unit, "a", inquiry);
        assert_eq!(reply.status == Status::Good, pages.contains(&number), "{number:#x}");
        if reply.status == Status::Good {
            let [_, code, high, low, ..] = reply.data[..] else { panic!() };
            let len = usize::from(u16::from_be_bytes([high, low]));
            assert_eq!((code, len + 4), (number, reply.data.len()));
        }
    }
}

#[test]
fn the_names_tell_unit_port_and_target() {
    let mut unit = unit();
    let names = vpd::parse_identification(&page(&mut unit, vpd::IDENTIFICATION)).unwrap();
    let wanted = [
        Designator::T10(b"BYWAY   0042".to_vec()),
        Designator::Naa(vec![0x60; 16]),
        Designator::RelativePort(1),
        Designator::PortGroup(1),
        Designator::TargetName(b"iqn.2026-01.test:disk".to_vec()),
    ];
    assert_eq!(names, wanted);
    assert_eq!(&page(&mut unit, vpd::SERIAL)[4..], b"0042");
}

#[test]
fn standard_data_are_cut_at_the_allocation() {
    let mut unit = unit();
    let inquiry = |allocation| Command::Inquiry(Inquiry { page: None, allocation });
    assert_eq!(ask(&mut unit, "a", inquiry(5)).data.len(), 5);
    let bytes = ask(&mut unit, "a", inquiry(260)).data;
    assert_eq!((bytes.len(), usize::from(bytes[4])), (96, 96 - 5));
    assert_eq!(StandardInquiry::parse(&bytes).unwrap().port_groups, 1);
}

#[test]
fn limits_of_unmap_are_told_by_thin_units_only() {
    for thin in [false, true] {
        let mut unit = LogicalUnit::new(UnitConfig { thin, ..config() });
        let limits = BlockLimits::parse(&page(&mut unit, vpd::BLOCK_LIMITS)).unwrap();
        assert_eq!((limits.unmap_blocks_max != 0, limits.unmap_ranges_max != 0), (thin, thin));
        assert_eq!((limits.compare_blocks_max, limits.transfer_blocks_max), (8, 256));
        let provisioning = ThinProvisioning::parse(&page(&mut unit, vpd::PROVISIONING)).unwrap();
        assert_eq!((provisioning.unmap, provisioning.reads_zeroes), (thin, thin));
        let capacity = Command::ReadCapacity16 { allocation: 32 };
        let capacity = Capacity::parse_16(&ask(&mut unit, "a", capacity).data).unwrap();
        assert_eq!((capacity.last_lba, capacity.is_thin), (999, thin));
    }
}

#[test]
fn capacity_comes_in_two_sizes() {
    let mut unit = unit();
    assert_eq!(ask(&mut unit, "a", Command::ReadCapacity10).data, [0, 0, 3, 0xe7, 0, 0, 2, 0]);
    let cut = ask(&mut unit, "a", Command::ReadCapacity16 { allocation: 15 });
    assert_eq!(cut.data.len(), 15);
}

#[test]
fn the_list_of_commands_is_the_table() {
    for (thin, missing) in [(true, 0), (false, 1)] {
        let mut unit = LogicalUnit::new(UnitConfig { thin, ..config() });
        for timeouts in [false, true] {
            let bytes = opcodes(&mut unit, Which::All, timeouts).data;
            let all = data::parse_opcodes(&bytes).unwrap();
            assert_eq!(all.len(), SUPPORTED.len() - missing);
        }
    }
}

#[test]
fn one_command_is_told_with_its_bits() {
    let mut unit = unit();
    let reply = opcodes(&mut unit, Which::Plain(opcode::READ_10), false);
    assert_eq!(reply.data[..6], [0, 3, 0, 10, 0x28, 0x18]);
    let action = Which::Action(opcode::SERVICE_ACTION_IN_16, 0x10);
    let reply = opcodes(&mut unit, action, true);
    assert_eq!((reply.data[1], reply.data.len()), (0x83, 4 + 16 + 12));
    let absent = opcodes(&mut unit, Which::Plain(0xee), false);
    assert_eq!(data::parse_opcode(&absent.data), Some(false));
    for wrong in [Which::Plain(opcode::MAINTENANCE_IN), Which::Action(opcode::READ_10, 0)] {
        let sense = opcodes(&mut unit, wrong, false).sense.unwrap();
        assert_eq!(sense.code, SenseCode::INVALID_FIELD_IN_CDB);
    }
    let either = opcodes(&mut unit, Which::Either(opcode::READ_10, 0), false);
    assert_eq!(data::parse_opcode(&either.data), Some(true));
}

#[test]
fn port_groups_and_task_functions_are_told() {
    let mut unit = unit();
    let report = Report::TargetPortGroups { is_extended: true, allocation: 1024 };
    let bytes = ask(&mut unit, "a", Command::Report(report)).data;
    assert_eq!(data::parse_port_groups(&bytes, true), Some(config().groups));
    for (is_long, len) in [(false, 4), (true, 16)] {
        let report = Report::TaskFunctions { is_long, allocation: 1024 };
        let bytes = ask(&mut unit, "a", Command::Report(report)).data;
        assert_eq!((bytes[0], bytes.len()), (0xda, len));
    }
}
