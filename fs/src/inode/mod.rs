//! Dinodes: their fields, their making and ending, orphans, inline data.
//!
//! A dinode is reached by an [`InodeRef`]. Whoever keeps one from one operation to another keeps the
//! inode open ([`crate::store::Store::open_inode`]): only then does its block stay a dinode when its
//! last name goes. A generation that does not fit is [`FsError::Stale`].

mod attributes;
mod inline;
mod life;
mod orphans;
#[cfg(test)]
mod tests;

use std::rc::Rc;

pub use attributes::{Attributes, SetAttributes, attributes, set_attributes, touch};
pub use inline::{inline_bytes, inline_evict, inline_put, inline_truncate};
pub use life::{NewInode, create, free};
pub use orphans::{Finish, finish_step, next_orphan, orphan_add, orphan_remove, release};

use crate::format::{BODY_AT, FLAG_IMMUTABLE, InodeCore, Kind};
use crate::space::InodeNodes;
use crate::store::{Block, FsError, Op, Stop, Want};
use crate::tree::{Nodes, RootArea, Tree};

/// The greatest number of names of a file, or of links of a directory.
pub const LINKS_MAX: u32 = i32::MAX as u32;

/// Which inode: its block and which life of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InodeRef {
    /// The dinode's block.
    pub ino: u64,
    /// The life.
    pub generation: u32,
}

/// A dinode that was read and judged.
#[derive(Clone, Debug)]
pub struct Inode {
    at: InodeRef,
    block: Rc<Block>,
}

impl Inode {
    /// Which inode it is.
    pub fn at(&self) -> InodeRef {
        self.at
    }

    /// The number of its block.
    pub fn ino(&self) -> u64 {
        self.at.ino
    }

    /// Its fields.
    #[inline]
    pub fn core(&self) -> &InodeCore {
        InodeCore::of(&self.block)
    }

    /// True for a directory.
    pub fn is_directory(&self) -> bool {
        self.core().is_directory()
    }

    /// Names that lead to it.
    pub fn nlink(&self) -> u32 {
        self.core().nlink.get()
    }

    /// The body before the inline attributes.
    #[inline]
    pub(crate) fn body(&self) -> &[u8] {
        &self.block.bytes()[BODY_AT..BODY_AT + self.core().body_len()]
    }

    /// The inline attributes.
    pub(crate) fn tail(&self) -> &[u8] {
        &self.block.bytes()[BODY_AT + self.core().body_len()..]
    }

    /// The tree whose root is the body.
    #[inline]
    pub(crate) fn body_tree(&self, node: Kind) -> Tree {
        let ino = self.ino();
        let len = self.core().body_len();
        Tree { root: RootArea { bno: ino, want: want(ino), at: BODY_AT, len }, node, owner: ino }
    }

    /// Fails where nothing may be changed.
    pub fn demand_mutable(&self) -> Result<(), Stop> {
        match self.core().flags.get() & FLAG_IMMUTABLE {
            0 => Ok(()),
            _ => Err(FsError::Immutable.into()),
        }
    }
}

/// What the block of a dinode is.
#[inline]
pub fn want(ino: u64) -> Want {
    Want { kind: Kind::Inode, owner: ino }
}

/// Reads a dinode.
pub fn read(op: &Op<'_>, at: InodeRef) -> Result<Inode, Stop> {
    let inode = read_number(op, at.ino)?;
    if inode.at.generation == at.generation { Ok(inode) } else { Err(FsError::Stale.into()) }
}

/// Reads the dinode of a number, of whatever generation: for pointers within the volume that hold
/// none.
pub fn read_number(op: &Op<'_>, ino: u64) -> Result<Inode, Stop> {
    let block = op.read(ino, want(ino))?;
    let core = InodeCore::of(&block);
    core.check(ino)?;
    Ok(Inode { at: InodeRef { ino, generation: core.generation.get() }, block })
}

/// The fields of a dinode that was read, to be changed.
pub(crate) fn edit<'o>(op: &'o mut Op<'_>, ino: u64) -> Result<&'o mut InodeCore, Stop> {
    op.edit(ino, want(ino)).map(InodeCore::of_mut)
}

/// The bytes of a body before the inline attributes, to be changed.
pub(crate) fn edit_body<'o>(op: &'o mut Op<'_>, ino: u64) -> Result<&'o mut [u8], Stop> {
    let block = op.edit(ino, want(ino))?;
    let len = InodeCore::of(block).body_len();
    Ok(&mut block.bytes_mut()[BODY_AT..BODY_AT + len])
}

/// Adds to a counter of a dinode. Below zero it is damage.
pub(crate) fn moved(field: u64, by: i64, ino: u64, name: &'static str) -> Result<u64, Stop> {
    let damage = || crate::store::Damage::field(ino, want(ino), name);
    Ok(field.checked_add_signed(by).ok_or_else(damage)?)
}

/// Takes a block of metadata for an inode, which counts it; the caller makes it fresh.
pub(crate) fn alloc_block(op: &mut Op<'_>, kind: Kind, ino: u64, near: u64) -> Result<u64, Stop> {
    InodeNodes { ino, kind }.alloc(op, near)
}

/// Gives a block of metadata of an inode back.
pub(crate) fn free_block(op: &mut Op<'_>, kind: Kind, ino: u64, bno: u64) -> Result<(), Stop> {
    InodeNodes { ino, kind }.free(op, bno)
}
