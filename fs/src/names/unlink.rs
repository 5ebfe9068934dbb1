//! Names that go.

use super::{add_links, mutable_directory, touch};
use crate::dir::{self, Found, check_name};
use crate::inode::{self, Inode, InodeRef};
use crate::space;
use crate::store::{FsError, Op, Stop};

/// What became of the inode that lost a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removed {
    /// The inode.
    pub at: InodeRef,
    /// It is an orphan: [`inode::finish_step`] has work as soon as nobody has it open.
    pub orphan: bool,
}

/// Removes the name of anything but a directory.
pub fn unlink(op: &mut Op<'_>, dir: InodeRef, name: &[u8]) -> Result<Removed, Stop> {
    check_name(name)?;
    space::gives_back(op);
    let dir = mutable_directory(op, dir)?;
    let Found::Here(entry, place) = dir::search(op, &dir, name)? else {
        return Err(FsError::NotFound.into());
    };
    let inode = inode::read(op, entry.target)?;
    if inode.is_directory() {
        return Err(FsError::IsDirectory.into());
    }
    inode.demand_mutable()?;
    dir::remove_at(op, &dir, place)?;
    touch(op, dir.ino())?;
    drop_name(op, &inode)
}

/// Removes an empty directory.
pub fn rmdir(op: &mut Op<'_>, dir: InodeRef, name: &[u8]) -> Result<Removed, Stop> {
    check_name(name)?;
    space::gives_back(op);
    let dir = mutable_directory(op, dir)?;
    let Found::Here(entry, place) = dir::search(op, &dir, name)? else {
        return Err(FsError::NotFound.into());
    };
    let inode = inode::read(op, entry.target)?;
    demand_empty(&inode)?;
    inode.demand_mutable()?;
    dir::remove_at(op, &dir, place)?;
    touch(op, dir.ino())?;
    add_links(op, dir.ino(), -1)?;
    drop_name(op, &inode)
}

/// Fails unless the inode is a directory without names.
pub(super) fn demand_empty(inode: &Inode) -> Result<(), Stop> {
    if !inode.is_directory() {
        return Err(FsError::NotDirectory.into());
    }
    if inode.core().entries.get() == 0 { Ok(()) } else { Err(FsError::NotEmpty.into()) }
}

/// A name of an inode is gone: a directory's only one, or one of a file's. The directory that held
/// it is not touched here.
pub(super) fn drop_name(op: &mut Op<'_>, inode: &Inode) -> Result<Removed, Stop> {
    let at = inode.at();
    if !inode.is_directory() && inode.nlink() > 1 {
        add_links(op, at.ino, -1)?;
        return Ok(Removed { at, orphan: false });
    }
    Ok(Removed { at, orphan: inode::release(op, inode)? })
}
