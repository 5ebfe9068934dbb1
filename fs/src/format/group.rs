//! The header of an allocation group.
//!
//! Invariants: `free` is the number of clear bits in the group's bitmap; pending blocks are set in
//! the bitmap and do not count as free. The hints may be anything inside the group.

use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::view::{table, table_mut};
use super::{BLOCK_LEN, Geometry, HEADER_LEN, Kind};
use crate::store::{Block, Damage, Fault, Want};

/// The root area of the group's refcounts begins here in its header block.
pub const GROUP_REFCOUNTS_AT: usize = 1024;
/// Bytes of that root area.
pub const GROUP_REFCOUNTS_LEN: usize = 1536;
/// The root area of the group's pending frees begins here in its header block.
pub const GROUP_PENDING_AT: usize = 2560;
/// Bytes of that root area.
pub const GROUP_PENDING_LEN: usize = 1536;

/// What follows the header in the header block of a group.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct GroupCore {
    /// The group's number.
    pub group: U32,
    /// Blocks of the group.
    pub blocks: U32,
    /// Clear bits of the bitmap.
    pub free: U32,
    /// Blocks of the bitmap; they follow the header.
    pub bitmap_blocks: U32,
    /// Where the search for a dinode begins: a block of the group. A hint.
    pub inode_hint: U32,
    /// Where the search for data begins: a block of the group. A hint.
    pub data_hint: U32,
    /// Blocks in the tree of pending frees.
    pub pending_blocks: U32,
    /// Zero.
    pub reserved: [u8; 932],
}

const _: () = assert!(HEADER_LEN + size_of::<GroupCore>() == GROUP_REFCOUNTS_AT);
const _: () = assert!(GROUP_REFCOUNTS_AT + GROUP_REFCOUNTS_LEN == GROUP_PENDING_AT);
const _: () = assert!(GROUP_PENDING_AT + GROUP_PENDING_LEN == BLOCK_LEN);

impl GroupCore {
    /// The table in the header block of a group.
    pub fn of(block: &Block) -> &GroupCore {
        table(block, HEADER_LEN)
    }

    /// The table in the header block of a group, to be changed.
    pub fn of_mut(block: &mut Block) -> &mut GroupCore {
        table_mut(block, HEADER_LEN)
    }

    /// Judges the fields against where things lie.
    pub fn check(&self, geometry: &Geometry, group: u32) -> Result<(), Damage> {
        let bno = geometry.group_header(group);
        let want = Want::new(Kind::Group, u64::from(group));
        let blocks = geometry.group_len(group);
        let inside = |field: U32| u64::from(field.get()) <= blocks;
        let wrong = [
            (self.group.get() != group, "group"),
            (u64::from(self.blocks.get()) != blocks, "blocks"),
            (self.bitmap_blocks.get() != geometry.bitmap_blocks(), "bitmap_blocks"),
            (!inside(self.free), "free"),
            (!inside(self.inode_hint), "inode_hint"),
            (!inside(self.data_hint), "data_hint"),
            (!inside(self.pending_blocks), "pending_blocks"),
        ];
        if let Some((_, name)) = wrong.iter().find(|(wrong, _)| *wrong) {
            return Err(Damage::field(bno, want, name));
        }
        match self.reserved.iter().all(|byte| *byte == 0) {
            true => Ok(()),
            false => Err(Damage { bno, want, fault: Fault::Reserved }),
        }
    }
}
