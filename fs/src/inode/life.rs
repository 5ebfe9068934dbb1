//! How an inode begins and ends.

use super::{InodeRef, want};
use crate::format::{
    FORM_EXTENTS, FORM_INLINE_DIR, InodeCore, Kind, MODE_DIRECTORY, MODE_TYPE, Timestamp,
};
use crate::space;
use crate::store::{Op, Stop, Want};

/// What a new inode is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewInode {
    /// Type and permissions.
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The owning group.
    pub gid: u32,
    /// The number of a device, for those.
    pub rdev: u64,
    /// The directory that will hold it; 0 for a root, which is its own.
    pub parent: u64,
    /// Names that lead to it.
    pub nlink: u32,
}

/// Makes an inode, near the directory that will hold it.
pub fn create(op: &mut Op<'_>, new: NewInode) -> Result<InodeRef, Stop> {
    let ino = space::alloc_meta(op, Want::new(Kind::Inode, 0), new.parent)?;
    space::count_inodes(op, 1)?;
    let at = InodeRef { ino, generation: generation(op) };
    let now = Timestamp::new(op.now());
    let core = InodeCore::of_mut(op.fresh(ino, want(ino), 0)?);
    core.generation = at.generation.into();
    core.mode = new.mode.into();
    core.uid = new.uid.into();
    core.gid = new.gid.into();
    core.nlink = new.nlink.into();
    core.blocks = 1.into();
    (core.atime, core.mtime, core.ctime, core.btime) = (now, now, now, now);
    core.parent = if new.parent == 0 { ino } else { new.parent }.into();
    core.rdev = new.rdev.into();
    let directory = new.mode & MODE_TYPE == MODE_DIRECTORY;
    core.form = if directory { FORM_INLINE_DIR } else { FORM_EXTENTS };
    Ok(at)
}

/// A generation that no earlier life of the block is likely to have had; never 0.
fn generation(op: &Op<'_>) -> u32 {
    (op.unique() as u32).max(1)
}

/// Ends an inode that owns nothing but its dinode.
pub fn free(op: &mut Op<'_>, ino: u64) -> Result<(), Stop> {
    space::free_meta(op, ino, want(ino))?;
    space::count_inodes(op, -1)
}
