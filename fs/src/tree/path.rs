//! The way from the root down to the leaf of a key.

use super::area::{RootArea, View};
use super::{Record, Tree};
use crate::format::TREE_DEPTH_MAX;
use crate::store::{Op, Stop};

/// The leaf that a key belongs to.
pub(super) struct Leaf {
    pub(super) view: View,
    /// No key of the leaf is less.
    pub(super) lower: u64,
    /// Every key of the leaf is less; None in the last leaf.
    pub(super) upper: Option<u64>,
}

/// One node on the way.
#[derive(Clone, Copy)]
pub(super) struct Step {
    pub(super) area: RootArea,
    pub(super) level: u16,
    pub(super) count: usize,
    /// Which child the way goes on with; in the leaf, how many records have a lesser key.
    pub(super) index: usize,
}

/// The way itself: the root comes first.
pub(super) struct Path {
    steps: [Step; TREE_DEPTH_MAX],
    len: usize,
    /// Every key of the leaf is less; None in the last leaf.
    pub(super) upper: Option<u64>,
    /// No key of the leaf is less.
    pub(super) lower: u64,
    /// The record of exactly the key.
    pub(super) exact: Option<Record>,
}

impl Path {
    pub(super) fn steps(&self) -> &[Step] {
        &self.steps[..self.len]
    }

    pub(super) fn leaf(&self) -> Step {
        self.steps[self.len - 1]
    }
}

/// What the way down is narrowed to.
struct Bounds {
    lower: u64,
    upper: Option<u64>,
}

impl Bounds {
    /// Picks the child of an inner node that holds `key`.
    fn descend(&mut self, area: &RootArea, view: &View, key: u64) -> Result<usize, Stop> {
        let children = view.children();
        let index = children.partition_point(|child| child.key.get() <= key);
        // The first child's key is the node's lower bound, so a lesser key never comes here.
        let index = index.checked_sub(1).ok_or_else(|| area.damage("first key"))?;
        self.lower = children[index].key.get();
        self.upper = children.get(index + 1).map(|next| next.key.get()).or(self.upper);
        Ok(index)
    }

    /// The keys of a node are within what its parent says.
    fn hold(&self, area: &RootArea, view: &View) -> Result<(), Stop> {
        let Some((first, last)) = view.keys() else {
            return if self.lower == 0 && self.upper.is_none() {
                Ok(())
            } else {
                Err(area.damage("count"))
            };
        };
        let inner = view.level > 0;
        if first < self.lower || (inner && first != self.lower) || last < first {
            return Err(area.damage("first key"));
        }
        match self.upper {
            Some(upper) if last >= upper => Err(area.damage("last key")),
            _ => Ok(()),
        }
    }
}

impl Tree {
    /// The leaf that `key` belongs to.
    #[inline]
    pub(super) fn leaf(&self, op: &Op<'_>, key: u64) -> Result<Leaf, Stop> {
        let mut bounds = Bounds { lower: 0, upper: None };
        let mut area = self.root;
        let mut view = area.view(op, None)?;
        bounds.hold(&area, &view)?;
        while view.level > 0 {
            let index = bounds.descend(&area, &view, key)?;
            let level = view.level - 1;
            area = self.node(view.children()[index].child.get());
            view = area.view(op, Some(level))?;
            bounds.hold(&area, &view)?;
        }
        Ok(Leaf { view, lower: bounds.lower, upper: bounds.upper })
    }

    /// The way to the leaf that `key` belongs to.
    pub(super) fn path(&self, op: &Op<'_>, key: u64) -> Result<Path, Stop> {
        let mut bounds = Bounds { lower: 0, upper: None };
        let mut area = self.root;
        let mut wanted = None;
        let empty = Step { area, level: 0, count: 0, index: 0 };
        let mut steps = [empty; TREE_DEPTH_MAX];
        let mut len = 0;
        loop {
            let view = area.view(op, wanted)?;
            bounds.hold(&area, &view)?;
            let mut step = Step { area, level: view.level, count: view.count, index: 0 };
            if view.level == 0 {
                let records = view.records();
                step.index = records.partition_point(|record| record.key.get() < key);
                let exact = records.get(step.index).map(Record::from);
                let exact = exact.filter(|record| record.key == key);
                steps[len] = step;
                let Bounds { lower, upper } = bounds;
                return Ok(Path { steps, len: len + 1, upper, lower, exact });
            }
            step.index = bounds.descend(&area, &view, key)?;
            steps[len] = step;
            len += 1;
            wanted = Some(view.level - 1);
            area = self.node(view.children()[step.index].child.get());
        }
    }
}
