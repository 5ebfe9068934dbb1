//! The whole judgement of a block that comes from the disk: header, table, areas.

use crate::format::{self, Geometry, GroupCore, InodeCore, Kind, SlotCore};
use crate::store::{Block, Damage, Want};

/// Tells whether a block is what is wanted, as far as it can be told from the block alone.
pub(crate) fn judge(block: &Block, uuid: &[u8; 16], bno: u64, want: Want) -> Result<(), Damage> {
    format::check(block.bytes(), uuid, bno, want)?;
    match want.kind {
        Kind::Inode => InodeCore::of(block).check(bno),
        Kind::Slot => SlotCore::of(block).check(bno, want.owner as u16),
        // How the entries of a node fit is judged where it is walked.
        _ => Ok(()),
    }
}

/// As [`judge`], for the header of a group, which depends on where things lie.
pub(crate) fn judge_group(block: &Block, geometry: &Geometry, group: u32) -> Result<(), Damage> {
    GroupCore::of(block).check(geometry, group)
}
