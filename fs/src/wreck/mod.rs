//! One targeted corruption for each finding of fsck: for tests.
//!
//! A wreck looks for a structure in use that can be broken so, breaks it the smallest way, and says
//! what it did. Where nothing on the volume can be broken so, it says what is missing.

mod blocks;
mod inodes;
mod space;
mod target;

use std::fmt;
use std::rc::Rc;

use byway_engine::api::Disk;
use byway_engine::block::BlockDevice;
use byway_engine::core::Core;
use byway_engine::error::IoError;

use crate::fsck::{Code, FsckError, survey};
use target::Target;

/// Why nothing was broken.
#[derive(Debug)]
pub enum WreckError {
    /// The volume cannot be looked at.
    Volume(FsckError),
    /// The device failed.
    Gone(Box<IoError>),
    /// The volume has nothing that can be broken so; the words say what it needs.
    Nothing(&'static str),
    /// The volume is damaged already: what a further corruption does could not be told apart.
    NotClean,
}

impl fmt::Display for WreckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WreckError::Volume(error) => error.fmt(f),
            WreckError::Gone(error) => write!(f, "{error}; look at the device"),
            WreckError::Nothing(needs) => {
                write!(f, "nothing to be broken so; the volume needs {needs}")
            }
            WreckError::NotClean => {
                f.write_str("the volume is damaged already; run `byway fsck` first")
            }
        }
    }
}

impl std::error::Error for WreckError {}

impl From<Box<IoError>> for WreckError {
    fn from(error: Box<IoError>) -> WreckError {
        WreckError::Gone(error)
    }
}

/// Breaks the volume on a device, which nobody has mounted, so that fsck finds `code`. Says what
/// was broken.
///
/// # Errors
/// Where the volume is not clean or has nothing that can be broken so.
pub async fn wreck(
    core: &Rc<Core>,
    device: &dyn BlockDevice,
    code: Code,
) -> Result<String, WreckError> {
    let check = survey(core, device).await.map_err(WreckError::Volume)?;
    if !check.report.is_clean() {
        return Err(WreckError::NotClean);
    }
    let disk = Disk::open(core, device).map_err(|e| WreckError::Volume(FsckError::Setup(e)))?;
    let target = Target { check, disk };
    match code {
        Code::Superblock
        | Code::BackupSuperblock
        | Code::JournalHead
        | Code::Slot
        | Code::Heartbeat
        | Code::GroupMap
        | Code::Group
        | Code::Bitmap
        | Code::Root
        | Code::Inode
        | Code::DirLeaf => blocks::wreck(&target, code).await,
        Code::SlotCounts
        | Code::GroupMapBit
        | Code::GroupFree
        | Code::BlocksLost
        | Code::BlocksLeaked
        | Code::RefcountTree
        | Code::Refcount
        | Code::PendingTree
        | Code::PendingUsed
        | Code::OrphanTree
        | Code::OrphanEntry => space::wreck(&target, code).await,
        Code::InodeField
        | Code::InodeBlocks
        | Code::LinkCount
        | Code::Parent
        | Code::EntryCount
        | Code::ExtentNode
        | Code::ExtentRecord
        | Code::DoubleClaim
        | Code::DirNode
        | Code::DirEntry
        | Code::Unreachable
        | Code::Xattr => inodes::wreck(&target, code).await,
    }
}
