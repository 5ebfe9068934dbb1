//! What an error of a device means for the command that met it.

use byway_engine::error::{ErrorKind, IoError};
use byway_proto::scsi::unit::BlockResult;

/// The result that the logical unit turns into status and sense.
pub(crate) fn block_result(error: &IoError, block_len: u32) -> BlockResult {
    let lba = error.offset / u64::from(block_len);
    match error.kind {
        ErrorKind::Transient => BlockResult::Busy,
        ErrorKind::Media if error.op.changes_medium() => BlockResult::WriteError { lba },
        ErrorKind::Media => BlockResult::ReadError { lba },
        ErrorKind::Miscompare { at } => BlockResult::Miscompare { offset: at },
        ErrorKind::NoSpace => BlockResult::NoSpace,
        ErrorKind::ReadOnly => BlockResult::ReadOnly,
        ErrorKind::PathLost
        | ErrorKind::Fenced
        | ErrorKind::Range
        | ErrorKind::Unsupported
        | ErrorKind::Aborted { .. } => BlockResult::Failed,
    }
}
