//! Range, limits, write protection, results.

use super::*;
use crate::scsi::cdb::{
    ByteCheck, CacheRange, CompareAndWrite, GetLbaStatus, StartStop, Transfer, Unmap, Verify,
    Width, WriteSame,
};
use crate::scsi::data::{LbaStatus, Provisioning, UnmapRange, build_unmap};

const WIDTHS: [Width; 4] = [Width::Six, Width::Ten, Width::Twelve, Width::Sixteen];

fn unmap(unit: &mut LogicalUnit, ranges: &[UnmapRange]) -> Action {
    let list = build_unmap(ranges);
    let command = Command::Unmap(Unmap { anchor: false, list_len: list.len() as u16 });
    unit.handle(&nexus("a"), &command.build(), &list)
}

fn range(lba: u64, blocks: u32) -> UnmapRange {
    UnmapRange { lba, blocks }
}

#[test]
fn a_transfer_up_to_the_last_block_is_io_and_one_beyond_is_not() {
    let mut unit = unit();
    for width in WIDTHS {
        let read = Transfer { width, ..Transfer::new(990, 10) };
        let request = io(run(&mut unit, "a", Command::Read(read)));
        assert_eq!((request.lba, request.blocks, request.fua), (990, 10, false));
        assert_eq!((request.data_in_len(512), request.data_out_len(512)), (5120, 0));
        let beyond = Command::Write(Transfer { width, ..Transfer::new(991, 10) });
        assert_eq!(code(&run(&mut unit, "a", beyond)), Some(SenseCode::LBA_OUT_OF_RANGE));
    }
}

#[test]
fn the_largest_addresses_do_not_wrap() {
    let mut unit = unit();
    for command in [
        Command::Read(Transfer::new(u64::MAX, 2)),
        Command::WriteSame(WriteSame::zeroes(u64::MAX, 2, true)),
        Command::GetLbaStatus(GetLbaStatus { lba: u64::MAX, allocation: 24 }),
        Command::SynchronizeCache(CacheRange { lba: u64::MAX, ..CacheRange::ALL }),
    ] {
        assert_eq!(code(&run(&mut unit, "a", command)), Some(SenseCode::LBA_OUT_OF_RANGE));
    }
}

#[test]
fn no_blocks_are_good_inside_and_an_error_beyond() {
    let mut unit = unit();
    for lba in [0, 999, 1000] {
        let read = Command::Read(Transfer::new(lba, 0));
        assert_eq!(run(&mut unit, "a", read), Action::Done(ScsiReply::good()));
    }
    for command in [
        Command::Read(Transfer::new(1001, 0)),
        Command::Write(Transfer::new(1 << 31, 0)),
        Command::Prefetch(CacheRange { lba: 1001, ..CacheRange::ALL }),
    ] {
        assert_eq!(code(&run(&mut unit, "a", command)), Some(SenseCode::LBA_OUT_OF_RANGE));
    }
}

#[test]
fn more_than_the_limits_is_an_invalid_field() {
    let mut unit = unit();
    for command in [
        Command::Read(Transfer::new(0, 257)),
        Command::WriteSame(WriteSame::zeroes(0, 0, false)),
        Command::CompareAndWrite(CompareAndWrite { lba: 0, blocks: 9, fua: false, dpo: false }),
    ] {
        let found = code(&run(&mut unit, "a", command));
        assert_eq!(found, Some(SenseCode::INVALID_FIELD_IN_CDB), "{command:?}");
    }
}

#[test]
fn compare_and_write_takes_twice_the_blocks() {
    let mut unit = unit();
    let compare = CompareAndWrite { lba: 5, blocks: 2, fua: true, dpo: false };
    let request = io(run(&mut unit, "a", Command::CompareAndWrite(compare)));
    assert_eq!((request.data_out_len(512), request.fua), (2048, true));
    let reply = unit.finish(&request, BlockResult::Miscompare { offset: 600 });
    assert_eq!(reply, ScsiReply::check(Sense::miscompare(600)));
}

#[test]
fn a_write_is_never_volatile_without_a_cache() {
    let write = Command::Write(Transfer::new(0, 1));
    let mut unit = LogicalUnit::new(UnitConfig { write_cache: false, ..config() });
    assert!(io(run(&mut unit, "a", write)).fua);
    let read = io(run(&mut unit, "a", Command::Read(Transfer::new(0, 1))));
    assert!(!read.fua);
}

#[test]
fn a_read_only_unit_is_written_by_nothing() {
    let mut unit = LogicalUnit::new(UnitConfig { read_only: true, ..config() });
    let verify =
        Verify { width: Width::Ten, lba: 0, blocks: 1, dpo: false, check: ByteCheck::Medium };
    for command in [
        Command::Write(Transfer::new(0, 1)),
        Command::OrWrite(Transfer::new(0, 1)),
        Command::WriteVerify(verify),
        Command::WriteSame(WriteSame::zeroes(0, 1, true)),
        Command::CompareAndWrite(CompareAndWrite { lba: 0, blocks: 1, fua: false, dpo: false }),
    ] {
        assert_eq!(code(&run(&mut unit, "a", command)), Some(SenseCode::WRITE_PROTECTED));
    }
    assert_eq!(code(&unmap(&mut unit, &[range(0, 1)])), Some(SenseCode::WRITE_PROTECTED));
    assert_eq!(io(run(&mut unit, "a", Command::Verify(verify))).data_out_len(512), 0);
}

