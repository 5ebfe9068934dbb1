//! Commands that touch blocks: range, limits, then a block request; and the answer to its result
//! (SBC-3 sections 4.7 and 5).

use super::{
    Action, BlockOp, BlockRequest, BlockResult, LogicalUnit, ScsiReply, illegal, invalid_cdb,
    parameter_list,
};
use crate::scsi::cdb::{
    ByteCheck, CacheRange, Command, CompareAndWrite, GetLbaStatus, StartStop, Transfer, Unmap,
    Verify, Width, WriteSame,
};
use crate::scsi::data::{LbaStatus, parse_unmap};
use crate::scsi::{Sense, SenseCode, SenseKey, Status, opcode};

type Outcome = Result<Action, ScsiReply>;

impl LogicalUnit {
    pub(super) fn on_blocks(&self, command: Command, list: &[u8]) -> Outcome {
        match command {
            Command::Read(read) => self.transfer(read, BlockOp::Read),
            Command::Write(write) => self.write(write, BlockOp::Write),
            Command::OrWrite(write) => self.write(write, BlockOp::OrWrite),
            Command::Verify(verify) => self.verify(verify),
            Command::WriteVerify(verify) => self.write_verify(verify),
            Command::WriteSame(same) => self.write_same(same),
            Command::CompareAndWrite(compare) => self.compare_and_write(compare),
            Command::Unmap(unmap) => self.unmap(unmap, list),
            Command::SynchronizeCache(range) => self.synchronize(range),
            Command::Prefetch(range) => self.prefetch(range),
            Command::GetLbaStatus(status) => self.lba_status(status),
            Command::StartStop(start) => self.start_stop(start),
            _ => Err(illegal(SenseCode::INVALID_OPCODE)),
        }
    }

    /// The answer to a request that [`LogicalUnit::handle`] gave out.
    #[must_use]
    pub fn finish(&self, request: &BlockRequest, result: BlockResult) -> ScsiReply {
        let medium = |code, lba| Sense::new(SenseKey::MediumError, code).with_information(lba);
        let sense = match result {
            BlockResult::Done => return ScsiReply::good(),
            BlockResult::Runs(runs) => return lba_status_reply(request, &runs),
            BlockResult::Busy => return ScsiReply::status(Status::Busy),
            BlockResult::Miscompare { offset } => Sense::miscompare(offset),
            BlockResult::ReadError { lba } => medium(SenseCode::UNRECOVERED_READ_ERROR, lba),
            BlockResult::WriteError { lba } => medium(SenseCode::WRITE_ERROR, lba),
            BlockResult::NoSpace => {
                Sense::new(SenseKey::DataProtect, SenseCode::SPACE_ALLOCATION_FAILED)
            }
            BlockResult::ReadOnly => Sense::new(SenseKey::DataProtect, SenseCode::WRITE_PROTECTED),
            BlockResult::Failed => {
                Sense::new(SenseKey::HardwareError, SenseCode::INTERNAL_TARGET_FAILURE)
            }
        };
        ScsiReply::check(sense)
    }

    fn write(&self, write: Transfer, op: BlockOp) -> Outcome {
        self.expect_writable()?;
        self.transfer(write, op)
    }

    #[inline]
    fn transfer(&self, transfer: Transfer, op: BlockOp) -> Outcome {
        let Transfer { width, lba, blocks, fua, .. } = transfer;
        self.expect_transfer(width, lba, blocks)?;
        Ok(self.io(op, lba, blocks.into(), fua))
    }

    fn verify(&self, verify: Verify) -> Outcome {
        let Verify { width, lba, blocks, check, .. } = verify;
        self.expect_range(lba, blocks.into())?;
        if check == ByteCheck::Blocks {
            self.expect_transfer(width, lba, blocks)?;
        }
        Ok(self.io(BlockOp::Verify(check), lba, blocks.into(), false))
    }

    /// What is read back has to come from the medium, so the write goes there first.
    fn write_verify(&self, verify: Verify) -> Outcome {
        self.expect_writable()?;
        let Verify { width, lba, blocks, check, .. } = verify;
        self.expect_transfer(width, lba, blocks)?;
        let compare = check == ByteCheck::Blocks;
        Ok(self.io(BlockOp::WriteVerify { compare }, lba, blocks.into(), true))
    }

    fn write_same(&self, same: WriteSame) -> Outcome {
        self.expect_writable()?;
        let WriteSame { width, lba, blocks, unmap, no_data_out, anchor } = same;
        // Anchored blocks are not told from mapped ones here, and thin blocks have to be.
        if anchor || (unmap && !self.config.thin) {
            return Err(invalid_cdb(1));
        }
        self.expect_range(lba, blocks.into())?;
        let max = self.config.limits.write_same_blocks_max;
        // Zero blocks are refused, as the block limits page tells (WSNZ).
        if blocks == 0 || (max != 0 && u64::from(blocks) > max) {
            return Err(invalid_cdb(length_byte(width)));
        }
        let op = BlockOp::WriteSame { zeroes: no_data_out, unmap };
        Ok(self.io(op, lba, blocks.into(), false))
    }

