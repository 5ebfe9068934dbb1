//! Rename: a name leads elsewhere from one moment to the next, and is never missing in between.

use super::unlink::{demand_empty, drop_name};
use super::{Removed, add_links, mutable_directory, touch};
use crate::dir::{self, Entry, Found, Place, check_name};
use crate::format::Timestamp;
use crate::inode::{self, Inode, InodeRef, edit};
use crate::store::{Damage, FsError, LockId, Mode, Op, Stop};

/// Directories above a directory, at most: more is a loop on disk.
const DEPTH_MAX: usize = 65_536;

/// What happens to a name that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenameMode {
    /// It is replaced.
    Replace,
    /// It is an error.
    NoReplace,
    /// It must exist, and the two names change places.
    Exchange,
}

/// What a rename did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renamed {
    /// The inode that got the new name.
    pub moved: InodeRef,
    /// The inode that lost it, when one was replaced.
    pub replaced: Option<Removed>,
}

/// One of the two names.
struct Side<'n> {
    dir: Inode,
    name: &'n [u8],
}

impl<'n> Side<'n> {
    fn new(op: &Op<'_>, dir: InodeRef, name: &'n [u8]) -> Result<Side<'n>, Stop> {
        check_name(name)?;
        Ok(Side { dir: mutable_directory(op, dir)?, name })
    }

    fn ino(&self) -> u64 {
        self.dir.ino()
    }
}

/// Renames within the volume.
pub fn rename(
    op: &mut Op<'_>,
    from_dir: InodeRef,
    from_name: &[u8],
    to_dir: InodeRef,
    to_name: &[u8],
    mode: RenameMode,
) -> Result<Renamed, Stop> {
    let from = Side::new(op, from_dir, from_name)?;
    let to = Side::new(op, to_dir, to_name)?;
    let Found::Here(source, source_place) = dir::search(op, &from.dir, from_name)? else {
        return Err(FsError::NotFound.into());
    };
    let moved = inode::read(op, source.target)?;
    moved.demand_mutable()?;
    guard_loop(op, &moved, &from, &to)?;
    let replaced = match (dir::search(op, &to.dir, to_name)?, mode) {
        (Found::Here(..), RenameMode::NoReplace) => return Err(FsError::Exists.into()),
        (Found::Nowhere(_), RenameMode::Exchange) => return Err(FsError::NotFound.into()),
        // Two names of one inode: POSIX wants nothing done.
        (Found::Here(found, _), _) if found.target == source.target => None,
        (Found::Here(found, place), RenameMode::Exchange) => {
            let sides = [(&from, source, source_place), (&to, found, place)];
            exchange(op, &moved, sides)?;
            None
        }
        (Found::Here(found, place), RenameMode::Replace) => {
            Some(replace(op, &moved, source, (&from, &to), (found, place))?)
        }
        (Found::Nowhere(place), _) => {
            let place = place.ok_or(FsError::NoSpace)?;
            dir::insert_at(op, &to.dir, place, to_name, (source.target, source.file_type))?;
            take_away(op, &from)?;
            move_links(op, &moved, &from, &to)?;
            None
        }
    };
    Ok(Renamed { moved: source.target, replaced })
}

/// Takes the old name out. The directory may have changed in this operation.
fn take_away(op: &mut Op<'_>, from: &Side<'_>) -> Result<(), Stop> {
    let dir = inode::read(op, from.dir.at())?;
    dir::remove(op, &dir, from.name).map(drop)
}

/// The old name goes, and the new one leads to what it led to.
fn replace(
    op: &mut Op<'_>,
    moved: &Inode,
    source: Entry,
    (from, to): (&Side<'_>, &Side<'_>),
    (found, place): (Entry, Place),
) -> Result<Removed, Stop> {
    let victim = inode::read(op, found.target)?;
    victim.demand_mutable()?;
    match (moved.is_directory(), victim.is_directory()) {
        (true, _) => demand_empty(&victim)?,
        (false, true) => return Err(FsError::IsDirectory.into()),
        (false, false) => {}
    }
    dir::replace_at(op, &to.dir, place, (source.target, source.file_type))?;
    take_away(op, from)?;
    move_links(op, moved, from, to)?;
    if victim.is_directory() {
        add_links(op, to.ino(), -1)?;
    }
    drop_name(op, &victim)
}

/// The two names change places.
fn exchange(
    op: &mut Op<'_>,
    moved: &Inode,
    [(from, source, source_place), (to, found, place)]: [(&Side<'_>, Entry, Place); 2],
) -> Result<(), Stop> {
    let other = inode::read(op, found.target)?;
    other.demand_mutable()?;
    guard_loop(op, &other, to, from)?;
    dir::replace_at(op, &from.dir, source_place, (found.target, found.file_type))?;
    dir::replace_at(op, &to.dir, place, (source.target, source.file_type))?;
    move_links(op, moved, from, to)?;
    move_links(op, &other, to, from)
}

/// An inode's name is in another directory from here on.
fn move_links(op: &mut Op<'_>, moved: &Inode, from: &Side<'_>, to: &Side<'_>) -> Result<(), Stop> {
    let now = Timestamp::new(op.now());
    let core = edit(op, moved.ino())?;
    core.ctime = now;
    core.parent = to.ino().into();
    if moved.is_directory() && from.ino() != to.ino() {
        add_links(op, from.ino(), -1)?;
        add_links(op, to.ino(), 1)?;
    }
    touch(op, from.ino())?;
    touch(op, to.ino())
}

/// A directory does not move below itself. All renames of directories from one directory to
/// another are in one order, so the way up does not change while it is walked.
fn guard_loop(op: &Op<'_>, moved: &Inode, from: &Side<'_>, to: &Side<'_>) -> Result<(), Stop> {
    if !moved.is_directory() || from.ino() == to.ino() {
        return Ok(());
    }
    op.lock(LockId::Rename, Mode::Exclusive)?;
    let mut at = to.ino();
    for _ in 0..DEPTH_MAX {
        if at == moved.ino() {
            return Err(FsError::Invalid("a directory cannot move below itself").into());
        }
        let parent = inode::read_number(op, at)?.core().parent.get();
        if parent == at {
            return Ok(());
        }
        at = parent;
    }
    Err(Damage::field(at, inode::want(at), "parent").into())
}