#[test]
fn verify_says_how_much_data_it_takes() {
    let mut unit = unit();
    for (check, len) in
        [(ByteCheck::Medium, 0), (ByteCheck::Blocks, 1536), (ByteCheck::OneBlock, 512)]
    {
        let verify = Verify { width: Width::Sixteen, lba: 0, blocks: 3, dpo: false, check };
        assert_eq!(io(run(&mut unit, "a", Command::Verify(verify))).data_out_len(512), len);
    }
}

#[test]
fn unmap_keeps_ranges_with_blocks_and_checks_all() {
    let mut unit = unit();
    let request = io(unmap(&mut unit, &[range(1, 2), range(1000, 0), range(998, 2)]));
    assert_eq!(request.op, BlockOp::Unmap(vec![range(1, 2), range(998, 2)]));
    assert_eq!(status(&unmap(&mut unit, &[])), Some(Status::Good));
    assert_eq!(status(&unmap(&mut unit, &[range(1000, 0)])), Some(Status::Good));
    let beyond = unmap(&mut unit, &[range(1, 2), range(999, 2)]);
    assert_eq!(code(&beyond), Some(SenseCode::LBA_OUT_OF_RANGE));
    let many = [range(0, 1); 257];
    assert_eq!(code(&unmap(&mut unit, &many)), Some(SenseCode::INVALID_FIELD_IN_PARAMETER_LIST));
    let short = Command::Unmap(Unmap { anchor: false, list_len: 24 });
    let found = code(&run(&mut unit, "a", short));
    assert_eq!(found, Some(SenseCode::PARAMETER_LIST_LENGTH_ERROR));
}

#[test]
fn a_thick_unit_does_not_unmap() {
    let mut unit = LogicalUnit::new(UnitConfig { thin: false, ..config() });
    assert_eq!(code(&unmap(&mut unit, &[range(0, 1)])), Some(SenseCode::INVALID_OPCODE));
    let same = Command::WriteSame(WriteSame::zeroes(0, 1, true));
    assert_eq!(code(&run(&mut unit, "a", same)), Some(SenseCode::INVALID_FIELD_IN_CDB));
    let same = io(run(&mut unit, "a", Command::WriteSame(WriteSame::zeroes(0, 1, false))));
    assert_eq!(same.op, BlockOp::WriteSame { zeroes: true, unmap: false });
}

#[test]
fn lba_status_is_cut_at_the_allocation() {
    let mut unit = unit();
    let status = Command::GetLbaStatus(GetLbaStatus { lba: 10, allocation: 24 });
    let request = io(run(&mut unit, "a", status));
    assert_eq!((request.lba, request.blocks), (10, 990));
    let runs = vec![
        LbaStatus { lba: 10, blocks: 5, provisioning: Provisioning::Deallocated },
        LbaStatus { lba: 15, blocks: 985, provisioning: Provisioning::Mapped },
    ];
    let reply = unit.finish(&request, BlockResult::Runs(runs.clone()));
    assert_eq!(LbaStatus::parse_list(&reply.data).unwrap(), runs[..1]);
}

#[test]
fn stopping_writes_the_cache_back_and_ejecting_is_not_possible() {
    let mut unit = unit();
    let stop = StartStop {
        immediate: false,
        power_condition: 0,
        no_flush: false,
        load_eject: false,
        start: false,
    };
    assert_eq!(io(run(&mut unit, "a", Command::StartStop(stop))).op, BlockOp::Flush);
    let start = Command::StartStop(StartStop { start: true, ..stop });
    assert_eq!(ask(&mut unit, "a", start).status, Status::Good);
    let eject = Command::StartStop(StartStop { load_eject: true, ..stop });
    assert_eq!(code(&run(&mut unit, "a", eject)), Some(SenseCode::INVALID_FIELD_IN_CDB));
    let sync = io(run(&mut unit, "a", Command::SynchronizeCache(CacheRange::ALL)));
    assert_eq!((sync.op, sync.blocks), (BlockOp::Flush, 1000));
}

#[test]
fn trouble_has_its_sense() {
    let mut unit = unit();
    let request = io(run(&mut unit, "a", Command::Write(Transfer::new(0, 1))));
    let of = |result| unit.finish(&request, result).sense.map(|sense| (sense.key, sense.code));
    let medium = SenseKey::MediumError;
    let read = of(BlockResult::ReadError { lba: 7 });
    assert_eq!(read, Some((medium, SenseCode::UNRECOVERED_READ_ERROR)));
    assert_eq!(of(BlockResult::WriteError { lba: 7 }), Some((medium, SenseCode::WRITE_ERROR)));
    let protect = SenseKey::DataProtect;
    assert_eq!(of(BlockResult::NoSpace), Some((protect, SenseCode::SPACE_ALLOCATION_FAILED)));
    assert_eq!(of(BlockResult::ReadOnly), Some((protect, SenseCode::WRITE_PROTECTED)));
    assert_eq!(unit.finish(&request, BlockResult::Busy).status, Status::Busy);
    assert_eq!(unit.finish(&request, BlockResult::Done), ScsiReply::good());
}
