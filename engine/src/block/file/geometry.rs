//! Opening a file, and what the kernel says of its size and alignment.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::FileOptions;
use crate::error::SetupError;

/// Assumed where the kernel does not tell (before 6.1): right for nearly every device.
const ALIGN_DEFAULT: u32 = 512;
/// The largest alignment that makes sense to serve.
const ALIGN_MAX: u32 = 65_536;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Regular,
    BlockDevice,
}

/// What requests must fit.
#[derive(Clone, Debug)]
pub(super) struct Geometry {
    pub(super) kind: Kind,
    /// Bytes; a multiple of `offset_align`.
    pub(super) size: u64,
    /// Offsets and lengths are multiples of it; a power of two.
    pub(super) offset_align: u32,
    /// Addresses are multiples of it; a power of two.
    pub(super) memory_align: u32,
    pub(super) optimal_len: u32,
}

/// Opens the file as the options say, or names what is wrong and what helps.
pub(super) fn open(path: &Path, name: &str, options: FileOptions) -> Result<File, SetupError> {
    let meta = fs::metadata(path).map_err(|e| explain(&e, name, options))?;
    let kind = meta.file_type();
    if !kind.is_file() && !kind.is_block_device() {
        let problem = "neither a regular file nor a block device";
        return Err(SetupError::new(name, problem, "name a file or a block device"));
    }
    let mut flags = libc::O_CLOEXEC;
    if options.direct {
        flags |= libc::O_DIRECT;
    }
    if kind.is_block_device() && options.exclusive && !options.read_only {
        flags |= libc::O_EXCL;
    }
    let mut how = OpenOptions::new();
    how.read(true).write(!options.read_only).custom_flags(flags);
    how.open(path).map_err(|e| explain(&e, name, options))
}

fn explain(error: &io::Error, name: &str, options: FileOptions) -> SetupError {
    let remedy = match error.raw_os_error() {
        Some(libc::ENOENT) => "create it first: truncate -s 1G FILE",
        Some(libc::EROFS | libc::EACCES | libc::EPERM) if !options.read_only => {
            "open it read-only (?ro=1), or change its permissions"
        }
        Some(libc::EACCES | libc::EPERM) => "change its permissions, or run as its owner",
        Some(libc::EBUSY) => "unmount it, or stop the program that uses it",
        Some(libc::EINVAL) if options.direct => {
            "its file system has no direct I/O: open it with ?direct=0"
        }
        Some(libc::ENXIO | libc::ENODEV) => "the device is gone: check its cable or driver",
        _ => "check the path",
    };
    SetupError::new(name, error.to_string(), remedy)
}

impl Geometry {
    pub(super) fn of(file: &File, name: &str, options: FileOptions) -> Result<Self, SetupError> {
        let meta = file.metadata().map_err(|e| explain(&e, name, options))?;
        let block_device = meta.file_type().is_block_device();
        let kind = if block_device { Kind::BlockDevice } else { Kind::Regular };
        let (memory_align, offset_align) =
            if options.direct { direct_alignment(file, name, &meta)? } else { (1, 1) };
        let size = size_of(file, name, offset_align)?;
        let preferred = u32::try_from(meta.blksize()).unwrap_or(4096);
        let optimal_len = preferred.clamp(4096.max(offset_align), 1 << 20);
        Ok(Geometry { kind, size, offset_align, memory_align, optimal_len })
    }

    /// True where `value` is a multiple of the offset alignment.
    #[inline]
    pub(super) fn fits(&self, value: u64) -> bool {
        value & (u64::from(self.offset_align) - 1) == 0
    }

    pub(super) fn round_down(&self, value: u64) -> u64 {
        value & !(u64::from(self.offset_align) - 1)
    }

    pub(super) fn round_up(&self, value: u64) -> u64 {
        self.round_down(value + u64::from(self.offset_align) - 1)
    }
}

