//! Blocks of data: allocated in runs, shared between extents, freed when the last reference goes.

use super::counts::count_blocks;
use super::find::Wish;
use super::meta::reserve;
use super::{find, group, pending, refcount};
use crate::format::{BITS_PER_BLOCK, GroupCore, Kind};
use crate::store::{FsError, Op, Run, Stop, Want};

/// The greatest alignment of a run: 1 MiB. Bitmap blocks and groups begin at multiples of it.
const ALIGN_MAX: u64 = 256;
/// Runs that one allocation moves from the pending frees to the bitmap.
const RECLAIM_RUNS: u32 = 8;
/// An operation that edits more than so many blocks moves none.
const RECLAIM_EDITS_MAX: usize = 16;

/// What run is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Goal {
    /// The block that it should begin at, or be near to: where the extent before ends. 0: none.
    pub near: u64,
    /// The least length, in blocks; at least 1.
    pub len_min: u64,
    /// The greatest length. A run is at most one bitmap block long: 125 MiB.
    pub len_max: u64,
    /// The alignment in blocks, a power of two up to 256; kept where there is room for it.
    pub align: u64,
}

/// Allocates a run of data with one reference.
///
/// # Errors
/// [`FsError::NoSpace`] after every group was looked at: none has a free run of `len_min` blocks.
/// Blocks that were freed and are not durable yet do not count.
pub fn alloc_data(op: &mut Op<'_>, goal: Goal) -> Result<Run, Stop> {
    assert!(goal.len_min > 0 && goal.len_min <= goal.len_max, "a run has a length");
    assert!(goal.align.is_power_of_two() && goal.align <= ALIGN_MAX, "alignments are small");
    let groups = op.geometry().groups();
    let start = match goal.near {
        0 => op.hints_mut().data,
        _ => op.geometry().group_of(goal.near),
    };
    for likely in [true, false] {
        let wanted = goal.len_max.min(ALIGN_MAX).max(goal.len_min) as u32;
        let wanted = wanted.saturating_add(reserve(op, Kind::Inode));
        for step in 0..groups {
            let group = (start % groups + step) % groups;
            if likely && !op.hints_mut().may_have(group, wanted) {
                continue;
            }
            if let Some(run) = alloc_in(op, group, goal)? {
                op.hints_mut().data = group;
                return Ok(run);
            }
        }
    }
    Err(FsError::NoSpace.into())
}

fn alloc_in(op: &mut Op<'_>, group: u32, goal: Goal) -> Result<Option<Run>, Stop> {
    if !group::prepare(op, group, goal.len_min)? {
        return Ok(None);
    }
    if let Some(run) = alloc_from_bitmap(op, group, goal)? {
        return Ok(Some(run));
    }
    if op.edits_len() > RECLAIM_EDITS_MAX || !may_reclaim(op, group, goal)? {
        return Ok(None);
    }
    match pending::reclaim(op, group, RECLAIM_RUNS)? {
        0 => Ok(None),
        _ => alloc_from_bitmap(op, group, goal),
    }
}

/// True where pending blocks would make the difference.
fn may_reclaim(op: &mut Op<'_>, group: u32, goal: Goal) -> Result<bool, Stop> {
    let core = *GroupCore::of(&*group::header(op, group)?);
    let room = u64::from(core.free.get()) + u64::from(core.pending_blocks.get());
    let wanted = goal.len_min + u64::from(reserve(op, Kind::Inode));
    Ok(core.pending_blocks.get() > 0 && room >= wanted)
}

fn alloc_from_bitmap(op: &mut Op<'_>, group: u32, goal: Goal) -> Result<Option<Run>, Stop> {
    let core = *GroupCore::of(&*group::header(op, group)?);
    let wanted = goal.len_max.min(BITS_PER_BLOCK);
    let usable = group::usable(op, group, &core, reserve(op, Kind::Inode), wanted);
    let max = wanted.min(usable);
    if max < goal.len_min {
        return Ok(None);
    }
    let start = op.geometry().group_start(group);
    let near = goal.near.checked_sub(start).filter(|bit| *bit < u64::from(core.blocks.get()));
    let near = near.filter(|_| goal.near > 0).map(|bit| bit as u32);
    let Some((bit, len)) = find_run(op, group, &core, near, Goal { len_max: max, ..goal })? else {
        return Ok(None);
    };
    group::take(op, group, bit, len)?;
    if near.is_none() {
        let next = (bit + len).min(core.blocks.get() - 1);
        group::change(op, group, |core| core.data_hint.set(next))?;
    }
    Ok(Some(Run { start: start + u64::from(bit), len: u64::from(len) }))
}

