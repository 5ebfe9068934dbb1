//! Where the blocks of a file lie: a tree in its dinode, keyed by the block in the file.
//!
//! Invariants: extents never overlap, neither in the file nor across groups; alike neighbours are
//! one; UNWRITTEN blocks belong to the file and read as zeroes; SHARED blocks may have further
//! references, of which the refcounts of their group are the truth. The dinode's `blocks` counts
//! what is mapped, and the tree's nodes. Long work comes in steps of bounded operations.

mod change;
mod share;
mod steps;
#[cfg(test)]
mod tests;

pub use change::{insert, replace};
pub use share::share_step;
pub use steps::{convert, remove};

use crate::format::{BODY_AT, FORM_EXTENTS, Geometry, InodeCore, Kind};
use crate::store::{Damage, FsError, Op, Run, Stop, Want};
use crate::tree::{Record, RootArea, Tree};

/// The blocks read as zeroes: nothing was written yet.
pub const UNWRITTEN: u16 = 1;
/// The blocks may have more than one reference.
pub const SHARED: u16 = 2;
/// Blocks of the largest file.
pub const FILE_BLOCKS_MAX: u64 = 1 << 51;

/// A step that edited more blocks than this ends: what comes after it, in the worst case, still
/// fits into the operation.
const STEP_EDITS_MAX: usize = 20;
/// A step ends after so many pieces, so that others get their turn.
const STEP_PIECES_MAX: usize = 1024;

/// What lies at a block of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mapping {
    /// Nothing, for so many blocks.
    Hole {
        /// Blocks up to the next extent; behind the last one up to the largest file's end.
        len: u64,
    },
    /// An extent, from the block asked for on.
    Extent {
        /// Where the blocks lie.
        run: Run,
        /// [`UNWRITTEN`], [`SHARED`].
        flags: u16,
    },
}

/// How far a bounded step of long work came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The next step goes on at this block of the file.
    More {
        /// The block.
        next: u64,
    },
    /// Nothing is left.
    Done,
}

/// The tree of a file's extents. Its root ends where the inline attributes begin.
pub fn extent_tree(op: &Op<'_>, ino: u64) -> Result<Tree, Stop> {
    let want = Want::new(Kind::Inode, ino);
    let block = op.read(ino, want)?;
    let core = InodeCore::of(&block);
    if core.form != FORM_EXTENTS {
        return Err(FsError::Invalid("the file's data is in its dinode").into());
    }
    let root = RootArea { bno: ino, want, at: BODY_AT, len: core.body_len() };
    Ok(Tree::new(root, Kind::ExtentNode, ino))
}

/// What lies at a block of a file.
#[inline]
pub fn lookup(op: &Op<'_>, ino: u64, lblock: u64) -> Result<Mapping, Stop> {
    let tree = extent_tree(op, ino)?;
    if let Some(record) = tree.covering(op, lblock)? {
        let record = sound(op, ino, record)?;
        let run = run_of(&part(&record, lblock, record.end()));
        return Ok(Mapping::Extent { run, flags: record.flags });
    }
    let next = tree.first_at_or_after(op, lblock)?.map_or(FILE_BLOCKS_MAX, |next| next.key);
    Ok(Mapping::Hole { len: next.saturating_sub(lblock) })
}

/// The first block at or after `lblock` that was written.
pub fn next_data(op: &Op<'_>, ino: u64, lblock: u64) -> Result<Option<u64>, Stop> {
    let tree = extent_tree(op, ino)?;
    let is_data = |record: &Record| record.flags & UNWRITTEN == 0;
    if tree.covering(op, lblock)?.is_some_and(|record| is_data(&record)) {
        return Ok(Some(lblock));
    }
    let mut found = None;
    tree.visit(op, lblock, |record| {
        found = is_data(&record).then_some(record.key);
        found.is_none()
    })?;
    Ok(found)
}

/// The first block at or after `lblock` that was not written: it reads as zeroes.
pub fn next_hole(op: &Op<'_>, ino: u64, lblock: u64) -> Result<u64, Stop> {
    let tree = extent_tree(op, ino)?;
    let from = tree.covering(op, lblock)?.map_or(lblock, |record| record.key);
    let mut at = lblock;
    tree.visit(op, from, |record| {
        let goes_on = record.key <= at && record.flags & UNWRITTEN == 0;
        if goes_on {
            at = record.end();
        }
        goes_on
    })?;
    Ok(at)
}

/// The extent that covers `lblock`, or the first one after it.
fn at_or_after(op: &Op<'_>, ino: u64, tree: &Tree, lblock: u64) -> Result<Option<Record>, Stop> {
    let found = match tree.covering(op, lblock)? {
        Some(record) => Some(record),
        None => tree.first_at_or_after(op, lblock)?,
    };
    found.map(|record| sound(op, ino, record)).transpose()
}

/// An extent that leads out of its group, or has flags that nobody knows, is damage.
fn sound(op: &Op<'_>, ino: u64, record: Record) -> Result<Record, Stop> {
    let known = record.flags & !(UNWRITTEN | SHARED) == 0;
    if known && op.geometry().is_inside_group(run_of(&record)) {
        return Ok(record);
    }
    Err(Damage::field(ino, Want::new(Kind::Inode, ino), "extent").into())
}

fn run_of(record: &Record) -> Run {
    Run { start: record.value, len: u64::from(record.len) }
}

/// The part of an extent at the blocks `from..to` of the file.
fn part(record: &Record, from: u64, to: u64) -> Record {
    let value = record.value + (from - record.key);
    Record { key: from, value, len: (to - from) as u32, flags: record.flags }
}

/// True where two neighbours are one extent.
fn joins(geometry: &Geometry, one: &Record, next: &Record) -> bool {
    one.flags == next.flags
        && one.value + u64::from(one.len) == next.value
        && geometry.group_of(one.value) == geometry.group_of(next.value)
}
