//! Pending frees: blocks of metadata that are free for metadata, and not yet for data.
//!
//! A block of data has no header, so a replay could not see that it is newer than an old image of
//! metadata at its place. So a freed block of metadata keeps its bit until its version is below the
//! watermark: then no journal holds an older image. Metadata may use it at once.

use super::counts::count_blocks;
use super::group;
use super::nodes::GroupNodes;
use crate::format::{BITS_PER_BLOCK, GROUP_PENDING_AT, GROUP_PENDING_LEN, GroupCore, Kind};
use crate::store::{Damage, Op, Run, Stop, Want};
use crate::tree::{Record, RootArea, Tree};

/// The tree of a group's pending frees: key is the block in the group, value the version that
/// freed it.
pub fn pending_tree(op: &Op<'_>, group: u32) -> Tree {
    let root = RootArea {
        bno: op.geometry().group_header(group),
        want: group::header_want(group),
        at: GROUP_PENDING_AT,
        len: GROUP_PENDING_LEN,
    };
    Tree::new(root, Kind::PendingNode, u64::from(group))
}

/// Ends an operation: what it freed of metadata becomes pending.
pub fn finish(op: &mut Op<'_>) -> Result<(), Stop> {
    op.deferred.sort_unstable_by(|one, other| other.cmp(one));
    while let Some(bno) = op.deferred.pop() {
        let want = Want::new(Kind::PendingNode, 0);
        let (group, bit) = group::place_of(op, Run { start: bno, len: 1 }, want)?;
        add(op, group, bit)?;
    }
    Ok(())
}

fn add(op: &mut Op<'_>, group: u32, bit: u32) -> Result<(), Stop> {
    let tree = pending_tree(op, group);
    let mut nodes = GroupNodes { group, kind: Kind::PendingNode };
    let (key, version) = (u64::from(bit), op.version());
    let before = tree.last_at_or_before(op, key)?;
    if before.is_some_and(|before| key < before.end()) {
        return Err(Damage::field(tree.root.bno, tree.root.want, "block that is free twice").into());
    }
    let joined = before.filter(|before| before.end() == key && before.value == version);
    let next = tree.get(op, key + 1)?.filter(|next| next.value == version);
    let len = 1 + next.map_or(0, |next| next.len);
    if next.is_some() && joined.is_some() {
        tree.remove(op, &mut nodes, key + 1)?;
    }
    match (joined, next) {
        (Some(before), _) => {
            tree.replace(op, Record { len: before.len + len, ..before })?;
        }
        (None, Some(next)) => tree.rekey(op, &mut nodes, key + 1, Record { key, len, ..next })?,
        (None, None) => {
            tree.insert(op, &mut nodes, Record { key, value: version, len, flags: 0 })?;
        }
    }
    group::change(op, group, |core| core.pending_blocks.set(core.pending_blocks.get() + 1))
}

/// Takes a pending block for metadata: the first one at or after `near`, or else any.
pub(super) fn take(op: &mut Op<'_>, group: u32, near: u32) -> Result<Option<u32>, Stop> {
    let tree = pending_tree(op, group);
    let after = tree.first_at_or_after(op, u64::from(near))?;
    let found = if after.is_some() { after } else { tree.first_at_or_after(op, 0)? };
    let Some(record) = found else { return Ok(None) };
    shorten(op, group, &tree, record, 1)?;
    count_blocks(op, 1)?;
    Ok(Some(record.key as u32))
}

/// Takes the first `len` blocks of a record out of the tree.
fn shorten(op: &mut Op<'_>, group: u32, tree: &Tree, record: Record, len: u32) -> Result<(), Stop> {
    let mut nodes = GroupNodes { group, kind: Kind::PendingNode };
    if record.len == len {
        tree.remove(op, &mut nodes, record.key)?;
    } else {
        let key = record.key + u64::from(len);
        let rest = Record { key, len: record.len - len, ..record };
        tree.rekey(op, &mut nodes, record.key, rest)?;
    }
    group::change(op, group, |core| {
        core.pending_blocks.set(core.pending_blocks.get().saturating_sub(len));
    })
}

/// Moves pending blocks of a group that no replay can touch any more back to the bitmap: at most
/// `records` runs of them. Tells how many blocks that were.
pub fn reclaim(op: &mut Op<'_>, group: u32, records: u32) -> Result<u64, Stop> {
    let header = group::header(op, group)?;
    if GroupCore::of(&header).pending_blocks.get() == 0 {
        return Ok(0);
    }
    drop(header);
    let (tree, watermark) = (pending_tree(op, group), op.watermark());
    let (mut moved, mut at) = (0, 0);
    for _ in 0..records {
        let mut found = None;
        tree.visit(op, at, |record| {
            found = (record.value < watermark).then_some(record);
            found.is_none()
        })?;
        let Some(record) = found else { break };
        if record.end() > op.geometry().group_len(group) {
            return Err(Damage::field(tree.root.bno, tree.root.want, "pending free").into());
        }
        let in_block = BITS_PER_BLOCK - record.key % BITS_PER_BLOCK;
        let len = u64::from(record.len).min(in_block) as u32;
        shorten(op, group, &tree, record, len)?;
        group::give(op, group, record.key as u32, len)?;
        moved += u64::from(len);
        at = record.key + u64::from(len);
    }
    Ok(moved)
}