    fn compare_and_write(&self, compare: CompareAndWrite) -> Outcome {
        self.expect_writable()?;
        if compare.blocks > self.config.limits.compare_blocks_max {
            return Err(invalid_cdb(13));
        }
        self.expect_range(compare.lba, compare.blocks.into())?;
        Ok(self.io(BlockOp::CompareAndWrite, compare.lba, compare.blocks.into(), compare.fua))
    }

    fn unmap(&self, unmap: Unmap, list: &[u8]) -> Outcome {
        if !self.config.thin {
            return Err(illegal(SenseCode::INVALID_OPCODE));
        }
        self.expect_writable()?;
        if unmap.anchor {
            return Err(invalid_cdb(1));
        }
        let list = parameter_list(list, unmap.list_len.into())?;
        let mut ranges = parse_unmap(list).map_err(ScsiReply::check)?;
        for range in &ranges {
            self.expect_range(range.lba, range.blocks.into())?;
        }
        let limits = &self.config.limits;
        let blocks: u64 = ranges.iter().map(|range| u64::from(range.blocks)).sum();
        let is_too_much = blocks > limits.unmap_blocks_max.into()
            || ranges.len() as u64 > u64::from(limits.unmap_ranges_max);
        if is_too_much {
            return Err(illegal(SenseCode::INVALID_FIELD_IN_PARAMETER_LIST));
        }
        ranges.retain(|range| range.blocks != 0);
        Ok(self.io(BlockOp::Unmap(ranges), 0, blocks, false))
    }

    fn synchronize(&self, range: CacheRange) -> Outcome {
        let blocks = self.up_to_the_end(range)?;
        Ok(self.io(BlockOp::Flush, range.lba, blocks, false))
    }

    /// Nothing is promised and nothing read ahead: GOOD says that the blocks may not be cached.
    fn prefetch(&self, range: CacheRange) -> Outcome {
        self.up_to_the_end(range)?;
        Err(ScsiReply::good())
    }

    fn lba_status(&self, status: GetLbaStatus) -> Outcome {
        self.expect_range(status.lba, 1)?;
        let op = BlockOp::LbaStatus { allocation: status.allocation };
        Ok(self.io(op, status.lba, self.config.blocks - status.lba, false))
    }

    /// The medium is always there for others, so stopping writes back the cache and no more.
    fn start_stop(&self, start: StartStop) -> Outcome {
        if start.load_eject && start.power_condition == 0 {
            return Err(invalid_cdb(4));
        }
        let is_stop = !start.start && start.power_condition == 0 && !start.no_flush;
        let blocks = if is_stop { self.config.blocks } else { 0 };
        Ok(self.io(BlockOp::Flush, 0, blocks, false))
    }

    /// A length of zero means up to the last block.
    fn up_to_the_end(&self, range: CacheRange) -> Result<u64, ScsiReply> {
        self.expect_range(range.lba, range.blocks.into())?;
        Ok(match range.blocks {
            0 => self.config.blocks - range.lba,
            blocks => blocks.into(),
        })
    }

    /// A request, or the answer where there is nothing to do.
    #[inline]
    pub(super) fn io(&self, op: BlockOp, lba: u64, blocks: u64, fua: bool) -> Action {
        if blocks == 0 {
            return Action::Done(ScsiReply::good());
        }
        // Without a cache in use every write is a write through.
        let fua = fua || (op.is_write() && !self.mode.caching.write_cache);
        Action::Io(BlockRequest { op, lba, blocks, fua })
    }

    fn expect_transfer(&self, width: Width, lba: u64, blocks: u32) -> Result<(), ScsiReply> {
        self.expect_range(lba, blocks.into())?;
        let max = self.config.limits.transfer_blocks_max;
        if max != 0 && blocks > max {
            return Err(invalid_cdb(length_byte(width)));
        }
        Ok(())
    }

    #[inline]
    fn expect_range(&self, lba: u64, blocks: u64) -> Result<(), ScsiReply> {
        let is_inside = lba <= self.config.blocks && blocks <= self.config.blocks - lba;
        if is_inside { Ok(()) } else { Err(illegal(SenseCode::LBA_OUT_OF_RANGE)) }
    }

    fn expect_writable(&self) -> Result<(), ScsiReply> {
        if self.is_write_protected() {
            let sense = Sense::new(SenseKey::DataProtect, SenseCode::WRITE_PROTECTED);
            return Err(ScsiReply::check(sense));
        }
        Ok(())
    }

    pub(super) fn is_write_protected(&self) -> bool {
        self.config.read_only || self.mode.control.write_protect
    }

    /// The commands that this logical unit knows, for REPORT SUPPORTED OPERATION CODES.
    pub(super) fn supports(&self, command: &opcode::Supported) -> bool {
        command.opcode != opcode::UNMAP || self.config.thin
    }
}

fn lba_status_reply(request: &BlockRequest, runs: &[LbaStatus]) -> ScsiReply {
    let allocation = match request.op {
        BlockOp::LbaStatus { allocation } => allocation,
        _ => 0,
    };
    assert!(
        runs.first().is_some_and(|run| run.lba == request.lba),
        "runs start at the block asked"
    );
    ScsiReply::data(LbaStatus::build_list(runs), allocation)
}

/// Where the length of a command lies, for the field pointer.
fn length_byte(width: Width) -> u16 {
    match width {
        Width::Six => 4,
        Width::Ten => 7,
        Width::Twelve => 6,
        Width::Sixteen => 10,
    }
}
