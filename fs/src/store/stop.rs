//! Why an operation ended before its end.

use std::fmt;

use byway_engine::error::IoError;

use super::{LockId, Mode};
use crate::format::Kind;

/// What a block must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Want {
    /// Its kind.
    pub kind: Kind,
    /// Its owner: an inode, a group or a slot, by kind.
    pub owner: u64,
}

impl Want {
    /// A block of `kind` that belongs to `owner`.
    pub fn new(kind: Kind, owner: u64) -> Want {
        Want { kind, owner }
    }
}

/// Why an operation stopped. All but the last are for the shell: it provides what is missing and
/// runs the operation again from its start. The last is the operation's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// A block is not resident.
    Miss {
        /// Where it lies.
        bno: u64,
        /// What it must be.
        want: Want,
    },
    /// A glock is not held in the mode needed.
    Lock {
        /// Which.
        id: LockId,
        /// The least mode that lets the operation go on.
        mode: Mode,
    },
    /// It wants to change something, and the journal has no room for that yet.
    Room,
    /// The operation failed, and changed nothing.
    Fail(FsError),
}

/// How an operation on a file system fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FsError {
    /// No such name.
    NotFound,
    /// The name exists.
    Exists,
    /// The directory holds names.
    NotEmpty,
    /// Not a directory.
    NotDirectory,
    /// A directory.
    IsDirectory,
    /// The name, or the target of a symbolic link, is too long.
    NameTooLong,
    /// No space is left.
    NoSpace,
    /// A file has as many names, or a directory as many subdirectories, as it may have.
    TooManyLinks,
    /// An argument makes no sense; the words name it.
    Invalid(&'static str),
    /// Beyond what a file can be.
    Range,
    /// The volume takes no changes.
    ReadOnly,
    /// The file may not be changed, by its own flag.
    Immutable,
    /// The inode is another one by now.
    Stale,
    /// Somebody uses it.
    Busy,
    /// What is on disk cannot be right.
    Damaged(Damage),
    /// The device failed.
    Io(Box<IoError>),
}

impl From<Box<IoError>> for FsError {
    fn from(error: Box<IoError>) -> FsError {
        FsError::Io(error)
    }
}

/// A block of metadata that is not what it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where it lies.
    pub bno: u64,
    /// What was expected there.
    pub want: Want,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// It does not begin with the magic number.
    Magic,
    /// Its checksum is wrong.
    Checksum,
    /// It belongs to another volume.
    ForeignVolume,
    /// It belongs to another place.
    Misplaced,
    /// It is of another kind.
    Kind,
    /// It belongs to another owner.
    Owner,
    /// Bytes that must be zero are not.
    Reserved,
    /// A field has a value that it cannot have; the words name it.
    Field(&'static str),
}

impl From<FsError> for Stop {
    fn from(error: FsError) -> Stop {
        Stop::Fail(error)
    }
}

impl From<Damage> for Stop {
    fn from(damage: Damage) -> Stop {
        Stop::Fail(FsError::Damaged(damage))
    }
}

impl From<Damage> for FsError {
    fn from(damage: Damage) -> FsError {
        FsError::Damaged(damage)
    }
}

impl Damage {
    /// A field of a block that is otherwise sound.
    pub fn field(bno: u64, want: Want, name: &'static str) -> Damage {
        Damage { bno, want, fault: Fault::Field(name) }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Magic => f.write_str("is no block of metadata"),
            Fault::Checksum => f.write_str("has a wrong checksum"),
            Fault::ForeignVolume => f.write_str("belongs to another volume"),
            Fault::Misplaced => f.write_str("belongs to another place"),
            Fault::Kind => f.write_str("is of another kind"),
            Fault::Owner => f.write_str("has another owner"),
            Fault::Reserved => f.write_str("has bytes set that must be zero"),
            Fault::Field(name) => write!(f, "has an impossible {name}"),
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Damage { bno, want, fault } = self;
        write!(f, "block {bno} ({} of {}) {fault}: run `byway fsck`", want.kind.name(), want.owner)
    }
}

impl fmt::Display for FsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FsError::NotFound => f.write_str("no such file or directory"),
            FsError::Exists => f.write_str("the name exists"),
            FsError::NotEmpty => f.write_str("the directory is not empty"),
            FsError::NotDirectory => f.write_str("not a directory"),
            FsError::IsDirectory => f.write_str("is a directory"),
            FsError::NameTooLong => f.write_str("the name is too long"),
            FsError::NoSpace => f.write_str("no space left on the volume"),
            FsError::TooManyLinks => f.write_str("too many links"),
            FsError::Invalid(what) => write!(f, "invalid: {what}"),
            FsError::Range => f.write_str("beyond the largest file"),
            FsError::ReadOnly => f.write_str("the volume is read-only"),
            FsError::Immutable => f.write_str("the file is immutable: clear its flag first"),
            FsError::Stale => f.write_str("the file is gone"),
            FsError::Busy => f.write_str("in use"),
            FsError::Damaged(damage) => damage.fmt(f),
            FsError::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for FsError {}
