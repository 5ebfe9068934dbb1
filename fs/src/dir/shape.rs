//! The shapes of a directory: from inline to leaves, fewer leaves, and back.

use super::leaf::{self, Leaf};
use super::page::{self, Page};
use super::{again, inline_flaw, leaf_flaw, leaf_want};
use crate::format::{BLOCK_LEN, FORM_INDEXED_DIR, FORM_INLINE_DIR, Kind, LEAF_HEAD_LEN};
use crate::inode::{Inode, edit, edit_body, free_block};
use crate::store::{FsError, Op, Stop};

/// A directory with more names than this stays in leaves.
const INLINE_AGAIN_MAX: u64 = 32;
/// Leaves that one step frees.
const LEAVES_PER_STEP: usize = 8;

/// Moves the names out of the dinode, to the first leaf.
pub(super) fn to_leaf(op: &mut Op<'_>, dir: &Inode) -> Result<Leaf, Stop> {
    let ino = dir.ino();
    let page = Page::of(dir.body()).map_err(|flaw| inline_flaw(ino, flaw))?;
    let first = Leaf { key: 0, bno: leaf::alloc(op, ino, ino)? };
    page::fill(leaf::fresh(op, ino, first)?, page.bytes(), page.count() as u16);
    edit_body(op, ino)?.fill(0);
    edit(op, ino)?.form = FORM_INDEXED_DIR;
    leaf::add_to_index(op, dir, first)?;
    Ok(first)
}

/// A name was taken out of a leaf: frees the leaf if it is empty and not the first, and moves the
/// names back into the dinode if they are few.
pub(super) fn shrink(op: &mut Op<'_>, dir: &Inode, leaf: Leaf) -> Result<(), Stop> {
    let empty = {
        let read = leaf::read(op, dir, leaf)?;
        read.page().map_err(|flaw| leaf_flaw(leaf.bno, dir.ino(), flaw))?.count() == 0
    };
    if empty && leaf.key != 0 {
        free_leaf(op, dir, leaf)?;
    }
    let dir = again(op, dir)?;
    match dir.core().entries.get() <= INLINE_AGAIN_MAX {
        true => to_inline(op, &dir),
        false => Ok(()),
    }
}

fn free_leaf(op: &mut Op<'_>, dir: &Inode, leaf: Leaf) -> Result<(), Stop> {
    leaf::index(dir).remove(op, &mut leaf::nodes(dir), leaf.key)?;
    free_block(op, Kind::DirLeaf, dir.ino(), leaf.bno)?;
    leaf::resize(op, dir.ino(), -(BLOCK_LEN as i64))
}

/// Moves the names into the dinode, if one leaf holds them all and half of the body does.
fn to_inline(op: &mut Op<'_>, dir: &Inode) -> Result<(), Stop> {
    let ino = dir.ino();
    let first = leaf::covering(op, dir, 0)?;
    if leaf::next(op, dir, first.key)?.is_some() {
        return Ok(());
    }
    let read = leaf::read(op, dir, first)?;
    let page = read.page().map_err(|flaw| leaf_flaw(first.bno, ino, flaw))?;
    if LEAF_HEAD_LEN + page.used() > dir.body().len() / 2 {
        return Ok(());
    }
    free_leaf(op, dir, first)?;
    let body = edit_body(op, ino)?;
    page::clear(body, 0);
    page::fill(body, page.bytes(), page.count() as u16);
    edit(op, ino)?.form = FORM_INLINE_DIR;
    Ok(())
}

/// Frees some leaves of a directory that nobody can reach any more, names and all; without leaves
/// it is inline, and empty.
pub fn free_step(op: &mut Op<'_>, dir: &Inode) -> Result<(), Stop> {
    if dir.core().form != FORM_INDEXED_DIR {
        return Err(FsError::NotDirectory.into());
    }
    for _ in 0..LEAVES_PER_STEP {
        let Some(record) = leaf::index(dir).first_at_or_after(op, 0)? else {
            let body = edit_body(op, dir.ino())?;
            page::clear(body, 0);
            let core = edit(op, dir.ino())?;
            (core.form, core.entries) = (FORM_INLINE_DIR, 0.into());
            return Ok(());
        };
        let leaf = Leaf { key: record.key, bno: record.value };
        // The names are gone with the leaf: only that it is a leaf of this directory matters.
        op.read(leaf.bno, leaf_want(dir.ino()))?;
        free_leaf(op, dir, leaf)?;
    }
    Ok(())
}
