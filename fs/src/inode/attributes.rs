//! What stat(2) tells of an inode, and what chmod, chown and utimens change.

use super::{InodeRef, edit, read};
use crate::format::{FLAG_TRUNCATING, FLAGS, InodeCore, MODE_TYPE, Timestamp};
use crate::store::{FsError, Op, Stop, Time};

/// The fields of an inode, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// Which inode.
    pub at: InodeRef,
    /// Type and permissions.
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The owning group.
    pub gid: u32,
    /// Names that lead to it; for directories 2 and one for each subdirectory.
    pub nlink: u32,
    /// The `FLAG_` bits.
    pub flags: u32,
    /// Bytes.
    pub size: u64,
    /// Blocks of 4,096 bytes that it owns.
    pub blocks: u64,
    /// Last read.
    pub atime: Time,
    /// Last change of the data.
    pub mtime: Time,
    /// Last change of anything.
    pub ctime: Time,
    /// When it was made.
    pub btime: Time,
    /// The number of a device.
    pub rdev: u64,
    /// The directory that holds it; a hint but for directories.
    pub parent: u64,
    /// Names in a directory.
    pub entries: u64,
}

/// What shall change; what is None stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SetAttributes {
    /// The permissions; bits of the type are ignored.
    pub mode: Option<u32>,
    /// The owner.
    pub uid: Option<u32>,
    /// The owning group.
    pub gid: Option<u32>,
    /// The `FLAG_` bits but for those that are the file system's own.
    pub flags: Option<u32>,
    /// Last read.
    pub atime: Option<Time>,
    /// Last change of the data.
    pub mtime: Option<Time>,
}

impl From<(InodeRef, &InodeCore)> for Attributes {
    fn from((at, core): (InodeRef, &InodeCore)) -> Attributes {
        Attributes {
            at,
            mode: core.mode.get(),
            uid: core.uid.get(),
            gid: core.gid.get(),
            nlink: core.nlink.get(),
            flags: core.flags.get(),
            size: core.size.get(),
            blocks: core.blocks.get(),
            atime: core.atime.time(),
            mtime: core.mtime.time(),
            ctime: core.ctime.time(),
            btime: core.btime.time(),
            rdev: core.rdev.get(),
            parent: core.parent.get(),
            entries: core.entries.get(),
        }
    }
}

/// The attributes of an inode.
pub fn attributes(op: &Op<'_>, at: InodeRef) -> Result<Attributes, Stop> {
    read(op, at).map(|inode| Attributes::from((at, inode.core())))
}

/// Changes attributes. An immutable inode takes only flags.
pub fn set_attributes(op: &mut Op<'_>, at: InodeRef, set: SetAttributes) -> Result<(), Stop> {
    let inode = read(op, at)?;
    if set.flags.is_none() {
        inode.demand_mutable()?;
    }
    if set.flags.is_some_and(|flags| flags & !FLAGS != 0) {
        return Err(FsError::Invalid("flags").into());
    }
    let now = Timestamp::new(op.now());
    let core = edit(op, at.ino)?;
    apply(core, set);
    core.ctime = now;
    Ok(())
}

fn apply(core: &mut InodeCore, set: SetAttributes) {
    if let Some(mode) = set.mode {
        core.mode = (core.file_type() | mode & !MODE_TYPE & 0o7777).into();
    }
    if let Some(flags) = set.flags {
        let own = core.flags.get() & FLAG_TRUNCATING;
        core.flags = (own | flags & !FLAG_TRUNCATING).into();
    }
    core.uid = set.uid.unwrap_or(core.uid.get()).into();
    core.gid = set.gid.unwrap_or(core.gid.get()).into();
    core.atime = set.atime.map_or(core.atime, Timestamp::new);
    core.mtime = set.mtime.map_or(core.mtime, Timestamp::new);
}

/// The data of an inode changes: its times of change are the operation's.
pub fn touch(op: &mut Op<'_>, ino: u64) -> Result<(), Stop> {
    let now = Timestamp::new(op.now());
    let core = edit(op, ino)?;
    (core.mtime, core.ctime) = (now, now);
    Ok(())
}
