//! How records come and go, and how a tree grows from its root's area and falls back into it.

use zerocopy::IntoBytes;

use super::area::RootArea;
use super::path::Path;
use super::{Nodes, Record, Tree};
use crate::format::{TREE_DEPTH_MAX, TreeChild};
use crate::store::{Op, Stop};

/// A node with fewer than a quarter of its entries is merged with a neighbour, where the two fill
/// three quarters of a block at most: so the next insertion does not split it again.
const SPARSE: usize = 4;

fn fits(count: usize, max: usize) -> bool {
    count <= max - max / SPARSE
}

impl Tree {
    /// Adds a record. Its key is not in the tree yet.
    pub fn insert(
        &self,
        op: &mut Op<'_>,
        nodes: &mut impl Nodes,
        record: Record,
    ) -> Result<(), Stop> {
        loop {
            let path = self.path(op, record.key)?;
            let leaf = path.leaf();
            if path.exact.is_some() {
                return Err(leaf.area.damage("key: it is there already"));
            }
            if leaf.count < leaf.area.max(0) {
                leaf.area.edit(op)?.insert(leaf.index, record.on_disk().as_bytes());
                return Ok(());
            }
            self.make_room(op, nodes, &path)?;
        }
    }

    /// Overwrites the record of the same key; gives out what it was, None where there is none.
    pub fn replace(&self, op: &mut Op<'_>, record: Record) -> Result<Option<Record>, Stop> {
        let path = self.path(op, record.key)?;
        let leaf = path.leaf();
        if path.exact.is_some_and(|before| before != record) {
            leaf.area.edit(op)?.set(leaf.index, record.on_disk().as_bytes());
        }
        Ok(path.exact)
    }

    /// Takes out the record of a key, None where there is none.
    pub fn remove(
        &self,
        op: &mut Op<'_>,
        nodes: &mut impl Nodes,
        key: u64,
    ) -> Result<Option<Record>, Stop> {
        let path = self.path(op, key)?;
        if path.exact.is_some() {
            let leaf = path.leaf();
            leaf.area.edit(op)?.remove(leaf.index);
            self.shrink(op, nodes, &path)?;
        }
        Ok(path.exact)
    }

    /// Puts `record` in the place of the one at `key`, which is there; no other record has a key
    /// between the two.
    pub fn rekey(
        &self,
        op: &mut Op<'_>,
        nodes: &mut impl Nodes,
        key: u64,
        record: Record,
    ) -> Result<(), Stop> {
        let path = self.path(op, key)?;
        let leaf = path.leaf();
        if path.exact.is_none() {
            return Err(leaf.area.damage("key: it is not there"));
        }
        if path.lower <= record.key && path.upper.is_none_or(|upper| record.key < upper) {
            leaf.area.edit(op)?.set(leaf.index, record.on_disk().as_bytes());
            return Ok(());
        }
        self.remove(op, nodes, key)?;
        self.insert(op, nodes, record)
    }

    /// Makes the tree fit where its root's area is `len` bytes, not more than it is now. The caller
    /// then shortens the area.
    pub fn shorten_root(
        &self,
        op: &mut Op<'_>,
        nodes: &mut impl Nodes,
        len: usize,
    ) -> Result<(), Stop> {
        let view = self.root.view(op, None)?;
        let short = RootArea { len, ..self.root };
        let fits = view.count <= short.max(view.level);
        drop(view);
        if fits { Ok(()) } else { self.grow(op, nodes) }
    }

    /// Makes the leaf of a path less full: one node is split, or the root grows. The path is
    /// stale afterwards.
    fn make_room(&self, op: &mut Op<'_>, nodes: &mut impl Nodes, path: &Path) -> Result<(), Stop> {
        let full = |step: &super::path::Step| step.count >= step.area.max(step.level);
        let roomy = path.steps().iter().rposition(|step| !full(step));
        match roomy {
            Some(parent) => self.split(op, nodes, path, parent),
            None => self.grow(op, nodes),
        }
    }

    /// The content of the root moves to a block of its own, and the root is its parent.
    fn grow(&self, op: &mut Op<'_>, nodes: &mut impl Nodes) -> Result<(), Stop> {
        let view = self.root.view(op, None)?;
        let level = view.level;
        if usize::from(level) + 1 >= TREE_DEPTH_MAX {
            return Err(self.root.damage("level"));
        }
        let bno = nodes.alloc(op, self.root.bno)?;
        self.node(bno).fresh(op, level)?.append(view.entries(0..view.count));
        drop(view);
        let mut root = self.root.edit(op)?;
        root.reset(level + 1);
        root.append(TreeChild { key: 0.into(), child: bno.into() }.as_bytes());
        Ok(())
    }

