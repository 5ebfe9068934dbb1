//! Leaves: finding the ones that a name may lie in, inserting into one, splitting one.

use std::rc::Rc;

use super::page::{self, Flaw, Hit, NewEntry, Page, Search};
use super::{Found, Place, edit_leaf, here, leaf_flaw, leaf_want};
use crate::format::{BLOCK_LEN, HEADER_LEN, Kind, entry_len};
use crate::inode::{Inode, alloc_block, edit, moved, want};
use crate::space::InodeNodes;
use crate::store::{Block, Damage, Op, Stop};
use crate::tree::{Record, Tree};

/// A leaf, as the index knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    /// The lowest cookie that it may hold.
    pub(super) key: u64,
    pub(super) bno: u64,
}

/// The index of a directory.
#[inline]
pub(super) fn index(dir: &Inode) -> Tree {
    dir.body_tree(Kind::DirNode)
}

/// The nodes of the index.
pub(super) fn nodes(dir: &Inode) -> InodeNodes {
    InodeNodes { ino: dir.ino(), kind: Kind::DirNode }
}

/// A leaf that was read.
pub(super) struct Read {
    block: Rc<Block>,
}

impl Read {
    pub(super) fn page(&self) -> Result<Page<'_>, Flaw> {
        Page::of(&self.block.bytes()[HEADER_LEN..])
    }
}

/// Reads a leaf. The index and the leaf agree where it begins.
#[inline]
pub(super) fn read(op: &Op<'_>, dir: &Inode, leaf: Leaf) -> Result<Read, Stop> {
    let read = Read { block: op.read(leaf.bno, leaf_want(dir.ino()))? };
    let page = read.page().map_err(|flaw| leaf_flaw(leaf.bno, dir.ino(), flaw))?;
    match page.first_cookie() == leaf.key {
        true => Ok(read),
        false => Err(leaf_flaw(leaf.bno, dir.ino(), "first cookie")),
    }
}

/// The leaf that a cookie belongs to.
#[inline]
pub(super) fn covering(op: &Op<'_>, dir: &Inode, cookie: u64) -> Result<Leaf, Stop> {
    let record = index(dir).last_at_or_before(op, cookie)?;
    let record = record.ok_or_else(|| index_damage(dir))?;
    Ok(Leaf { key: record.key, bno: record.value })
}

fn index_damage(dir: &Inode) -> Stop {
    Damage::field(dir.ino(), want(dir.ino()), "index").into()
}

/// The leaf after the one with this key.
pub(super) fn next(op: &Op<'_>, dir: &Inode, key: u64) -> Result<Option<Leaf>, Stop> {
    let record = index(dir).first_at_or_after(op, key + 1)?;
    match record {
        // Whatever the index holds, a walk over it goes forward.
        Some(record) if record.key <= key => Err(index_damage(dir)),
        record => Ok(record.map(|record| Leaf { key: record.key, bno: record.value })),
    }
}

/// Searches a name in the leaves.
pub(super) fn search(op: &Op<'_>, dir: &Inode, search: &mut Search<'_>) -> Result<Found, Stop> {
    // All names of one hash are in one leaf unless a leaf begins within the hash: then the leaf of
    // its last cookie is not the one of its first.
    let leaf = covering(op, dir, search.last())?;
    if leaf.key > search.first() {
        return search_many(op, dir, search, leaf);
    }
    let read = read(op, dir, leaf)?;
    let flawed = |flaw| leaf_flaw(leaf.bno, dir.ino(), flaw);
    Ok(match search.over(read.page().map_err(flawed)?).map_err(flawed)? {
        Hit::Found(name) => here(Some(leaf), &name),
        Hit::Absent(at) => {
            let place = |cookie| Place { leaf: Some(leaf), at, cookie };
            Found::Nowhere(search.free_cookie().map(place))
        }
    })
}

/// Searches a name whose hash lies in several leaves, the last of which is given.
#[cold]
fn search_many(
    op: &Op<'_>,
    dir: &Inode,
    search: &mut Search<'_>,
    last: Leaf,
) -> Result<Found, Stop> {
    let mut leaf = covering(op, dir, search.first())?;
    loop {
        let read = read(op, dir, leaf)?;
        let flawed = |flaw| leaf_flaw(leaf.bno, dir.ino(), flaw);
        if let Hit::Found(name) = search.over(read.page().map_err(flawed)?).map_err(flawed)? {
            return Ok(here(Some(leaf), &name));
        }
        if leaf.key >= last.key {
            break;
        }
        leaf = next(op, dir, leaf.key)?.unwrap_or(last);
    }
    search.free_cookie().map(|cookie| place_of(op, dir, cookie)).transpose().map(Found::Nowhere)
}

