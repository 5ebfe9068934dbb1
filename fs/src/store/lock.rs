//! Glocks: what covers a block of metadata, and in which mode it is held.

use super::Want;
use crate::format::Kind;

/// What a glock protects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LockId {
    /// The order of renames of directories in the whole volume.
    Rename,
    /// A dinode and all blocks that it owns.
    Inode(u64),
    /// An allocation group: header, bitmap, refcounts, pending frees.
    Group(u32),
    /// The map of initialised groups.
    GroupMap,
    /// A slot: orphans and counts of one node.
    Slot(u16),
    /// The superblock.
    Super,
}

/// How a glock is held; a greater mode includes a smaller one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// Not held.
    Unlocked,
    /// Shared: what it covers may be read and cached.
    Shared,
    /// Exclusive: what it covers may be changed.
    Exclusive,
}

impl Want {
    /// The glock that covers the block.
    pub fn lock(self) -> LockId {
        match self.kind {
            Kind::Super | Kind::View => LockId::Super,
            Kind::GroupMap => LockId::GroupMap,
            Kind::Group | Kind::Bitmap | Kind::RefcountNode | Kind::PendingNode => {
                LockId::Group(self.owner as u32)
            }
            Kind::Inode
            | Kind::ExtentNode
            | Kind::DirNode
            | Kind::XattrNode
            | Kind::DirLeaf
            | Kind::XattrValue => LockId::Inode(self.owner),
            Kind::Heartbeat
            | Kind::Mail
            | Kind::Slot
            | Kind::JournalHead
            | Kind::JournalDesc
            | Kind::JournalCommit
            | Kind::OrphanNode => LockId::Slot(self.owner as u16),
        }
    }
}