/// The size in bytes; an error for an empty file or one that ends within a block.
pub(super) fn size_of(file: &File, name: &str, align: u32) -> Result<u64, SetupError> {
    let mut file: &File = file;
    let size = file.seek(SeekFrom::End(0)).map_err(|e| {
        SetupError::new(name, format!("its size cannot be told: {e}"), "check the device")
    })?;
    if size == 0 {
        return Err(SetupError::new(name, "it is empty", "give it a size: truncate -s 1G FILE"));
    }
    if size % u64::from(align) != 0 {
        let problem = format!("its size of {size} bytes is not a multiple of {align}");
        let fitting = size.next_multiple_of(u64::from(align));
        let remedy = format!("extend it: truncate -s {fitting} FILE, or open it with ?direct=0");
        return Err(SetupError::new(name, problem, remedy));
    }
    Ok(size)
}

/// Alignment of addresses and offsets for direct I/O (statx, STATX_DIOALIGN).
fn direct_alignment(
    file: &File,
    name: &str,
    meta: &fs::Metadata,
) -> Result<(u32, u32), SetupError> {
    let told = statx_dioalign(file);
    let (memory, offset) = match told {
        Some((0, _)) | Some((_, 0)) => {
            let remedy = "open it with ?direct=0, or move it to another file system";
            return Err(SetupError::new(name, "its file system has no direct I/O", remedy));
        }
        Some(told) => told,
        None => {
            let block = sysfs_block_len(meta).unwrap_or(ALIGN_DEFAULT);
            (block, block)
        }
    };
    let sane = |align: u32| align.is_power_of_two() && align <= ALIGN_MAX;
    if !sane(memory) || !sane(offset) {
        let problem = format!("it asks for an alignment of {memory}/{offset} bytes");
        return Err(SetupError::new(name, problem, "open it with ?direct=0"));
    }
    Ok((memory, offset))
}

fn statx_dioalign(file: &File) -> Option<(u32, u32)> {
    let mut answer = MaybeUninit::<libc::statx>::zeroed();
    // SAFETY: the empty path with AT_EMPTY_PATH means the descriptor itself, which is open; the
    // answer is written into memory of the right type.
    let failed = unsafe {
        libc::statx(
            file.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            libc::STATX_DIOALIGN,
            answer.as_mut_ptr(),
        )
    } != 0;
    // SAFETY: zeroed memory is a valid `statx`, whatever the kernel filled of it.
    let answer = unsafe { answer.assume_init() };
    let told = !failed && answer.stx_mask & libc::STATX_DIOALIGN != 0;
    told.then_some((answer.stx_dio_mem_align, answer.stx_dio_offset_align))
}

/// True on file systems that know both fallocate modes by which zeroes are asked for (fallocate(2)):
/// others get them written. Where it is not known, the answer is no.
pub(super) fn marks_zeroes(file: &File) -> bool {
    const KNOWN: [i64; 3] = [0xef53, 0x5846_5342, 0x9123_683e]; // ext4, XFS, Btrfs
    let mut answer = MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: the descriptor is open; the answer is written into memory of the right type.
    let failed = unsafe { libc::fstatfs(file.as_raw_fd(), answer.as_mut_ptr()) } != 0;
    // SAFETY: zeroed memory is a valid `statfs`, whatever the kernel filled of it.
    let answer = unsafe { answer.assume_init() };
    !failed && KNOWN.contains(&answer.f_type)
}

/// The logical block of a block device, in bytes, as sysfs tells it.
fn sysfs_block_len(meta: &fs::Metadata) -> Option<u32> {
    let device = if meta.file_type().is_block_device() { meta.rdev() } else { meta.dev() };
    let base = format!("/sys/dev/block/{}:{}", libc::major(device), libc::minor(device));
    // A partition has its queue one folder up.
    ["queue", "../queue"].iter().find_map(|queue| {
        let text = fs::read_to_string(format!("{base}/{queue}/logical_block_size")).ok()?;
        text.trim().parse().ok()
    })
}
