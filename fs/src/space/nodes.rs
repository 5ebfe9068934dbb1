//! Where trees get their node blocks from.

use super::counts::{count_blocks, count_of_inode};
use super::{alloc_meta, find, free_meta, group, pending};
use crate::format::Kind;
use crate::store::{FsError, Op, Stop, Want};
use crate::tree::Nodes;

/// Nodes of an inode's tree: the inode counts them.
#[derive(Clone, Copy, Debug)]
pub struct InodeNodes {
    /// The inode.
    pub ino: u64,
    /// What the nodes are.
    pub kind: Kind,
}

impl Nodes for InodeNodes {
    fn alloc(&mut self, op: &mut Op<'_>, near: u64) -> Result<u64, Stop> {
        let bno = alloc_meta(op, Want::new(self.kind, self.ino), near)?;
        count_of_inode(op, self.ino, 1)?;
        Ok(bno)
    }

    fn free(&mut self, op: &mut Op<'_>, bno: u64) -> Result<(), Stop> {
        count_of_inode(op, self.ino, -1)?;
        free_meta(op, bno, Want::new(self.kind, self.ino))
    }
}

/// Nodes that nobody but the slots counts: those of orphans.
#[derive(Clone, Copy, Debug)]
pub struct OwnedNodes {
    /// What the nodes are, and whose.
    pub want: Want,
}

impl Nodes for OwnedNodes {
    fn alloc(&mut self, op: &mut Op<'_>, near: u64) -> Result<u64, Stop> {
        alloc_meta(op, self.want, near)
    }

    fn free(&mut self, op: &mut Op<'_>, bno: u64) -> Result<(), Stop> {
        free_meta(op, bno, self.want)
    }
}

/// Nodes of the trees that a group keeps of itself. They come from the bitmap, so that a tree is
/// never changed while it is being changed; and in a full group from what is free for metadata
/// only: refcounts take a pending block, pending frees take one that is about to become pending.
pub(super) struct GroupNodes {
    pub(super) group: u32,
    pub(super) kind: Kind,
}

impl GroupNodes {
    fn last_resort(&self, op: &mut Op<'_>) -> Result<u64, Stop> {
        if self.kind == Kind::RefcountNode {
            let bit = pending::take(op, self.group, 0)?.ok_or(FsError::NoSpace)?;
            return Ok(op.geometry().group_start(self.group) + u64::from(bit));
        }
        let geometry = *op.geometry();
        let ours = |bno: &u64| geometry.group_of(*bno) == self.group;
        let at = op.deferred.iter().position(ours).ok_or(FsError::NoSpace)?;
        count_blocks(op, 1)?;
        Ok(op.deferred.remove(at))
    }
}

impl Nodes for GroupNodes {
    fn alloc(&mut self, op: &mut Op<'_>, near: u64) -> Result<u64, Stop> {
        let start = op.geometry().group_start(self.group);
        match find::block(op, self.group, (near - start) as u32, None)? {
            Some(bit) => {
                group::take(op, self.group, bit, 1)?;
                Ok(start + u64::from(bit))
            }
            None => self.last_resort(op),
        }
    }

    fn free(&mut self, op: &mut Op<'_>, bno: u64) -> Result<(), Stop> {
        free_meta(op, bno, Want::new(self.kind, u64::from(self.group)))
    }
}
