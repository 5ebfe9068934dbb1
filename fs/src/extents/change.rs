//! Extents come, and take the place of others.

use super::{FILE_BLOCKS_MAX, STEP_EDITS_MAX, at_or_after, extent_tree, joins, part, run_of};
use crate::format::Kind;
use crate::space::{InodeNodes, count_of_inode, free_some};
use crate::store::{Damage, FsError, Op, Run, Stop, Want};
use crate::tree::Record;

pub(super) fn nodes(ino: u64) -> InodeNodes {
    InodeNodes { ino, kind: Kind::ExtentNode }
}

/// Maps a run at a hole of a file. The run becomes the file's: allocated for it, or shared.
///
/// # Errors
/// [`FsError::Range`] beyond the largest file; damage where it is no hole.
pub fn insert(op: &mut Op<'_>, ino: u64, lblock: u64, run: Run, flags: u16) -> Result<(), Stop> {
    let tree = extent_tree(op, ino)?;
    let record = record(op, lblock, run, flags)?;
    if at_or_after(op, ino, &tree, lblock)?.is_some_and(|next| next.key < record.end()) {
        return Err(Damage::field(ino, Want::new(Kind::Inode, ino), "extent that overlaps").into());
    }
    let geometry = *op.geometry();
    tree.put(op, &mut nodes(ino), record, |one, next| joins(&geometry, one, next))?;
    count_of_inode(op, ino, i64::from(record.len))
}

fn record(op: &Op<'_>, lblock: u64, run: Run, flags: u16) -> Result<Record, Stop> {
    assert!(op.geometry().is_inside_group(run), "runs are allocated inside a group");
    if lblock.checked_add(run.len).is_none_or(|end| end > FILE_BLOCKS_MAX) {
        return Err(FsError::Range.into());
    }
    Ok(Record { key: lblock, value: run.start, len: run.len as u32, flags })
}

/// Maps a run, whose data is written, in the place of what is at `lblock`: copy on write. What was
/// there loses a reference. Tells how many blocks from the run's start were mapped: less than all
/// where more would be too much for one operation; the rest is still the caller's.
pub fn replace(op: &mut Op<'_>, ino: u64, lblock: u64, run: Run) -> Result<u64, Stop> {
    let new = record(op, lblock, run, 0)?;
    let tree = extent_tree(op, ino)?;
    let mut at = lblock;
    while at < new.end() && (at == lblock || op.edits_len() <= STEP_EDITS_MAX) {
        let Some(old) = at_or_after(op, ino, &tree, at)?.filter(|old| old.key < new.end()) else {
            at = new.end();
            break;
        };
        let from = old.key.max(at);
        let freed = free_some(op, run_of(&part(&old, from, old.end().min(new.end()))))?;
        tree.cut(op, &mut nodes(ino), old, from, from + freed, part)?;
        count_of_inode(op, ino, -(freed as i64))?;
        at = from + freed;
    }
    let done = at - lblock;
    insert(op, ino, lblock, Run { start: run.start, len: done }, 0)?;
    Ok(done)
}
