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
    let (from, to) = (u64::from(piece.from), u64::from(piece.to));
    let new = Record { key: from, value: count, len: piece.to - piece.from, flags: 0 };
    let alike = |one: &Record, next: &Record| one.value == next.value;
    if let Some(record) = piece.record {
        if count > 1 && record.key == from && record.end() == to {
            return tree.restate(op, &mut nodes, new, alike);
        }
        let part = |record: &Record, from: u64, to: u64| Record {
            key: from,
            len: (to - from) as u32,
            ..*record
        };
        tree.cut(op, &mut nodes, record, from, to, part)?;
    }
    if count > 1 { tree.put(op, &mut nodes, new, alike) } else { Ok(()) }
}