/// What goes on where `near` is; else an aligned run; else any.
fn find_run(
    op: &Op<'_>,
    group: u32,
    core: &GroupCore,
    near: Option<u32>,
    goal: Goal,
) -> Result<Option<(u32, u32)>, Stop> {
    let Goal { len_min, len_max, align, .. } = goal;
    let (min, max) = (len_min as u32, len_max as u32);
    if let Some(bit) = near {
        let len = find::run_at(op, group, bit, max)?;
        if len >= min {
            return Ok(Some((bit, len)));
        }
    }
    let from = near.unwrap_or(core.data_hint.get());
    if align > 1 {
        let whole = min.max((align as u32).min(max));
        let wish = Wish { min: whole, max, align: align as u32 };
        let found = find::run(op, group, from, wish)?;
        if found.is_some() {
            return Ok(found);
        }
    }
    find::run(op, group, from, Wish { min, max, align: 1 })
}

/// What a run of data is called where it is damage.
fn place_of(op: &Op<'_>, run: Run) -> Result<(u32, u32), Stop> {
    group::place_of(op, run, Want::new(Kind::Group, 0))
}

/// Drops one reference to each block of a run; blocks without any left are free.
pub fn free_data(op: &mut Op<'_>, run: Run) -> Result<(), Stop> {
    for_all(op, run, free_some)
}

/// Adds one reference to each block of a run.
pub fn share(op: &mut Op<'_>, run: Run) -> Result<(), Stop> {
    for_all(op, run, share_some)
}

fn for_all(
    op: &mut Op<'_>,
    run: Run,
    step: impl Fn(&mut Op<'_>, Run) -> Result<u64, Stop>,
) -> Result<(), Stop> {
    let mut left = run;
    while left.len > 0 {
        let done = step(op, left)?;
        left = Run { start: left.start + done, len: left.len - done };
    }
    Ok(())
}

/// Does the work of [`free_data`] for the first blocks of a run that are alike: a bounded step, at
/// most one bitmap block. Tells how many they were.
pub fn free_some(op: &mut Op<'_>, run: Run) -> Result<u64, Stop> {
    let (group, bit) = place_of(op, run)?;
    let in_block = BITS_PER_BLOCK - u64::from(bit) % BITS_PER_BLOCK;
    let len = run.len.min(in_block) as u32;
    let piece = refcount::piece(op, group, bit, bit + len)?;
    if piece.count() > 1 {
        refcount::set(op, group, piece, piece.count() - 1)?;
    } else {
        group::give(op, group, bit, piece.to - bit)?;
        count_blocks(op, -(piece.len() as i64))?;
        op.free_data(Run { start: run.start, len: piece.len() });
    }
    Ok(piece.len())
}

/// Does the work of [`share`] for the first blocks of a run that are alike. Tells how many.
pub fn share_some(op: &mut Op<'_>, run: Run) -> Result<u64, Stop> {
    let (group, bit) = place_of(op, run)?;
    let piece = refcount::piece(op, group, bit, bit + run.len as u32)?;
    refcount::set(op, group, piece, piece.count() + 1)?;
    Ok(piece.len())
}

/// True where any block of a run has more than one reference.
pub fn is_shared(op: &Op<'_>, run: Run) -> Result<bool, Stop> {
    let (shared, len) = shared_prefix(op, run)?;
    Ok(shared || len < run.len)
}

/// Whether the first block of a run has more than one reference, and for how many blocks the same
/// is true.
pub fn shared_prefix(op: &Op<'_>, run: Run) -> Result<(bool, u64), Stop> {
    let (group, bit) = place_of(op, run)?;
    let end = bit + run.len as u32;
    let first = refcount::piece(op, group, bit, end)?;
    let (shared, mut to) = (first.count() > 1, first.to);
    while to < end {
        let next = refcount::piece(op, group, to, end)?;
        if (next.count() > 1) != shared {
            break;
        }
        to = next.to;
    }
    Ok((shared, u64::from(to - bit)))
}
