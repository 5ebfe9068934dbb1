//! What the logical unit says to its shell: an answer, block I/O to be done, or commands of others to
//! be ended first.

use alloc::vec::Vec;

use super::NexusId;
use crate::scsi::cdb::ByteCheck;
use crate::scsi::data::{LbaStatus, UnmapRange};
use crate::scsi::{Sense, Status};

/// What is to be done for a command.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Answer.
    Done(ScsiReply),
    /// Do the I/O, hand the result to [`LogicalUnit::finish`](super::LogicalUnit::finish), answer.
    Io(BlockRequest),
    /// End all commands of the victims on this logical unit, store what is to be saved, then answer.
    /// The order of the first two does not matter; the answer comes after both.
    Drain {
        /// Whose commands are to be ended; the command that asks is of none of them.
        victims: Vec<NexusId>,
        /// Reservations to be on stable storage before the answer.
        save: Option<Vec<u8>>,
        /// The answer.
        reply: ScsiReply,
    },
}

/// Status, and what goes with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ScsiReply {
    /// The status.
    pub status: Status,
    /// Sense data of CHECK CONDITION, to be encoded by
    /// [`LogicalUnit::sense_bytes`](super::LogicalUnit::sense_bytes).
    pub sense: Option<Sense>,
    /// Data in, cut at the allocation length.
    pub data: Vec<u8>,
}

impl ScsiReply {
    /// GOOD without data.
    #[must_use]
    pub fn good() -> ScsiReply {
        ScsiReply::default()
    }

    /// GOOD with data, cut at the allocation length.
    #[must_use]
    pub fn data(mut data: Vec<u8>, allocation: u32) -> ScsiReply {
        data.truncate(allocation as usize);
        ScsiReply { data, ..ScsiReply::default() }
    }

    /// CHECK CONDITION.
    #[must_use]
    pub fn check(sense: Sense) -> ScsiReply {
        ScsiReply { status: Status::CheckCondition, sense: Some(sense), data: Vec::new() }
    }

    /// A status without sense.
    #[must_use]
    pub fn status(status: Status) -> ScsiReply {
        ScsiReply { status, ..ScsiReply::default() }
    }
}

/// Block I/O: the range is inside the logical unit and within its limits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BlockRequest {
    /// What is done.
    pub op: BlockOp,
    /// First block.
    pub lba: u64,
    /// Number of blocks, at least one but for `Unmap`.
    pub blocks: u64,
    /// Written blocks are on stable storage before the answer.
    pub fua: bool,
}

/// What is done with a range. Data out are whole blocks of the range unless said otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum BlockOp {
    /// Data in are the blocks.
    Read,
    /// The blocks are written.
    Write,
    /// The blocks are combined with what is there by OR.
    OrWrite,
    /// What is there is read and compared, see [`ByteCheck`]; data out are none, all or one block.
    Verify(ByteCheck),
    /// The blocks are written, read back, and compared where it says so.
    WriteVerify {
        /// Compare every byte.
        compare: bool,
    },
    /// Data out are the blocks to compare with, then the blocks to write; all in one step that no
    /// other write comes between.
    CompareAndWrite,
    /// One block is written again and again.
    WriteSame {
        /// There is no data out: zeroes are meant.
        zeroes: bool,
        /// Where the block is all zeroes the range may be unmapped instead.
        unmap: bool,
    },
    /// These ranges are unmapped; `lba` and `blocks` mean nothing. The parameter list was data out.
    Unmap(Vec<UnmapRange>),
    /// Everything written is on stable storage before the answer, at least of this range.
    Flush,
    /// What is mapped from `lba` on? Answered with [`BlockResult::Runs`].
    LbaStatus {
        /// Most bytes of the answer: 8 and 16 for each run.
        allocation: u32,
    },
}

impl BlockOp {
    /// True where the content of blocks may change.
    #[must_use]
    pub fn is_write(&self) -> bool {
        !matches!(
            self,
            BlockOp::Read | BlockOp::Verify(_) | BlockOp::Flush | BlockOp::LbaStatus { .. }
        )
    }
}

impl BlockRequest {
    /// Bytes that the initiator sends for it, parameter lists not counted.
    #[must_use]
    pub fn data_out_len(&self, block_len: u32) -> u64 {
        let blocks = match self.op {
            BlockOp::Write
            | BlockOp::OrWrite
            | BlockOp::WriteVerify { .. }
            | BlockOp::Verify(ByteCheck::Blocks) => self.blocks,
            BlockOp::CompareAndWrite => self.blocks * 2,
            BlockOp::WriteSame { zeroes: false, .. } | BlockOp::Verify(ByteCheck::OneBlock) => 1,
            _ => 0,
        };
        blocks * u64::from(block_len)
    }

    /// Bytes that the initiator gets from the blocks.
    #[must_use]
    pub fn data_in_len(&self, block_len: u32) -> u64 {
        match self.op {
            BlockOp::Read => self.blocks * u64::from(block_len),
            _ => 0,
        }
    }
}

/// How the I/O ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum BlockResult {
    /// As asked.
    Done,
    /// As asked, for `LbaStatus`: runs from the first block on.
    Runs(Vec<LbaStatus>),
    /// A comparison found a difference, nothing was written.
    Miscompare {
        /// Offset in bytes of the first difference, counted from the start of data out.
        offset: u64,
    },
    /// A block cannot be read.
    ReadError {
        /// The block.
        lba: u64,
    },
    /// A block cannot be written.
    WriteError {
        /// The block.
        lba: u64,
    },
    /// There is no room for a thin block.
    NoSpace,
    /// The device below takes no writes.
    ReadOnly,
    /// Later it may work.
    Busy,
    /// It does not work.
    Failed,
}
