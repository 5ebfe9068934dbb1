//! Areas in memory: what is read from them, and how entries come and go.

use std::ops::Range;
use std::rc::Rc;

use zerocopy::IntoBytes;

use crate::format::{
    HEADER_LEN, NODE_AT, NODE_LEN, TREE_DEPTH_MAX, TreeChild, TreeHead, TreeRecord, tree_children,
    tree_entries_max, tree_entry_len, tree_head, tree_records,
};
use crate::store::{Block, Damage, Op, Stop, Want};

/// An area inside a block: where the root of a tree lives, or a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RootArea {
    /// The block.
    pub bno: u64,
    /// What the block is.
    pub want: Want,
    /// Where the area begins in it, in bytes.
    pub at: usize,
    /// Bytes of the area; at least [`ROOT_LEN_MIN`].
    pub len: usize,
}

/// Bytes of the smallest root area: two records, or three children.
pub const ROOT_LEN_MIN: usize = 56;

impl RootArea {
    /// The area of a node block.
    pub fn of_node(bno: u64, want: Want) -> RootArea {
        RootArea { bno, want, at: NODE_AT, len: NODE_LEN }
    }

    /// Entries that it holds at a level.
    pub(super) fn max(&self, level: u16) -> usize {
        tree_entries_max(self.len, level)
    }

    /// The bytes of the area in its block.
    pub(super) fn range(&self) -> Range<usize> {
        self.at..self.at + self.len
    }

    /// Reads the area; a count or a level that cannot be is damage.
    #[inline]
    pub(super) fn view(&self, op: &Op<'_>, level: Option<u16>) -> Result<View, Stop> {
        let block = op.read(self.bno, self.want)?;
        let head = tree_head(&block.bytes()[self.range()]);
        let (count, found) = (usize::from(head.count.get()), head.level.get());
        if usize::from(found) >= TREE_DEPTH_MAX || level.is_some_and(|level| level != found) {
            return Err(self.damage("level"));
        }
        if count > self.max(found) || (count == 0 && found > 0) {
            return Err(self.damage("count"));
        }
        Ok(View { block, at: self.at, len: self.len, count, level: found })
    }

    /// The area, to be changed.
    pub(super) fn edit<'a>(&self, op: &'a mut Op<'_>) -> Result<AreaMut<'a>, Stop> {
        let range = self.range();
        Ok(AreaMut { block: op.edit(self.bno, self.want)?, range })
    }

    /// The area of a block that was just allocated.
    pub(super) fn fresh<'a>(&self, op: &'a mut Op<'_>, level: u16) -> Result<AreaMut<'a>, Stop> {
        let range = self.range();
        let mut area = AreaMut { block: op.fresh(self.bno, self.want, level)?, range };
        area.set_head(0, level);
        Ok(area)
    }

    pub(super) fn damage(&self, field: &'static str) -> Stop {
        Damage::field(self.bno, self.want, field).into()
    }
}

/// An area that was read, with a head that can be.
pub(super) struct View {
    block: Rc<Block>,
    at: usize,
    len: usize,
    pub(super) count: usize,
    pub(super) level: u16,
}

impl View {
    fn area(&self) -> &[u8] {
        &self.block.bytes()[self.at..self.at + self.len]
    }

    #[inline]
    pub(super) fn records(&self) -> &[TreeRecord] {
        tree_records(self.area(), self.count)
    }

    #[inline]
    pub(super) fn children(&self) -> &[TreeChild] {
        tree_children(self.area(), self.count)
    }

    /// The bytes of some entries.
    pub(super) fn entries(&self, range: Range<usize>) -> &[u8] {
        let size = tree_entry_len(self.level);
        let from = size_of::<TreeHead>();
        &self.area()[from + range.start * size..from + range.end * size]
    }

    /// The first and the last key.
    pub(super) fn keys(&self) -> Option<(u64, u64)> {
        let last = self.count.checked_sub(1)?;
        Some(match self.level {
            0 => (self.records()[0].key.get(), self.records()[last].key.get()),
            _ => (self.children()[0].key.get(), self.children()[last].key.get()),
        })
    }
}

/// An area to be changed. Bytes behind the last entry stay zero.
pub(super) struct AreaMut<'a> {
    block: &'a mut Block,
    range: Range<usize>,
}

impl AreaMut<'_> {
    fn area(&mut self) -> &mut [u8] {
        &mut self.block.bytes_mut()[self.range.clone()]
    }

    fn head(&mut self) -> (usize, u16) {
        let head = tree_head(self.area());
        (usize::from(head.count.get()), head.level.get())
    }

    fn set_head(&mut self, count: usize, level: u16) {
        let count = u16::try_from(count).expect("no area holds that many");
        let head = TreeHead { count: count.into(), level: level.into(), reserved: 0.into() };
        self.area()[..size_of::<TreeHead>()].copy_from_slice(head.as_bytes());
        if self.range.start == HEADER_LEN {
            let header = crate::format::Header { level: level.into(), ..*self.block.header() };
            self.block.set_header(&header);
        }
    }

    fn place(level: u16, at: usize) -> usize {
        size_of::<TreeHead>() + at * tree_entry_len(level)
    }

    /// Puts an entry before the `at`th.
    pub(super) fn insert(&mut self, at: usize, entry: &[u8]) {
        let (count, level) = self.head();
        assert!(at <= count && count < tree_entries_max(self.range.len(), level));
        let (from, end) = (Self::place(level, at), Self::place(level, count));
        let area = self.area();
        area.copy_within(from..end, from + entry.len());
        area[from..from + entry.len()].copy_from_slice(entry);
        self.set_head(count + 1, level);
    }

    /// Overwrites the `at`th entry.
    pub(super) fn set(&mut self, at: usize, entry: &[u8]) {
        let (count, level) = self.head();
        assert!(at < count && entry.len() == tree_entry_len(level));
        let from = Self::place(level, at);
        self.area()[from..from + entry.len()].copy_from_slice(entry);
    }

    /// Takes out the `at`th entry.
    pub(super) fn remove(&mut self, at: usize) {
        let (count, level) = self.head();
        assert!(at < count);
        let (from, end) = (Self::place(level, at + 1), Self::place(level, count));
        self.area().copy_within(from..end, Self::place(level, at));
        self.truncate(count - 1);
    }

    /// Takes out the `at`th child; its keys go to the child before, those of the first to the next.
    pub(super) fn remove_child(&mut self, at: usize) {
        let (count, _) = self.head();
        let first = tree_children(self.area(), count)[0];
        self.remove(at);
        if at == 0 && count > 1 {
            let next = tree_children(self.area(), count - 1)[0];
            self.set(0, TreeChild { key: first.key, ..next }.as_bytes());
        }
    }

    /// Adds entries at the end.
    pub(super) fn append(&mut self, entries: &[u8]) {
        let (count, level) = self.head();
        let more = entries.len() / tree_entry_len(level);
        assert!(count + more <= tree_entries_max(self.range.len(), level));
        let from = Self::place(level, count);
        self.area()[from..from + entries.len()].copy_from_slice(entries);
        self.set_head(count + more, level);
    }

    /// Keeps the first `count` entries.
    pub(super) fn truncate(&mut self, count: usize) {
        let (before, level) = self.head();
        assert!(count <= before);
        let (from, end) = (Self::place(level, count), Self::place(level, before));
        self.area()[from..end].fill(0);
        self.set_head(count, level);
    }

    /// Takes out everything, and is of another level from here on.
    pub(super) fn reset(&mut self, level: u16) {
        self.truncate(0);
        self.set_head(0, level);
    }
}
