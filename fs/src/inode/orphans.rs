//! Orphans: inodes with work left, on the list of the slot whose node began it.
//!
//! An inode without names is freed, in steps of bounded length, as soon as nobody has it open; one
//! whose truncation is under way loses the extents beyond its size. A node that dies leaves its list
//! to whoever replays its journal, so no inode is lost.

use super::{Inode, InodeRef, edit, free, read};
use crate::dir;
use crate::extents::{self, FILE_BLOCKS_MAX};
use crate::format::{
    BLOCK_LEN, FLAG_TRUNCATING, FORM_EXTENTS, FORM_INDEXED_DIR, Kind, SLOT_ORPHANS_AT,
    SLOT_ORPHANS_LEN, SLOTS_AT, Timestamp,
};
use crate::space::{self, OwnedNodes};
use crate::store::{Damage, Op, Stop, Want};
use crate::tree::{Record, RootArea, Tree};
use crate::xattr;

/// How far an orphan is finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// Another step is needed.
    More,
    /// It is in use: it stays until it is closed.
    Open,
    /// Nothing is left to do, and it is off the list.
    Done,
}

fn orphans(slot: u16) -> Tree {
    let owner = u64::from(slot);
    let root = RootArea {
        bno: SLOTS_AT + owner,
        want: Want::new(Kind::Slot, owner),
        at: SLOT_ORPHANS_AT,
        len: SLOT_ORPHANS_LEN,
    };
    Tree { root, node: Kind::OrphanNode, owner }
}

fn nodes(slot: u16) -> OwnedNodes {
    OwnedNodes { want: Want::new(Kind::OrphanNode, u64::from(slot)) }
}

/// Puts an inode on this node's list of orphans, if it is not there.
pub fn orphan_add(op: &mut Op<'_>, at: InodeRef) -> Result<(), Stop> {
    let slot = op.slot();
    let tree = orphans(slot);
    if tree.last_at_or_before(op, at.ino)?.is_some_and(|record| record.key == at.ino) {
        return Ok(());
    }
    let record = Record { key: at.ino, value: u64::from(at.generation), len: 1, flags: 0 };
    tree.insert(op, &mut nodes(slot), record)
}

/// Takes an inode off a slot's list.
pub fn orphan_remove(op: &mut Op<'_>, slot: u16, at: InodeRef) -> Result<(), Stop> {
    orphans(slot).remove(op, &mut nodes(slot), at.ino).map(drop)
}

/// The first orphan of a slot with a number above `after`.
pub fn next_orphan(op: &Op<'_>, slot: u16, after: u64) -> Result<Option<InodeRef>, Stop> {
    let tree = orphans(slot);
    let Some(record) = tree.first_at_or_after(op, after + 1)? else {
        return Ok(None);
    };
    let wrong = || Damage::field(tree.root.bno, tree.root.want, "orphan");
    let generation = u32::try_from(record.value).map_err(|_| wrong())?;
    Ok(Some(InodeRef { ino: record.key, generation }))
}

/// The last name of an inode is gone. It is freed at once if nobody has it open and that takes no
/// more than one step; otherwise it is an orphan from here on, and true says that [`finish_step`]
/// has work.
pub fn release(op: &mut Op<'_>, inode: &Inode) -> Result<bool, Stop> {
    space::gives_back(op);
    let at = inode.at();
    if !op.is_open(at.ino) && is_lone(inode) && cut_extents(op, inode, 0)? {
        free(op, at.ino)?;
        return Ok(false);
    }
    let now = Timestamp::new(op.now());
    let core = edit(op, at.ino)?;
    core.nlink = 0.into();
    core.ctime = now;
    orphan_add(op, at)?;
    Ok(true)
}

/// True if the inode has nothing that only steps free, and no list knows it.
fn is_lone(inode: &Inode) -> bool {
    let core = inode.core();
    core.xattr_root.get() == 0
        && core.form != FORM_INDEXED_DIR
        && core.flags.get() & FLAG_TRUNCATING == 0
}

/// Removes extents from a block of the file on, as many as a step may. True if none is left.
fn cut_extents(op: &mut Op<'_>, inode: &Inode, from: u64) -> Result<bool, Stop> {
    if inode.core().form != FORM_EXTENTS {
        return Ok(true);
    }
    let step = extents::remove(op, inode.ino(), from, FILE_BLOCKS_MAX - from)?;
    Ok(step == extents::Step::Done)
}

/// Does one step of what an orphan on the list of `slot` needs. One that is not on the list is done:
/// several may finish the same one.
pub fn finish_step(op: &mut Op<'_>, slot: u16, at: InodeRef) -> Result<Finish, Stop> {
    space::gives_back(op);
    let listed = orphans(slot).get(op, at.ino)?;
    if listed.is_none_or(|record| record.value != u64::from(at.generation)) {
        return Ok(Finish::Done);
    }
    let inode = read(op, at)?;
    let core = inode.core();
    let dead = core.nlink.get() == 0;
    if dead && op.is_open(at.ino) {
        return Ok(Finish::Open);
    }
    let kept = core.size.get().div_ceil(BLOCK_LEN as u64).min(FILE_BLOCKS_MAX);
    let from = if dead { 0 } else { kept };
    if !cut_extents(op, &inode, from)? {
        return Ok(Finish::More);
    }
    if dead {
        return end_step(op, slot, &inode);
    }
    orphan_remove(op, slot, at)?;
    let core = edit(op, at.ino)?;
    core.flags = (core.flags.get() & !FLAG_TRUNCATING).into();
    Ok(Finish::Done)
}

/// Frees what else an inode without names owns, then the inode.
fn end_step(op: &mut Op<'_>, slot: u16, inode: &Inode) -> Result<Finish, Stop> {
    let core = inode.core();
    if core.xattr_root.get() != 0 {
        xattr::free_step(op, inode)?;
        return Ok(Finish::More);
    }
    if core.form == FORM_INDEXED_DIR {
        dir::free_step(op, inode)?;
        return Ok(Finish::More);
    }
    orphan_remove(op, slot, inode.at())?;
    free(op, inode.ino())?;
    Ok(Finish::Done)
}
