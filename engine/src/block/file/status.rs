//! Holes and data of a file (SEEK_HOLE, SEEK_DATA), and the discard ioctl of block devices.

use std::io;

use super::Shared;
use crate::block::{Extent, ExtentKind, Op};
use crate::error::IoError;

/// Extents in one answer; the caller asks again from where it ends.
const EXTENTS_MAX: usize = 1024;
/// `_IO(0x12, 119)` of linux/fs.h.
const BLKDISCARD: libc::c_ulong = 0x1277;

/// Which parts of a range hold data.
pub(super) fn extents(shared: &Shared, offset: u64, len: u64) -> Result<Vec<Extent>, IoError> {
    let end = offset + len;
    if shared.is_block_device() {
        return Ok(vec![Extent { offset, len, kind: ExtentKind::Data }]);
    }
    let failed = |e: io::Error| {
        let errno = e.raw_os_error().unwrap_or(libc::EIO);
        IoError::from_errno(errno, Op::BlockStatus, offset, len, &shared.name)
    };
    let mut list = Vec::new();
    let mut at = offset;
    while at < end && list.len() < EXTENTS_MAX {
        let data = seek(shared, at, libc::SEEK_DATA).map_err(failed)?.map_or(end, |d| d.min(end));
        if data > at {
            list.push(Extent { offset: at, len: data - at, kind: ExtentKind::Hole });
        }
        if data < end {
            let hole = seek(shared, data, libc::SEEK_HOLE).map_err(failed)?;
            // A file that changes under us can answer "here"; one byte of data is progress.
            let hole = hole.unwrap_or(end).clamp(data + 1, end);
            list.push(Extent { offset: data, len: hole - data, kind: ExtentKind::Data });
            at = hole;
        } else {
            at = end;
        }
    }
    Ok(list)
}

/// The next data or hole from `from` on; `None` where there is none up to the end.
fn seek(shared: &Shared, from: u64, whence: libc::c_int) -> io::Result<Option<u64>> {
    // SAFETY: lseek touches no memory; the file position is used by nobody else.
    let at = unsafe { libc::lseek(shared.fd(), from as libc::off_t, whence) };
    if at >= 0 {
        return Ok(Some(at as u64));
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::ENXIO) => Ok(None),
        // The file system cannot tell: everything is data.
        Some(libc::EINVAL | libc::EOPNOTSUPP) if whence == libc::SEEK_DATA => Ok(Some(from)),
        Some(libc::EINVAL | libc::EOPNOTSUPP) => Ok(None),
        _ => Err(error),
    }
}

/// Discards a range of a block device.
pub(super) fn discard(shared: &Shared, offset: u64, len: u64) -> Result<Vec<Extent>, IoError> {
    let range = [offset, len];
    // SAFETY: BLKDISCARD reads two 64-bit numbers from the address.
    let failed = unsafe { libc::ioctl(shared.fd(), BLKDISCARD, range.as_ptr()) } != 0;
    if !failed {
        return Ok(Vec::new());
    }
    let errno = io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO);
    Err(IoError::from_errno(errno, Op::Discard, offset, len, &shared.name))
}
