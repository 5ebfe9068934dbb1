//! Operations on names: create, link, unlink, rename.
//!
//! Each is one atomic operation, and either all of it happens or nothing. Invariants: a file's
//! `nlink` is the number of its names; a directory's is 2 and one for each subdirectory, and its
//! `parent` is the directory that holds it (the root's is itself); an inode without names is on a
//! list of orphans or free. A directory without names takes no new ones. Times change as POSIX says:
//! a directory's when its names change, an inode's ctime when its links do.

#[cfg(test)]
mod audit;
#[cfg(test)]
pub(crate) mod lab;
mod make;
mod rename;
mod resolve;
#[cfg(test)]
mod tests;
mod unlink;

pub use make::{
    Created, New, TARGET_LEN_MAX, create, create_orphan, link, mkdir, mknod, publish, readlink,
    symlink,
};
pub use rename::{RenameMode, Renamed, rename};
pub use resolve::{SYMLINKS_MAX, resolve, resolve_parent};
pub use unlink::{Removed, rmdir, unlink};

use crate::dir::{self, Entry, Listing, check_name};
use crate::format::Timestamp;
use crate::inode::{self, Inode, InodeRef, LINKS_MAX, edit, moved, touch};
use crate::store::{FsError, Op, Stop};

/// Reads a directory that has a name.
fn directory(op: &Op<'_>, at: InodeRef) -> Result<Inode, Stop> {
    let inode = inode::read(op, at)?;
    if !inode.is_directory() {
        return Err(FsError::NotDirectory.into());
    }
    if inode.nlink() == 0 { Err(FsError::NotFound.into()) } else { Ok(inode) }
}

/// Reads a directory whose names shall change.
fn mutable_directory(op: &Op<'_>, at: InodeRef) -> Result<Inode, Stop> {
    let inode = directory(op, at)?;
    inode.demand_mutable()?;
    Ok(inode)
}

/// What a name in a directory leads to. "." and ".." are no names here: see [`resolve`].
pub fn lookup(op: &Op<'_>, dir: InodeRef, name: &[u8]) -> Result<Entry, Stop> {
    let dir = directory(op, dir)?;
    if check_name(name) == Err(FsError::NameTooLong) {
        return Err(FsError::NameTooLong.into());
    }
    Ok(dir::lookup(op, &dir, name)?.ok_or(FsError::NotFound)?)
}

/// The first `limit` names of a directory after a cookie (0: from the beginning), in the order of
/// cookies, without "." and "..". Fewer than `limit`: it ends here.
pub fn readdir(op: &Op<'_>, dir: InodeRef, after: u64, limit: usize) -> Result<Listing, Stop> {
    let inode = inode::read(op, dir)?;
    dir::list(op, &inode, after, limit)
}

/// The type of a mode, as entries hold it.
fn entry_type(mode: u32) -> u8 {
    (mode >> 12) as u8 & 0xf
}

/// Changes the number of links of an inode, and its ctime.
fn add_links(op: &mut Op<'_>, ino: u64, by: i64) -> Result<(), Stop> {
    let now = Timestamp::new(op.now());
    let core = edit(op, ino)?;
    let links = moved(u64::from(core.nlink.get()), by, ino, "nlink")?;
    let links = u32::try_from(links).ok().filter(|links| *links <= LINKS_MAX);
    core.nlink = links.ok_or(FsError::TooManyLinks)?.into();
    core.ctime = now;
    Ok(())
}
