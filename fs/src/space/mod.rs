//! Allocation groups: bitmaps, hints, pending frees, refcounts, lazy initialisation.
//!
//! Invariants: a set bit is a block that is reserved, in use or pending; the group header's `free`
//! counts clear bits; a block of data with n > 1 references has the count n in the refcount tree,
//! every other one has no record; a freed block of metadata stays set in the bitmap and is in the
//! pending tree until no older image of it can be replayed. The sum of `blocks_used` over all slots
//! is the blocks of all groups that are neither free, nor reserved, nor pending.
//! [`finish`] ends every operation. See `docs/decisions/fs-space.md`.

mod counts;
mod data;
mod find;
mod group;
mod hints;
mod meta;
mod nodes;
mod pending;
mod refcount;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use counts::count_of_inode;
pub use counts::{Usage, count_inodes, usage};
pub use data::{
    Goal, alloc_data, free_data, free_some, is_shared, share, share_some, shared_prefix,
};
pub use group::{initialise, is_initialised};
pub use hints::Hints;
pub use meta::{alloc_meta, free_meta};
pub use nodes::{InodeNodes, OwnedNodes};
pub use pending::{finish, pending_tree, reclaim};
pub use refcount::refcount_tree;

use crate::store::Op;

/// Blocks of every group that only operations get which give space back: a delete may need a node.
pub const RESERVE_BLOCKS: u32 = 16;

/// Says that an operation gives space back: it may use [`RESERVE_BLOCKS`].
pub fn gives_back(op: &mut Op<'_>) {
    op.gives_back = true;
}
