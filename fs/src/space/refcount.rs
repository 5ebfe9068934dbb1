//! How many extents refer to a block of data. One reference has no record.

use super::group;
use super::nodes::GroupNodes;
use crate::format::{GROUP_REFCOUNTS_AT, GROUP_REFCOUNTS_LEN, Kind};
use crate::store::{Damage, Op, Stop};
use crate::tree::{Record, RootArea, Tree};

/// The tree of a group's refcounts: key is the block in the group, value the count.
pub fn refcount_tree(op: &Op<'_>, group: u32) -> Tree {
    let root = RootArea {
        bno: op.geometry().group_header(group),
        want: group::header_want(group),
        at: GROUP_REFCOUNTS_AT,
        len: GROUP_REFCOUNTS_LEN,
    };
    Tree::new(root, Kind::RefcountNode, u64::from(group))
}

/// Blocks `from..to` of a group that have the same count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub(super) from: u32,
    pub(super) to: u32,
    /// The record that covers the piece; None: one reference.
    record: Option<Record>,
}

impl Piece {
    pub(super) fn count(&self) -> u64 {
        self.record.map_or(1, |record| record.value)
    }

    pub(super) fn len(&self) -> u64 {
        u64::from(self.to - self.from)
    }
}

/// The first piece of blocks `from..to` of a group.
pub(super) fn piece(op: &Op<'_>, group: u32, from: u32, to: u32) -> Result<Piece, Stop> {
    let tree = refcount_tree(op, group);
    let end = |key: u64| key.min(u64::from(to)) as u32;
    if let Some(record) = tree.covering(op, u64::from(from))? {
        if record.value < 2 {
            return Err(Damage::field(tree.root.bno, tree.root.want, "refcount").into());
        }
        return Ok(Piece { from, to: end(record.end()), record: Some(record) });
    }
    let next = tree.first_at_or_after(op, u64::from(from))?;
    Ok(Piece { from, to: end(next.map_or(u64::MAX, |next| next.key)), record: None })
}

/// Gives a piece another count, of at least 1.
pub(super) fn set(op: &mut Op<'_>, group: u32, piece: Piece, count: u64) -> Result<(), Stop> {
    let tree = refcount_tree(op, group);
    let mut nodes = GroupNodes { group, kind: Kind::RefcountNode };
    if let Some(record) = piece.record {
        cut(op, &tree, &mut nodes, record, piece)?;
    }
    if count > 1 {
        put(op, &tree, &mut nodes, piece, count)?;
    }
    Ok(())
}

/// Takes a piece out of the record that covers it.
fn cut(
    op: &mut Op<'_>,
    tree: &Tree,
    nodes: &mut GroupNodes,
    record: Record,
    piece: Piece,
) -> Result<(), Stop> {
    let (from, to) = (u64::from(piece.from), u64::from(piece.to));
    let rest = Record { key: to, len: (record.end() - to) as u32, ..record };
    match (record.key < from, rest.len > 0) {
        (false, false) => tree.remove(op, nodes, record.key).map(drop),
        (false, true) => tree.rekey(op, nodes, record.key, rest),
        (true, goes_on) => {
            tree.replace(op, Record { len: (from - record.key) as u32, ..record })?;
            if goes_on { tree.insert(op, nodes, rest) } else { Ok(()) }
        }
    }
}

/// Records a piece that no record covers; alike neighbours become one record.
fn put(
    op: &mut Op<'_>,
    tree: &Tree,
    nodes: &mut GroupNodes,
    piece: Piece,
    count: u64,
) -> Result<(), Stop> {
    let (from, to) = (u64::from(piece.from), u64::from(piece.to));
    let mut len = piece.to - piece.from;
    let before = tree.last_at_or_before(op, from)?;
    let before = before.filter(|before| before.end() == from && before.value == count);
    let after = tree.get(op, to)?.filter(|after| after.value == count);
    if let Some(after) = after {
        len += after.len;
    }
    match (before, after) {
        (Some(before), after) => {
            if let Some(after) = after {
                tree.remove(op, nodes, after.key)?;
            }
            tree.replace(op, Record { len: before.len + len, ..before }).map(drop)
        }
        (None, Some(after)) => tree.rekey(op, nodes, to, Record { key: from, len, ..after }),
        (None, None) => tree.insert(op, nodes, Record { key: from, value: count, len, flags: 0 }),
    }
}
