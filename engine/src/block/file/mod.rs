//! `file:`: a regular file or a block device of this host, with direct I/O.
//!
//! Invariants: a completed flush or `fua` write is on stable storage (fdatasync, RWF_DSYNC); a
//! request that does not fit the device's alignment is served through a bounce buffer, and a
//! write of that kind excludes every other write to its blocks, on whichever core; a short
//! transfer is continued, never reported as done.

mod channel;
mod exclusion;
mod geometry;
mod lane;
mod offload;
mod progress;
mod request;
mod status;
mod zeroes;

use std::fs::File;
use std::os::fd::{AsRawFd, RawFd};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{BlockDevice, Capabilities, Channel, DeviceInfo};
use crate::core::Core;
use crate::error::SetupError;
use crate::memory::LEASE_LEN_MAX;
use channel::FileChannel;
use exclusion::Exclusion;
use geometry::{Geometry, Kind};

/// Requests of one channel at once.
pub const FILE_DEPTH_MAX: u32 = 4096;
/// The longest span of aligned blocks that an unaligned request may touch, in bytes.
pub const BOUNCE_LEN_MAX: u32 = LEASE_LEN_MAX;

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileOptions {
    /// Go around the page cache (`O_DIRECT`).
    pub direct: bool,
    /// Refuse writes.
    pub read_only: bool,
    /// For block devices opened for writing: nobody else may have it open that way, mounts
    /// included (`O_EXCL`).
    pub exclusive: bool,
}

impl Default for FileOptions {
    fn default() -> Self {
        FileOptions { direct: true, read_only: false, exclusive: true }
    }
}

/// A file or block device of this host.
pub struct FileDevice {
    shared: Arc<Shared>,
}

/// What the channels of one device share.
struct Shared {
    file: File,
    name: String,
    geometry: Geometry,
    options: FileOptions,
    size: AtomicU64,
    exclusion: Exclusion,
    /// The file system marks ranges as zero instead of writing them.
    zeroes_fast: bool,
}

impl FileDevice {
    /// Opens the file or block device at `path`.
    pub fn open(path: &Path, options: FileOptions) -> Result<FileDevice, SetupError> {
        let name = format!("file:{}", path.display());
        let file = geometry::open(path, &name, options)?;
        let geometry = Geometry::of(&file, &name, options)?;
        let size = AtomicU64::new(geometry.size);
        let exclusion = Exclusion::new();
        let zeroes_fast = geometry.kind == Kind::Regular && geometry::marks_zeroes(&file);
        let shared = Shared { file, name, geometry, options, size, exclusion, zeroes_fast };
        Ok(FileDevice { shared: Arc::new(shared) })
    }
}

impl Shared {
    fn fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }

    fn size(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }

    fn is_block_device(&self) -> bool {
        self.geometry.kind == Kind::BlockDevice
    }
}

impl BlockDevice for FileDevice {
    fn info(&self) -> DeviceInfo {
        let geometry = &self.shared.geometry;
        DeviceInfo {
            name: self.shared.name.clone(),
            size: self.shared.size(),
            block_len: geometry.offset_align,
            atomic_len: geometry.offset_align,
            optimal_len: geometry.optimal_len,
            io_len_max: 1 << 30,
            depth_max: FILE_DEPTH_MAX,
            read_only: self.shared.options.read_only,
            can: Capabilities {
                fua: true,
                volatile_cache: true,
                discard: true,
                write_zeroes: true,
                compare_and_write: true,
                block_status: geometry.kind == Kind::Regular,
                reservations: false,
            },
        }
    }

    fn open_channel(&self, core: &Rc<Core>) -> Result<Box<dyn Channel>, SetupError> {
        let channel = FileChannel::open(Rc::clone(core), Arc::clone(&self.shared))?;
        Ok(Box::new(channel))
    }

    fn zeroes_fast(&self) -> bool {
        self.shared.zeroes_fast
    }

    fn rescan(&self) -> Result<(), SetupError> {
        let shared = &self.shared;
        let size = geometry::size_of(&shared.file, &shared.name, shared.geometry.offset_align)?;
        shared.size.store(size, Ordering::Release);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
