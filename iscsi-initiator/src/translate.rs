//! From requests to SCSI commands (SBC-3 section 5).

use byway_engine::block::Op;
use byway_proto::iscsi::initiator::{Command, Direction};
use byway_proto::iscsi::pdu::TaskAttribute;
use byway_proto::scsi::cdb::{CacheRange, CompareAndWrite, Transfer, Width};
use byway_proto::scsi::{Cdb, Lun};

use crate::request::Request;

/// What the translation needs to know of the LUN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) lun: Lun,
    /// Logical block in bytes, as a power of two.
    pub(crate) block_shift: u32,
    /// FUA is understood; else a durable write is followed by a flush of the initiator's.
    pub(crate) fua: bool,
    /// For a command without progress, in nanoseconds.
    pub(crate) command_ns: u64,
}

/// The command of a request whose data go the usual way: read, write, flush, compare-and-write.
#[inline]
pub(crate) fn command(request: &Request, terms: &Terms, now_ns: u64) -> Command {
    let io = &request.io;
    let lba = io.offset >> terms.block_shift;
    let blocks = (io.len >> terms.block_shift) as u32;
    let (cdb, direction, len) = match io.op {
        _ if request.is_flushing => (flush(), Direction::None, 0),
        Op::Read => (Transfer::new(lba, blocks).build_read(), Direction::Read, io.len),
        Op::Write => {
            let transfer = Transfer { fua: io.fua && terms.fua, ..Transfer::new(lba, blocks) };
            (transfer.build_write(), Direction::Write, io.len)
        }
        Op::CompareAndWrite => (compare(lba, blocks, io.fua), Direction::Write, io.len * 2),
        _ => (flush(), Direction::None, 0),
    };
    Command {
        lun: terms.lun,
        cdb,
        direction,
        len: len as u32,
        attribute: TaskAttribute::Simple,
        deadline_ns: now_ns + terms.command_ns,
    }
}

fn compare(lba: u64, blocks: u32, fua: bool) -> Cdb {
    CompareAndWrite { lba, blocks: blocks as u8, fua, dpo: false }.build()
}

/// SYNCHRONIZE CACHE of the whole medium.
pub(crate) fn flush() -> Cdb {
    byway_proto::scsi::Command::SynchronizeCache(CacheRange {
        width: Width::Ten,
        ..CacheRange::ALL
    })
    .build()
}
