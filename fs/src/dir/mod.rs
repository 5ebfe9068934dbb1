//! Directories: names in the order of their cookies, inline or in leaves below an index.
//!
//! A directory begins inline in its dinode. When that is full its names move to a leaf, and an index
//! in the dinode (a tree: the lowest cookie that a leaf may hold, its block) leads to leaves, which
//! are split at their median; an empty one is freed, but for the first. A directory that gets small
//! again moves back. A name's cookie never changes, so a listing can go on after any cookie.
//!
//! Names are found by [`search`], which also finds the place where a missing one belongs: a place is
//! good until the directory's next change.

mod leaf;
mod list;
mod page;
mod shape;
#[cfg(test)]
mod tests;

pub use list::{Listed, Listing, list};
pub use shape::free_step;

pub(crate) use page::{Flaw, Page, check as check_run};

use crate::format::{
    FORM_INDEXED_DIR, FORM_INLINE_DIR, HEADER_LEN, Kind, LEAF_AREA_LEN, NAME_LEN_MAX, entry_len,
};
use crate::inode::{self, Inode, InodeRef, edit, edit_body, moved, want};
use crate::store::{Damage, FsError, Op, Stop, Want};
use page::{Hit, Name, NewEntry, Search};

/// What a name leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name's place in the directory's order.
    pub cookie: u64,
    /// The inode.
    pub target: InodeRef,
    /// Its type: the type bits of its mode, shifted right by 12.
    pub file_type: u8,
}

impl Entry {
    fn of(name: &Name<'_>) -> Entry {
        Entry { cookie: name.cookie(), target: name.target(), file_type: name.head.file_type }
    }
}

/// Where an entry is, or belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The leaf; None inline.
    leaf: Option<leaf::Leaf>,
    /// Bytes from the first entry of the run.
    at: usize,
    cookie: u64,
}

/// What a search found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The name, and its place.
    Here(Entry, Place),
    /// No such name; where it belongs. None if as many names share its hash as can.
    Nowhere(Option<Place>),
}

/// What a leaf of a directory is.
fn leaf_want(ino: u64) -> Want {
    Want { kind: Kind::DirLeaf, owner: ino }
}

fn leaf_flaw(bno: u64, ino: u64, flaw: Flaw) -> Stop {
    Damage::field(bno, leaf_want(ino), flaw).into()
}

fn inline_flaw(ino: u64, flaw: Flaw) -> Stop {
    Damage::field(ino, want(ino), flaw).into()
}

/// Fails for what cannot be a name in a directory.
pub fn check_name(name: &[u8]) -> Result<(), FsError> {
    if name.len() > NAME_LEN_MAX {
        return Err(FsError::NameTooLong);
    }
    let special = matches!(name, b"" | b"." | b"..");
    match special || name.iter().any(|byte| matches!(byte, 0 | b'/')) {
        true => Err(FsError::Invalid("name")),
        false => Ok(()),
    }
}

/// Searches a name.
pub fn search(op: &Op<'_>, dir: &Inode, name: &[u8]) -> Result<Found, Stop> {
    let mut search = Search::new(name, op.name_hash(name));
    match dir.core().form {
        FORM_INDEXED_DIR => leaf::search(op, dir, &mut search),
        FORM_INLINE_DIR => search_inline(dir, &mut search),
        _ => Err(FsError::NotDirectory.into()),
    }
}

fn search_inline(dir: &Inode, search: &mut Search<'_>) -> Result<Found, Stop> {
    let flawed = |flaw| inline_flaw(dir.ino(), flaw);
    let page = Page::of(dir.body()).map_err(flawed)?;
    Ok(match search.over(page).map_err(flawed)? {
        Hit::Found(name) => here(None, &name),
        Hit::Absent(at) => {
            let place = |cookie| Place { leaf: None, at, cookie };
            Found::Nowhere(search.free_cookie().map(place))
        }
    })
}

fn here(leaf: Option<leaf::Leaf>, name: &Name<'_>) -> Found {
    let place = Place { leaf, at: name.at, cookie: name.cookie() };
    Found::Here(Entry::of(name), place)
}

