//! New names: files, directories, links.

use super::{add_links, directory, entry_type, mutable_directory, touch};
use crate::dir::{self, Entry, Found, Place, check_name};
use crate::format::{
    MODE_BLOCK, MODE_CHARACTER, MODE_DIRECTORY, MODE_FIFO, MODE_LINK, MODE_REGULAR, MODE_SOCKET,
    MODE_TYPE,
};
use crate::inode::{self, Inode, InodeRef, NewInode, edit};
use crate::store::{FsError, Op, Stop};

/// The longest target of a symbolic link, in bytes: it lies in the dinode.
pub const TARGET_LEN_MAX: usize = 2560;
/// A directory with this bit hands its group down.
const SET_GID: u32 = 0o2000;

/// Whose a new inode is, and its permissions (without bits of the type).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct New {
    /// Permissions.
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The owning group, unless the directory hands its own down.
    pub gid: u32,
}

/// What [`create`] found or made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Created {
    /// The inode.
    pub at: InodeRef,
    /// Its type, as entries hold it.
    pub file_type: u8,
    /// False if the name was there before.
    pub new: bool,
}

/// What a new inode is, in this directory.
fn inode_in(dir: &Inode, file_type: u32, new: New, rdev: u64) -> NewInode {
    let core = dir.core();
    let inherit = core.mode.get() & SET_GID != 0;
    let directory = file_type == MODE_DIRECTORY;
    let pass_on = if inherit && directory { SET_GID } else { 0 };
    NewInode {
        mode: file_type | new.mode & 0o7777 | pass_on,
        uid: new.uid,
        gid: if inherit { core.gid.get() } else { new.gid },
        rdev,
        parent: dir.ino(),
        nlink: if directory { 2 } else { 1 },
    }
}

/// The place for a name that is not there; the entry if it is.
fn vacancy(op: &Op<'_>, dir: &Inode, name: &[u8]) -> Result<Result<Place, Entry>, Stop> {
    check_name(name)?;
    match dir::search(op, dir, name)? {
        Found::Here(entry, _) => Ok(Err(entry)),
        Found::Nowhere(place) => Ok(Ok(place.ok_or(FsError::NoSpace)?)),
    }
}

/// Makes an inode and its name.
fn make(
    op: &mut Op<'_>,
    dir: &Inode,
    name: &[u8],
    place: Place,
    new: NewInode,
) -> Result<InodeRef, Stop> {
    let at = inode::create(op, new)?;
    dir::insert_at(op, dir, place, name, (at, entry_type(new.mode)))?;
    touch(op, dir.ino())?;
    Ok(at)
}

fn make_new(
    op: &mut Op<'_>,
    dir: InodeRef,
    name: &[u8],
    (file_type, new, rdev): (u32, New, u64),
) -> Result<InodeRef, Stop> {
    let dir = mutable_directory(op, dir)?;
    let place = vacancy(op, &dir, name)?.map_err(|_| FsError::Exists)?;
    make(op, &dir, name, place, inode_in(&dir, file_type, new, rdev))
}

/// Makes a regular file. A name that is there fails with [`FsError::Exists`] if the creation is
/// exclusive; otherwise it is what comes out, of whatever type.
pub fn create(
    op: &mut Op<'_>,
    dir: InodeRef,
    name: &[u8],
    new: New,
    exclusive: bool,
) -> Result<Created, Stop> {
    let dir = directory(op, dir)?;
    match vacancy(op, &dir, name)? {
        Err(_) if exclusive => Err(FsError::Exists.into()),
        Err(entry) => Ok(Created { at: entry.target, file_type: entry.file_type, new: false }),
        Ok(place) => {
            dir.demand_mutable()?;
            let new = inode_in(&dir, MODE_REGULAR, new, 0);
            let at = make(op, &dir, name, place, new)?;
            Ok(Created { at, file_type: entry_type(new.mode), new: true })
        }
    }
}

/// Makes a directory.
pub fn mkdir(op: &mut Op<'_>, dir: InodeRef, name: &[u8], new: New) -> Result<InodeRef, Stop> {
    let at = make_new(op, dir, name, (MODE_DIRECTORY, new, 0))?;
    add_links(op, dir.ino, 1)?;
    Ok(at)
}

