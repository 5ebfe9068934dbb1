//! Long work on the extents of a file, in bounded steps.

use super::change::nodes;
use super::{
    STEP_EDITS_MAX, STEP_PIECES_MAX, Step, UNWRITTEN, at_or_after, extent_tree, joins, part, run_of,
};
use crate::space::{count_of_inode, free_some, gives_back};
use crate::store::{Op, Stop};
use crate::tree::{Record, Tree};

/// Calls `piece` with extents of `from..from + len`, cut to that range, until the range ends or the
/// step is long enough. `piece` tells how many blocks of its extent it dealt with; it gets the whole
/// extent, too.
pub(super) fn step(
    op: &mut Op<'_>,
    ino: u64,
    from: u64,
    len: u64,
    mut piece: impl FnMut(&mut Op<'_>, &Tree, Record, Record) -> Result<u64, Stop>,
) -> Result<Step, Stop> {
    let tree = extent_tree(op, ino)?;
    let end = from.saturating_add(len);
    let mut at = from;
    for _ in 0..STEP_PIECES_MAX {
        let found = at_or_after(op, ino, &tree, at)?.filter(|record| record.key < end);
        let Some(record) = found else { return Ok(Step::Done) };
        if op.edits_len() > STEP_EDITS_MAX {
            return Ok(Step::More { next: record.key.max(at) });
        }
        let inside = part(&record, record.key.max(at), record.end().min(end));
        at = inside.key + piece(op, &tree, record, inside)?;
    }
    Ok(if at < end { Step::More { next: at } } else { Step::Done })
}

/// Blocks of a range that were unwritten are written from here on: their data is durable. Holes stay
/// holes. A bounded step: [`Step::More`] tells where the next one begins.
pub fn convert(op: &mut Op<'_>, ino: u64, lblock: u64, len: u64) -> Result<Step, Stop> {
    step(op, ino, lblock, len, |op, tree, record, inside| {
        if record.flags & UNWRITTEN != 0 {
            let flags = record.flags & !UNWRITTEN;
            set_flags(op, ino, tree, record, Record { flags, ..inside })?;
        }
        Ok(u64::from(inside.len))
    })
}

/// Gives a part of an extent the flags of `new`.
pub(super) fn set_flags(
    op: &mut Op<'_>,
    ino: u64,
    tree: &Tree,
    record: Record,
    new: Record,
) -> Result<(), Stop> {
    let geometry = *op.geometry();
    let joins = |one: &Record, next: &Record| joins(&geometry, one, next);
    if new.key == record.key && new.len == record.len {
        return tree.restate(op, &mut nodes(ino), new, joins);
    }
    tree.cut(op, &mut nodes(ino), record, new.key, new.end(), part)?;
    tree.put(op, &mut nodes(ino), new, joins)
}

/// Makes a range of a file a hole; its blocks lose a reference. A bounded step: [`Step::More`] tells
/// where the next one begins.
pub fn remove(op: &mut Op<'_>, ino: u64, from: u64, len: u64) -> Result<Step, Stop> {
    gives_back(op);
    step(op, ino, from, len, |op, tree, record, inside| {
        let freed = free_some(op, run_of(&inside))?;
        tree.cut(op, &mut nodes(ino), record, inside.key, inside.key + freed, part)?;
        count_of_inode(op, ino, -(freed as i64))?;
        Ok(freed)
    })
}
