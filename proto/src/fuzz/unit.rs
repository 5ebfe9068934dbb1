//! A logical unit that two fuzzed initiators send commands to.

use super::Input;
use crate::scsi::cdb::DataLen;
use crate::scsi::data::{InitiatorPort, LbaStatus, PortGroup, Provisioning};
use crate::scsi::opcode::SUPPORTED;
use crate::scsi::unit::{
    Action, BlockOp, BlockRequest, BlockResult, Limits, LogicalUnit, NexusId, Reset, ScsiReply,
    UnitConfig,
};
use crate::scsi::{Cdb, Command, Sense, Status};

const BLOCK_LEN: u32 = 512;
const BLOCKS: u64 = 1000;

/// Every command is answered within its allocation length; I/O stays inside the unit; what is saved
/// can be restored.
pub fn unit(data: &[u8]) {
    let mut input = Input::new(data);
    let flags = input.byte();
    let mut unit = LogicalUnit::new(config(flags));
    let nexuses = [nexus("one", 1), nexus("two", 2)];
    if flags & 8 != 0 {
        let _ = unit.restore_reservations(input.chunk());
    }
    while let Some(step) = input.step() {
        let by = &nexuses[usize::from(step & 1)];
        match step >> 1 & 31 {
            0 => unit.nexus_established(by),
            1 => unit.nexus_lost(by),
            2 => unit.reset(Reset::LogicalUnit),
            3 => unit.reset(Reset::PowerOn),
            4 => unit.task_set_cleared(by, &nexuses),
            step => {
                let cdb = command(step, &mut input);
                let list = input.chunk();
                let action = unit.handle(by, &cdb, list);
                judge(&mut unit, by, &cdb, action, &mut input);
            }
        }
    }
}

fn config(flags: u8) -> UnitConfig {
    let group = |id| PortGroup { id, ports: [id].into(), ..PortGroup::default() };
    UnitConfig {
        serial: "0042".into(),
        naa: [0x60; 16].into(),
        target_name: "iqn.2026-01.test:disk".into(),
        block_len: BLOCK_LEN,
        blocks: BLOCKS,
        read_only: flags & 1 != 0,
        thin: flags & 2 != 0,
        write_cache: flags & 4 != 0,
        keeps_reservations: true,
        limits: Limits { transfer_blocks_max: 256, compare_blocks_max: 8, ..Limits::default() },
        groups: [group(1), group(2)].into(),
        ..UnitConfig::default()
    }
}

fn nexus(name: &str, port: u16) -> NexusId {
    let initiator = InitiatorPort { name: name.into(), isid: [0x80, 0, 0, 0, 0, 1] };
    NexusId { initiator, port }
}

/// Often one that is supported.
fn command(step: u8, input: &mut Input<'_>) -> Cdb {
    let mut cdb: Cdb = input.array();
    if step & 3 != 0 {
        let supported = &SUPPORTED[usize::from(cdb[0]) % SUPPORTED.len()];
        cdb[0] = supported.opcode;
        if let Some(action) = supported.service_action {
            cdb[1] = cdb[1] & 0xe0 | action;
        }
    }
    cdb
}

fn judge(unit: &mut LogicalUnit, by: &NexusId, cdb: &Cdb, action: Action, input: &mut Input<'_>) {
    match action {
        Action::Done(reply) => judge_reply(unit, cdb, &reply),
        Action::Io(request) => {
            judge_request(&request);
            let reply = unit.finish(&request, result(&request, input));
            judge_reply(unit, cdb, &reply);
        }
        Action::Drain { victims, save, reply } => {
            assert!(!victims.contains(by), "nobody ends its own commands");
            if let Some(bytes) = save {
                let mut after = LogicalUnit::new(config(0));
                assert_eq!(after.restore_reservations(&bytes), Ok(()), "what is saved is sound");
            }
            judge_reply(unit, cdb, &reply);
        }
    }
}

fn judge_reply(unit: &LogicalUnit, cdb: &Cdb, reply: &ScsiReply) {
    assert_eq!(reply.sense.is_some(), reply.status == Status::CheckCondition);
    if let Some(sense) = reply.sense {
        assert_eq!(Sense::parse(&unit.sense_bytes(&sense)), Some(sense));
    }
    let room = match Command::parse(cdb).map(|command| command.data_len(BLOCK_LEN)) {
        Ok(DataLen::In(room)) => room,
        _ => 0,
    };
    assert!(reply.data.len() as u64 <= room, "an answer has the length that was asked for");
}

fn judge_request(request: &BlockRequest) {
    match &request.op {
        BlockOp::Unmap(ranges) => {
            let end = |range: &_| {
                let crate::scsi::data::UnmapRange { lba, blocks } = *range;
                lba.checked_add(blocks.into())
            };
            assert!(ranges.iter().all(|range| end(range).is_some_and(|end| end <= BLOCKS)));
        }
        _ => {
            let end = request.lba.checked_add(request.blocks);
            assert!(request.blocks > 0 && end.is_some_and(|end| end <= BLOCKS));
        }
    }
}

fn result(request: &BlockRequest, input: &mut Input<'_>) -> BlockResult {
    if let BlockOp::LbaStatus { .. } = request.op {
        // The shell knows of one run at least, which begins where it was asked.
        let count = usize::from(input.byte()).max(1);
        let run = |lba| LbaStatus { lba, blocks: 1, provisioning: Provisioning::Deallocated };
        return BlockResult::Runs((request.lba..BLOCKS).take(count).map(run).collect());
    }
    match input.byte() & 7 {
        0 => BlockResult::Done,
        1 => BlockResult::Miscompare { offset: input.byte().into() },
        2 => BlockResult::ReadError { lba: request.lba },
        3 => BlockResult::WriteError { lba: request.lba },
        4 => BlockResult::NoSpace,
        5 => BlockResult::ReadOnly,
        6 => BlockResult::Busy,
        _ => BlockResult::Failed,
    }
}
