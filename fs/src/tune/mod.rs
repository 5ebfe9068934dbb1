//! Changing what the superblock says of a volume that nobody has mounted.
//!
//! Invariant: copies are durable before the primary is written, so that a change that is broken off
//! leaves a superblock that is whole, the old one or the new one.

use std::fmt;
use std::rc::Rc;

use byway_engine::api::Disk;
use byway_engine::block::BlockDevice;
use byway_engine::core::Core;
use byway_engine::error::{IoError, SetupError};

use crate::dump::{DumpError, Walker};
use crate::format::{Access, BLOCK_LEN, SUPER_AT, Superblock, is_label};
use crate::store::Block;

/// Why nothing was changed.
#[derive(Debug)]
pub enum TuneError {
    /// There is no volume, or it cannot be read.
    Volume(DumpError),
    /// The label is longer than 64 bytes or has control characters.
    Label,
    /// The volume may not be written, or must be checked first.
    Refused(Access),
    /// The core has no memory left.
    Memory,
    /// The device cannot be opened.
    Setup(SetupError),
    /// The device failed.
    Io(Box<IoError>),
}

impl fmt::Display for TuneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TuneError::Volume(error) => error.fmt(f),
            TuneError::Label => {
                f.write_str("the label cannot be written: use at most 64 bytes without controls")
            }
            TuneError::Refused(_) => {
                f.write_str("the volume cannot be changed: use a newer byway, or run `byway fsck`")
            }
            TuneError::Memory => f.write_str("no memory for the writes: give cores more"),
            TuneError::Setup(error) => error.fmt(f),
            TuneError::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for TuneError {}

/// Gives a volume another label.
///
/// # Errors
/// Where the label cannot be written, or the device is no volume that may be changed.
pub async fn label(
    core: &Rc<Core>,
    device: &dyn BlockDevice,
    label: &str,
) -> Result<(), TuneError> {
    if !is_label(label) {
        return Err(TuneError::Label);
    }
    let walker = Walker::open(core, device).await.map_err(TuneError::Volume)?;
    let superblock = walker.superblock().clone();
    drop(walker);
    match superblock.access() {
        Access::ReadWrite => {}
        access => return Err(TuneError::Refused(access)),
    }
    let version = superblock.version + 1;
    let changed = Superblock { label: label.to_owned(), version, ..superblock };
    let disk = Disk::open(core, device).map_err(TuneError::Setup)?;
    for bno in changed.geometry.backups().chain([SUPER_AT]) {
        write(&disk, bno, &changed.to_block(bno)).await?;
    }
    Ok(())
}

async fn write(disk: &Disk, bno: u64, block: &Block) -> Result<(), TuneError> {
    let mut lease = disk.core().lease(BLOCK_LEN as u32).ok_or(TuneError::Memory)?;
    lease.copy_from_slice(block.bytes());
    let (written, _) = disk.write_fua(bno * BLOCK_LEN as u64, lease).await;
    written.map_err(TuneError::Io)
}
