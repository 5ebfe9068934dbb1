//! Blocks of metadata: allocated near each other, freed into the pending tree of their group.

use super::counts::count_blocks;
use super::find::CHUNK;
use super::{RESERVE_BLOCKS, find, group, pending};
use crate::format::{GroupCore, Kind};
use crate::store::{FsError, Op, Run, Stop, Want};

/// Blocks that are near each other.
const NEAR: u32 = 2048;

/// Allocates a block of metadata that will be `want` (of which only the kind matters), near another
/// block where there is one (0 where not). The caller writes it with [`Op::fresh`].
///
/// # Errors
/// [`FsError::NoSpace`] after every group was looked at.
pub fn alloc_meta(op: &mut Op<'_>, want: Want, near: u64) -> Result<u64, Stop> {
    let groups = op.geometry().groups();
    let start = match near {
        0 => op.hints_mut().meta,
        _ => op.geometry().group_of(near),
    };
    let wanted = 1 + reserve(op, want.kind);
    for likely in [true, false] {
        for step in 0..groups {
            let group = (start % groups + step) % groups;
            if likely && !op.hints_mut().may_have(group, wanted) {
                continue;
            }
            if let Some(bno) = alloc_in(op, group, want.kind, near)? {
                if near == 0 {
                    op.hints_mut().meta = group;
                }
                return Ok(bno);
            }
        }
    }
    Err(FsError::NoSpace.into())
}

/// Blocks that an operation leaves free in a group.
pub(super) fn reserve(op: &Op<'_>, kind: Kind) -> u32 {
    let serves_deletes = matches!(kind, Kind::OrphanNode | Kind::RefcountNode | Kind::PendingNode);
    if op.gives_back || serves_deletes { 0 } else { RESERVE_BLOCKS }
}

fn alloc_in(op: &mut Op<'_>, group: u32, kind: Kind, near: u64) -> Result<Option<u64>, Stop> {
    if !group::prepare(op, group, 1)? {
        return Ok(None);
    }
    let header = group::header(op, group)?;
    let core = *GroupCore::of(&header);
    drop(header);
    let start = op.geometry().group_start(group);
    let near = near.checked_sub(start).filter(|bit| *bit < u64::from(core.blocks.get()));
    let near = near.filter(|bit| *bit > 0).map(|bit| bit as u32);
    if core.pending_blocks.get() > 0
        && let Some(bit) = pending::take(op, group, near.unwrap_or(0))?
    {
        return Ok(Some(start + u64::from(bit)));
    }
    if group::usable(op, group, &core, reserve(op, kind), 1) == 0 {
        return Ok(None);
    }
    let chunk = core.inode_hint.get() & !(CHUNK - 1);
    let found = match kind {
        Kind::Inode => find_dinode(op, group, chunk)?,
        _ => find_other(op, group, near, chunk)?,
    };
    let Some(bit) = found else { return Ok(None) };
    group::take(op, group, bit, 1)?;
    if kind == Kind::Inode && bit & !(CHUNK - 1) != chunk {
        group::change(op, group, |core| core.inode_hint.set(bit & !(CHUNK - 1)))?;
    }
    Ok(Some(start + u64::from(bit)))
}

/// In the chunk that is being filled, in a new one, or anywhere.
fn find_dinode(op: &Op<'_>, group: u32, chunk: u32) -> Result<Option<u32>, Stop> {
    if let Some(bit) = find::block_within(op, group, chunk, CHUNK, None)? {
        return Ok(Some(bit));
    }
    match find::empty_chunk(op, group, chunk)? {
        Some(bit) => Ok(Some(bit)),
        None => find::block(op, group, chunk, None),
    }
}

/// Near what it belongs to, or else where the last one was found; not among the dinodes, unless
/// nothing else is left.
fn find_other(
    op: &mut Op<'_>,
    group: u32,
    near: Option<u32>,
    chunk: u32,
) -> Result<Option<u32>, Stop> {
    if let Some(near) = near {
        let found = find::block_within(op, group, near, NEAR, Some(chunk))?;
        if found.is_some() {
            return Ok(found);
        }
    }
    let from = op.hints_mut().meta_from(group).unwrap_or(chunk);
    let found = match find::block(op, group, from, Some(chunk))? {
        Some(bit) => Some(bit),
        None => find::block(op, group, from, None)?,
    };
    if let Some(bit) = found {
        op.hints_mut().found_meta(group, bit);
    }
    Ok(found)
}

/// Frees a block of metadata: it can be metadata again at once, and data when no image of it can be
/// replayed any more.
pub fn free_meta(op: &mut Op<'_>, bno: u64, want: Want) -> Result<(), Stop> {
    group::place_of(op, Run { start: bno, len: 1 }, want)?;
    op.forget(bno, want)?;
    op.deferred.push(bno);
    count_blocks(op, -1)
}
