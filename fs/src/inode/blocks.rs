//! The blocks of metadata that an inode owns: getting one, giving one back, counting them.

use super::{edit, moved};
use crate::format::Kind;
use crate::space;
use crate::store::{Op, Stop, Want};
use crate::tree::Nodes;

/// Takes a block for an inode; the caller makes it fresh.
pub(crate) fn alloc_block(op: &mut Op<'_>, kind: Kind, ino: u64, near: u64) -> Result<u64, Stop> {
    let bno = space::alloc_meta(op, Want::new(kind, ino), near)?;
    count(op, ino, 1)?;
    Ok(bno)
}

/// Gives a block of an inode back.
pub(crate) fn free_block(op: &mut Op<'_>, kind: Kind, ino: u64, bno: u64) -> Result<(), Stop> {
    space::free_meta(op, bno, Want::new(kind, ino))?;
    count(op, ino, -1)
}

fn count(op: &mut Op<'_>, ino: u64, by: i64) -> Result<(), Stop> {
    let core = edit(op, ino)?;
    core.blocks = moved(core.blocks.get(), by, ino, "blocks")?.into();
    Ok(())
}

/// The nodes of a tree of an inode.
pub(crate) struct Owned {
    pub(crate) ino: u64,
    pub(crate) kind: Kind,
}

impl Nodes for Owned {
    fn alloc(&mut self, op: &mut Op<'_>, near: u64) -> Result<u64, Stop> {
        alloc_block(op, self.kind, self.ino, near)
    }

    fn free(&mut self, op: &mut Op<'_>, bno: u64) -> Result<(), Stop> {
        free_block(op, self.kind, self.ino, bno)
    }
}
