//! The error of the data path: what failed, where, and what the caller must do about it.
//!
//! Invariants: a kind names the caller's duty, not the cause (the raw status is kept beside it);
//! an error that follows a write says whether the medium may have changed. Expected outcomes
//! (a full queue, a lost race) are not errors: they are in the return types.

use std::fmt;

use crate::block::Op;

/// What the caller must do. The first question of every handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Try again later on the same path.
    Transient,
    /// The path is gone: reconnect or use another one.
    PathLost,
    /// A reservation or lease is lost: stop writing now.
    Fenced,
    /// The medium cannot deliver these bytes.
    Media,
    /// Compare-and-write found other bytes; the medium is unchanged.
    Miscompare {
        /// Offset of the first differing byte, relative to the start of the operation.
        at: u64,
    },
    /// Offset, length or alignment is outside of what the device takes.
    Range,
    /// The backing store is full.
    NoSpace,
    /// The device does not take writes.
    ReadOnly,
    /// The device does not know this operation.
    Unsupported,
    /// The operation was given up.
    Aborted {
        /// True where the medium may hold all, some or none of the bytes.
        maybe_written: bool,
    },
}

impl ErrorKind {
    /// The kind that an errno of the block or file layer stands for.
    pub fn from_errno(errno: i32, op: Op) -> Self {
        match errno {
            libc::EAGAIN | libc::EINTR | libc::EBUSY | libc::ENOMEM => ErrorKind::Transient,
            libc::ENODEV | libc::ENXIO | libc::ENOTCONN | libc::ECONNRESET | libc::EPIPE => {
                ErrorKind::PathLost
            }
            libc::EBADE => ErrorKind::Fenced,
            libc::EINVAL | libc::EOVERFLOW | libc::EFBIG => ErrorKind::Range,
            libc::ENOSPC | libc::EDQUOT => ErrorKind::NoSpace,
            libc::EROFS | libc::EPERM | libc::EACCES | libc::EBADF => ErrorKind::ReadOnly,
            libc::EOPNOTSUPP | libc::ENOSYS | libc::ENOTTY => ErrorKind::Unsupported,
            libc::ECANCELED | libc::ETIMEDOUT => {
                ErrorKind::Aborted { maybe_written: op.changes_medium() }
            }
            _ => ErrorKind::Media,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ErrorKind::Transient => f.write_str("try again"),
            ErrorKind::PathLost => f.write_str("device is gone"),
            ErrorKind::Fenced => f.write_str("fenced by a reservation"),
            ErrorKind::Media => f.write_str("medium error"),
            ErrorKind::Miscompare { at } => write!(f, "compare failed at byte {at}"),
            ErrorKind::Range => f.write_str("out of range or not aligned"),
            ErrorKind::NoSpace => f.write_str("no space left"),
            ErrorKind::ReadOnly => f.write_str("read-only"),
            ErrorKind::Unsupported => f.write_str("not supported"),
            ErrorKind::Aborted { maybe_written: true } => f.write_str("aborted, maybe written"),
            ErrorKind::Aborted { maybe_written: false } => f.write_str("aborted"),
        }
    }
}

/// A failed operation, with its place. Boxed in completions, so that success stays small.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IoError {
    /// What the caller must do.
    pub kind: ErrorKind,
    /// The operation that failed.
    pub op: Op,
    /// Byte offset on the device.
    pub offset: u64,
    /// Length in bytes.
    pub len: u64,
    /// The raw status where there is one: an errno of the kernel.
    pub errno: Option<i32>,
    /// What happened, in words; names the device or the limit.
    pub detail: String,
}

impl IoError {
    /// An error of `kind` at a place, with words.
    pub fn new(kind: ErrorKind, op: Op, offset: u64, len: u64, detail: impl Into<String>) -> Self {
        IoError { kind, op, offset, len, errno: None, detail: detail.into() }
    }

    /// An error that the kernel reported with `errno` (positive) for `device`.
    pub fn from_errno(errno: i32, op: Op, offset: u64, len: u64, device: &str) -> Self {
        let cause = std::io::Error::from_raw_os_error(errno);
        IoError {
            kind: ErrorKind::from_errno(errno, op),
            op,
            offset,
            len,
            errno: Some(errno),
            detail: format!("{device}: {cause}"),
        }
    }
}

impl fmt::Display for IoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} bytes at offset {}: ", self.op, self.len, self.offset)?;
        write!(f, "{} ({})", self.kind, self.detail)
    }
}

impl std::error::Error for IoError {}

/// A failure to set something up: a device, a channel, a reactor. Names the thing and the remedy.
#[derive(Debug)]
pub struct SetupError {
    /// The thing that could not be set up: a path, a URI, a feature.
    pub thing: String,
    /// What is wrong with it.
    pub problem: String,
    /// What the user can do about it.
    pub remedy: String,
}

impl SetupError {
    /// Names the thing, what is wrong and what helps.
    pub fn new(
        thing: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        SetupError { thing: thing.into(), problem: problem.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.thing, self.problem, self.remedy)
    }
}

impl std::error::Error for SetupError {}