/// Makes a pipe, a socket, a device or a regular file: `new.mode` holds the type too.
pub fn mknod(
    op: &mut Op<'_>,
    dir: InodeRef,
    name: &[u8],
    new: New,
    rdev: u64,
) -> Result<InodeRef, Stop> {
    let file_type = new.mode & MODE_TYPE;
    let rdev = if matches!(file_type, MODE_CHARACTER | MODE_BLOCK) { rdev } else { 0 };
    match file_type {
        MODE_FIFO | MODE_SOCKET | MODE_CHARACTER | MODE_BLOCK | MODE_REGULAR => {
            make_new(op, dir, name, (file_type, new, rdev))
        }
        _ => Err(FsError::Invalid("type of a file").into()),
    }
}

/// Makes a symbolic link. Its target is 1 to [`TARGET_LEN_MAX`] bytes without NUL.
pub fn symlink(
    op: &mut Op<'_>,
    dir: InodeRef,
    name: &[u8],
    target: &[u8],
    new: New,
) -> Result<InodeRef, Stop> {
    if target.len() > TARGET_LEN_MAX {
        return Err(FsError::NameTooLong.into());
    }
    if target.is_empty() || target.contains(&0) {
        return Err(FsError::Invalid("target of a link").into());
    }
    let at = make_new(op, dir, name, (MODE_LINK, New { mode: 0o777, ..new }, 0))?;
    let fits = inode::inline_put(op, at, 0, target)?;
    assert!(fits, "the longest target fits into a new dinode");
    Ok(at)
}

/// The target of a symbolic link.
pub fn readlink(op: &Op<'_>, at: InodeRef) -> Result<Vec<u8>, Stop> {
    let inode = inode::read(op, at)?;
    if inode.core().file_type() != MODE_LINK {
        return Err(FsError::Invalid("not a symbolic link").into());
    }
    let wrong = || crate::store::Damage::field(at.ino, inode::want(at.ino), "form");
    Ok(inode::inline_bytes(&inode).ok_or_else(wrong)?.to_vec())
}

/// Gives a file another name.
pub fn link(op: &mut Op<'_>, target: InodeRef, dir: InodeRef, name: &[u8]) -> Result<(), Stop> {
    let inode = inode::read(op, target)?;
    if inode.nlink() == 0 {
        return Err(FsError::NotFound.into());
    }
    inode.demand_mutable()?;
    name_inode(op, &inode, dir, name)
}

/// Names an existing inode that is no directory.
fn name_inode(op: &mut Op<'_>, inode: &Inode, dir: InodeRef, name: &[u8]) -> Result<(), Stop> {
    if inode.is_directory() {
        return Err(FsError::IsDirectory.into());
    }
    let dir = mutable_directory(op, dir)?;
    let place = vacancy(op, &dir, name)?.map_err(|_| FsError::Exists)?;
    let file_type = entry_type(inode.core().mode.get());
    dir::insert_at(op, &dir, place, name, (inode.at(), file_type))?;
    touch(op, dir.ino())?;
    add_links(op, inode.ino(), 1)
}

/// Makes a regular file without a name: an orphan, which is freed when nobody has it open, unless
/// it is published before. `dir` is where it shall get its name.
pub fn create_orphan(op: &mut Op<'_>, dir: InodeRef, new: New) -> Result<InodeRef, Stop> {
    let dir = mutable_directory(op, dir)?;
    let new = NewInode { nlink: 0, ..inode_in(&dir, MODE_REGULAR, new, 0) };
    let at = inode::create(op, new)?;
    inode::orphan_add(op, at)?;
    Ok(at)
}

/// Gives an orphan of this node, made by [`create_orphan`], its first name.
pub fn publish(op: &mut Op<'_>, orphan: InodeRef, dir: InodeRef, name: &[u8]) -> Result<(), Stop> {
    let inode = inode::read(op, orphan)?;
    if inode.nlink() != 0 {
        return Err(FsError::Invalid("the file has a name").into());
    }
    let slot = op.slot();
    inode::orphan_remove(op, slot, orphan)?;
    name_inode(op, &inode, dir, name)?;
    edit(op, orphan.ino)?.parent = dir.ino.into();
    Ok(())
}