/// What a name leads to.
pub fn lookup(op: &Op<'_>, dir: &Inode, name: &[u8]) -> Result<Option<Entry>, Stop> {
    Ok(match search(op, dir, name)? {
        Found::Here(entry, _) => Some(entry),
        Found::Nowhere(_) => None,
    })
}

/// Puts a name at the place that a search found for it.
pub fn insert_at(
    op: &mut Op<'_>,
    dir: &Inode,
    place: Place,
    name: &[u8],
    (target, file_type): (InodeRef, u8),
) -> Result<(), Stop> {
    let entry = NewEntry { cookie: place.cookie, target, file_type, name };
    match place.leaf {
        Some(leaf) => leaf::insert(op, dir, leaf, place.at, entry)?,
        None => insert_inline(op, dir, place.at, entry)?,
    }
    count(op, dir.ino(), 1)
}

fn insert_inline(op: &mut Op<'_>, dir: &Inode, at: usize, entry: NewEntry<'_>) -> Result<(), Stop> {
    let page = Page::of(dir.body()).map_err(|flaw| inline_flaw(dir.ino(), flaw))?;
    if page.free() >= entry_len(entry.name.len()) {
        page::insert(edit_body(op, dir.ino())?, at, entry);
        return Ok(());
    }
    let leaf = shape::to_leaf(op, dir)?;
    page::insert(edit_leaf(op, dir.ino(), leaf.bno)?, at, entry);
    Ok(())
}

/// Takes the name at a place out.
pub fn remove_at(op: &mut Op<'_>, dir: &Inode, place: Place) -> Result<(), Stop> {
    let ino = dir.ino();
    count(op, ino, -1)?;
    match place.leaf {
        None => page::remove(edit_body(op, ino)?, place.at),
        Some(leaf) => {
            page::remove(edit_leaf(op, ino, leaf.bno)?, place.at);
            shape::shrink(op, dir, leaf)?;
        }
    }
    Ok(())
}

/// Lets the name at a place lead to another inode.
pub fn replace_at(
    op: &mut Op<'_>,
    dir: &Inode,
    place: Place,
    (target, file_type): (InodeRef, u8),
) -> Result<(), Stop> {
    let area = match place.leaf {
        None => edit_body(op, dir.ino())?,
        Some(leaf) => edit_leaf(op, dir.ino(), leaf.bno)?,
    };
    page::replace(area, place.at, target, file_type);
    Ok(())
}

/// Puts a name into a directory that does not have it.
pub fn insert(op: &mut Op<'_>, dir: &Inode, name: &[u8], to: (InodeRef, u8)) -> Result<(), Stop> {
    check_name(name)?;
    match search(op, dir, name)? {
        Found::Here(..) => Err(FsError::Exists.into()),
        Found::Nowhere(None) => Err(FsError::NoSpace.into()),
        Found::Nowhere(Some(place)) => insert_at(op, dir, place, name, to),
    }
}

/// Takes a name out; gives out what it led to.
pub fn remove(op: &mut Op<'_>, dir: &Inode, name: &[u8]) -> Result<Entry, Stop> {
    match search(op, dir, name)? {
        Found::Here(entry, place) => remove_at(op, dir, place).map(|()| entry),
        Found::Nowhere(_) => Err(FsError::NotFound.into()),
    }
}

/// The area of a leaf, to be changed.
fn edit_leaf<'o>(op: &'o mut Op<'_>, ino: u64, bno: u64) -> Result<&'o mut [u8], Stop> {
    let block = op.edit(bno, leaf_want(ino))?;
    Ok(&mut block.bytes_mut()[HEADER_LEN..HEADER_LEN + LEAF_AREA_LEN])
}

/// Counts the names of a directory.
fn count(op: &mut Op<'_>, ino: u64, by: i64) -> Result<(), Stop> {
    let core = edit(op, ino)?;
    core.entries = moved(core.entries.get(), by, ino, "entries")?.into();
    Ok(())
}

/// The directory after changes of this operation.
fn again(op: &Op<'_>, dir: &Inode) -> Result<Inode, Stop> {
    inode::read(op, dir.at())
}