/// Where an entry with a cookie that nobody has belongs.
fn place_of(op: &Op<'_>, dir: &Inode, cookie: u64) -> Result<Place, Stop> {
    let leaf = covering(op, dir, cookie)?;
    let read = read(op, dir, leaf)?;
    let flawed = |flaw| leaf_flaw(leaf.bno, dir.ino(), flaw);
    let mut at = 0;
    for name in read.page().map_err(flawed)?.names() {
        let name = name.map_err(flawed)?;
        if name.cookie() > cookie {
            break;
        }
        at = name.end();
    }
    Ok(Place { leaf: Some(leaf), at, cookie })
}

/// Inserts an entry into a leaf; a full one is split first.
pub(super) fn insert(
    op: &mut Op<'_>,
    dir: &Inode,
    leaf: Leaf,
    at: usize,
    entry: NewEntry<'_>,
) -> Result<(), Stop> {
    let free = {
        let read = read(op, dir, leaf)?;
        read.page().map_err(|flaw| leaf_flaw(leaf.bno, dir.ino(), flaw))?.free()
    };
    if free >= entry_len(entry.name.len()) {
        page::insert(edit_leaf(op, dir.ino(), leaf.bno)?, at, entry);
        return Ok(());
    }
    let (right, cut) = split(op, dir, leaf)?;
    match entry.cookie < right.key {
        true => page::insert(edit_leaf(op, dir.ino(), leaf.bno)?, at, entry),
        false => page::insert(edit_leaf(op, dir.ino(), right.bno)?, at - cut, entry),
    }
    Ok(())
}

/// Moves the upper half of a leaf's names to a new one; gives out that, and where the cut was.
fn split(op: &mut Op<'_>, dir: &Inode, leaf: Leaf) -> Result<(Leaf, usize), Stop> {
    let ino = dir.ino();
    let flawed = |flaw| leaf_flaw(leaf.bno, ino, flaw);
    let median = {
        let read = read(op, dir, leaf)?;
        read.page().and_then(|page| page.median()).map_err(flawed)?
    };
    let (cut, key) = median.ok_or_else(|| flawed("used bytes"))?;
    let right = Leaf { key, bno: alloc(op, ino, leaf.bno)? };
    let (names, count) = page::cut(edit_leaf(op, ino, leaf.bno)?, cut);
    let area = fresh(op, ino, right)?;
    page::fill(area, &names, count);
    add_to_index(op, dir, right)?;
    Ok((right, cut))
}

/// A block for a leaf; a directory's size is that of its leaves.
pub(super) fn alloc(op: &mut Op<'_>, ino: u64, near: u64) -> Result<u64, Stop> {
    let bno = alloc_block(op, Kind::DirLeaf, ino, near)?;
    resize(op, ino, BLOCK_LEN as i64)?;
    Ok(bno)
}

/// A directory gained or lost a leaf.
pub(super) fn resize(op: &mut Op<'_>, ino: u64, by: i64) -> Result<(), Stop> {
    let core = edit(op, ino)?;
    core.size = moved(core.size.get(), by, ino, "size")?.into();
    Ok(())
}

/// The area of a new leaf, without names.
pub(super) fn fresh<'o>(op: &'o mut Op<'_>, ino: u64, leaf: Leaf) -> Result<&'o mut [u8], Stop> {
    let block = op.fresh(leaf.bno, leaf_want(ino), 0)?;
    let area = &mut block.bytes_mut()[HEADER_LEN..];
    page::clear(area, leaf.key);
    Ok(area)
}

/// Lets the index know a leaf.
pub(super) fn add_to_index(op: &mut Op<'_>, dir: &Inode, leaf: Leaf) -> Result<(), Stop> {
    let record = Record { key: leaf.key, value: leaf.bno, len: 1, flags: 0 };
    index(dir).insert(op, &mut nodes(dir), record)
}
