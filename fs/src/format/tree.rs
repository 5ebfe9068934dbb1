//! Areas of trees: the root area inside another block, and the area of a node block.
//!
//! An area is a [`TreeHead`], then entries in ascending order of their keys without gaps: records
//! where the level is 0, else children. What follows the last entry is zero. A child holds the
//! keys from its own key up to that of the next child; the first child of the leftmost nodes has 0.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{BLOCK_LEN, HEADER_LEN};

/// Where the area of a node block begins.
pub const NODE_AT: usize = HEADER_LEN;
/// Bytes of the area of a node block.
pub const NODE_LEN: usize = BLOCK_LEN - HEADER_LEN;
/// Levels that a tree can have, its root counted.
pub const TREE_DEPTH_MAX: usize = 8;

/// The first bytes of an area.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct TreeHead {
    /// Entries that follow.
    pub count: U16,
    /// 0 in leaves; a parent's level is one more than its children's.
    pub level: U16,
    /// Zero.
    pub reserved: U32,
}

/// An entry of a leaf.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct TreeRecord {
    /// What the record is found by.
    pub key: U64,
    /// What it tells.
    pub value: U64,
    /// How many keys it covers.
    pub len: U32,
    /// By the kind of tree.
    pub flags: U16,
    /// Zero.
    pub reserved: U16,
}

/// An entry of an inner node.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct TreeChild {
    /// No key below the child is less.
    pub key: U64,
    /// The child's block.
    pub child: U64,
}

const _: () = assert!(size_of::<TreeHead>() == 8);
const _: () = assert!(size_of::<TreeRecord>() == 24);
const _: () = assert!(size_of::<TreeChild>() == 16);

/// Bytes of one entry at a level.
pub fn tree_entry_len(level: u16) -> usize {
    if level == 0 { size_of::<TreeRecord>() } else { size_of::<TreeChild>() }
}

/// Entries that an area of `len` bytes holds at a level.
pub fn tree_entries_max(len: usize, level: u16) -> usize {
    len.saturating_sub(size_of::<TreeHead>()) / tree_entry_len(level)
}

/// The head of an area, unjudged. The area holds at least a head.
pub fn tree_head(area: &[u8]) -> &TreeHead {
    TreeHead::ref_from_prefix(area).expect("an area holds a head").0
}

/// The first `count` records of a leaf's area; fewer where the area ends before.
pub fn tree_records(area: &[u8], count: usize) -> &[TreeRecord] {
    let count = count.min(tree_entries_max(area.len(), 0));
    let bytes = &area[size_of::<TreeHead>()..][..count * size_of::<TreeRecord>()];
    <[TreeRecord]>::ref_from_bytes(bytes).expect("whole records, of any alignment")
}

/// The first `count` children of an inner node's area; fewer where the area ends before.
pub fn tree_children(area: &[u8], count: usize) -> &[TreeChild] {
    let count = count.min(tree_entries_max(area.len(), 1));
    let bytes = &area[size_of::<TreeHead>()..][..count * size_of::<TreeChild>()];
    <[TreeChild]>::ref_from_bytes(bytes).expect("whole children, of any alignment")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_holds_167_records_or_251_children() {
        assert_eq!(tree_entries_max(NODE_LEN, 0), 167);
        assert_eq!(tree_entries_max(NODE_LEN, 3), 251);
        assert_eq!(tree_entries_max(3, 0), 0);
    }

    #[test]
    fn a_count_beyond_the_area_gives_what_is_there() {
        let area = [0xff; 60];
        assert_eq!(tree_records(&area, 0xffff).len(), 2);
        assert_eq!(tree_children(&area, 0xffff).len(), 3);
    }
}