    /// Splits the full node below `parent`. Where entries come in order, the node before stays
    /// full but for one entry.
    fn split(
        &self,
        op: &mut Op<'_>,
        nodes: &mut impl Nodes,
        path: &Path,
        parent: usize,
    ) -> Result<(), Stop> {
        let (parent, node) = (path.steps()[parent], path.steps()[parent + 1]);
        let last = node.count - 1;
        let appends = node.index >= if node.level == 0 { node.count } else { last };
        let keep = if appends { last } else { node.count / 2 };
        let bno = nodes.alloc(op, node.area.bno)?;
        let view = node.area.view(op, Some(node.level))?;
        let key = |at: usize| match node.level {
            0 => view.records()[at].key,
            _ => view.children()[at].key,
        };
        let (first, middle) = (key(0), key(keep));
        self.node(bno).fresh(op, node.level)?.append(view.entries(keep..node.count));
        drop(view);
        node.area.edit(op)?.truncate(keep);
        let mut parent_area = parent.area.edit(op)?;
        if parent.index == 0 {
            // The first child may hold lesser keys than its own, which must stay less than the next.
            let child = TreeChild { key: first, child: node.area.bno.into() };
            parent_area.set(0, child.as_bytes());
        }
        let child = TreeChild { key: middle, child: bno.into() };
        parent_area.insert(parent.index + 1, child.as_bytes());
        Ok(())
    }

    /// A record of the path's leaf was taken out: frees and merges nodes, from the leaf up.
    fn shrink(&self, op: &mut Op<'_>, nodes: &mut impl Nodes, path: &Path) -> Result<(), Stop> {
        let steps = path.steps();
        for at in (1..steps.len()).rev() {
            let (parent, node) = (steps[at - 1], steps[at]);
            // One entry is gone from this node: that of the record, or that of the child below.
            let count = node.count - 1;
            if count == 0 {
                nodes.free(op, node.area.bno)?;
                parent.area.edit(op)?.remove(parent.index);
            } else if !self.merge(op, nodes, parent, node.level, count)? {
                break;
            }
        }
        self.collapse(op, nodes)
    }

    /// Merges the node below `parent` on the path with a neighbour, where that makes sense.
    fn merge(
        &self,
        op: &mut Op<'_>,
        nodes: &mut impl Nodes,
        parent: super::path::Step,
        level: u16,
        count: usize,
    ) -> Result<bool, Stop> {
        let max = self.node(0).max(level);
        if count * SPARSE > max || parent.count < 2 {
            return Ok(false);
        }
        let right = if parent.index + 1 < parent.count { parent.index + 1 } else { parent.index };
        let view = parent.area.view(op, Some(level + 1))?;
        let child = |at: usize| self.node(view.children()[at].child.get());
        let (left, gone, lower) = (child(right - 1), child(right), view.children()[right].key);
        drop(view);
        let view = gone.view(op, Some(level))?;
        let before = left.view(op, Some(level))?.count;
        if !fits(before + view.count, max) {
            return Ok(false);
        }
        let mut left = left.edit(op)?;
        left.append(view.entries(0..view.count));
        if level > 0 {
            // It was a first child, which holds all from its node's lower bound on.
            let first = TreeChild { key: lower, ..view.children()[0] };
            left.set(before, first.as_bytes());
        }
        drop(view);
        nodes.free(op, gone.bno)?;
        parent.area.edit(op)?.remove(right);
        Ok(true)
    }

    /// While the root has one child whose entries fit into its area, they move there.
    fn collapse(&self, op: &mut Op<'_>, nodes: &mut impl Nodes) -> Result<(), Stop> {
        loop {
            let block = op.read(self.root.bno, self.root.want)?;
            let head = *crate::format::tree_head(&block.bytes()[self.root.range()]);
            drop(block);
            let (count, level) = (head.count.get(), head.level.get());
            if level == 0 || count > 1 {
                return Ok(());
            }
            if count == 0 {
                self.root.edit(op)?.reset(0);
                return Ok(());
            }
            let child = self.node(self.root.view(op, None)?.children()[0].child.get());
            let view = child.view(op, Some(level - 1))?;
            if !fits(view.count, self.root.max(level - 1)) {
                return Ok(());
            }
            let mut root = self.root.edit(op)?;
            root.reset(level - 1);
            root.append(view.entries(0..view.count));
            drop(view);
            nodes.free(op, child.bno)?;
        }
    }
}
