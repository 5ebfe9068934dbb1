//! One B+tree of 24-byte records: extents, directory indexes, refcounts, pending frees, orphans,
//! attributes.
//!
//! The root is an area inside another block; a tree grows from there into node blocks, and falls
//! back into it. Invariants: keys ascend strictly; a child holds the keys from its own key up to
//! that of the next child; every node but the root holds an entry; a node's level is one less than
//! its parent's, so that no loop of pointers is followed. What breaks them on disk is damage.
//! An operation on a tree edits at most two blocks a level, and the root.

mod area;
mod change;
mod check;
mod path;
mod runs;
#[cfg(test)]
mod tests;

pub use area::{ROOT_LEN_MIN, RootArea};
pub(crate) use check::{check_area, check_node};

use area::View;

use crate::format::{Kind, TreeRecord};
use crate::store::{Op, Stop, Want};

/// A record of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Record {
    /// What it is found by.
    pub key: u64,
    /// What it tells.
    pub value: u64,
    /// How many keys it covers; trees whose records cover one key set 1.
    pub len: u32,
    /// By the kind of tree.
    pub flags: u16,
}

impl Record {
    /// The first key that it does not cover.
    pub fn end(&self) -> u64 {
        self.key.saturating_add(u64::from(self.len))
    }

    fn on_disk(&self) -> TreeRecord {
        TreeRecord {
            key: self.key.into(),
            value: self.value.into(),
            len: self.len.into(),
            flags: self.flags.into(),
            reserved: 0.into(),
        }
    }
}

impl From<&TreeRecord> for Record {
    fn from(found: &TreeRecord) -> Record {
        Record {
            key: found.key.get(),
            value: found.value.get(),
            len: found.len.get(),
            flags: found.flags.get(),
        }
    }
}

/// Where a tree gets its node blocks from, and where they go.
pub trait Nodes {
    /// Allocates a block, near another one. The tree writes its header.
    fn alloc(&mut self, op: &mut Op<'_>, near: u64) -> Result<u64, Stop>;
    /// Frees a block.
    fn free(&mut self, op: &mut Op<'_>, bno: u64) -> Result<(), Stop>;
}

/// A tree: where its root is, and what its node blocks are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tree {
    /// The root's area.
    pub root: RootArea,
    /// The kind of node blocks.
    pub node: Kind,
    /// The owner of node blocks.
    pub owner: u64,
}

impl Tree {
    /// A tree whose root is in `root`. An area of zeroes is an empty tree.
    pub fn new(root: RootArea, node: Kind, owner: u64) -> Tree {
        assert!(root.len >= ROOT_LEN_MIN, "a root holds two records");
        Tree { root, node, owner }
    }

    fn want(&self) -> Want {
        Want::new(self.node, self.owner)
    }

    fn node(&self, bno: u64) -> RootArea {
        RootArea::of_node(bno, self.want())
    }

    /// True where there is no record.
    pub fn is_empty(&self, op: &Op<'_>) -> Result<bool, Stop> {
        Ok(self.root.view(op, None)?.count == 0)
    }

    /// Levels of the tree: 1 where all records are in the root's area.
    pub fn depth(&self, op: &Op<'_>) -> Result<u16, Stop> {
        Ok(self.root.view(op, None)?.level + 1)
    }

    /// The record of exactly this key.
    pub fn get(&self, op: &Op<'_>, key: u64) -> Result<Option<Record>, Stop> {
        Ok(self.last_at_or_before(op, key)?.filter(|record| record.key == key))
    }

    /// The last record whose key is `key` or less.
    pub fn last_at_or_before(&self, op: &Op<'_>, key: u64) -> Result<Option<Record>, Stop> {
        let mut key = key;
        loop {
            let leaf = self.leaf(op, key)?;
            let records = leaf.view.records();
            let after = records.partition_point(|record| record.key.get() <= key);
            match after.checked_sub(1) {
                Some(at) => return Ok(Some(Record::from(&records[at]))),
                None if leaf.lower == 0 => return Ok(None),
                None => key = leaf.lower - 1,
            }
        }
    }

    /// The first record whose key is `key` or greater.
    pub fn first_at_or_after(&self, op: &Op<'_>, key: u64) -> Result<Option<Record>, Stop> {
        let mut found = None;
        self.visit(op, key, |record| {
            found = Some(record);
            false
        })?;
        Ok(found)
    }

    /// The record that covers a key.
    pub fn covering(&self, op: &Op<'_>, key: u64) -> Result<Option<Record>, Stop> {
        Ok(self.last_at_or_before(op, key)?.filter(|record| key < record.end()))
    }

    /// Shows the records from `key` on, in their order, for as long as `visitor` answers true.
    pub fn visit(
        &self,
        op: &Op<'_>,
        key: u64,
        mut visitor: impl FnMut(Record) -> bool,
    ) -> Result<(), Stop> {
        let mut key = key;
        loop {
            let leaf = self.leaf(op, key)?;
            let records = leaf.view.records();
            let first = records.partition_point(|record| record.key.get() < key);
            if !records[first..].iter().all(|record| visitor(Record::from(record))) {
                return Ok(());
            }
            match leaf.upper {
                Some(upper) => key = upper,
                None => return Ok(()),
            }
        }
    }

    /// Shows every node block: its number and its level; parents before their children.
    pub fn visit_nodes(&self, op: &Op<'_>, visitor: &mut impl FnMut(u64, u16)) -> Result<(), Stop> {
        let view = self.root.view(op, None)?;
        self.visit_below(op, &view, visitor)
    }

    fn visit_below(
        &self,
        op: &Op<'_>,
        view: &View,
        visitor: &mut impl FnMut(u64, u16),
    ) -> Result<(), Stop> {
        if view.level == 0 {
            return Ok(());
        }
        for child in view.children() {
            let bno = child.child.get();
            visitor(bno, view.level - 1);
            if view.level > 1 {
                let below = self.node(bno).view(op, Some(view.level - 1))?;
                self.visit_below(op, &below, visitor)?;
            }
        }
        Ok(())
    }
}
