//! The file of a Unix listener: stale ones are removed before, our own after.
//!
//! Invariants: a file is removed only where it is a socket on which nobody listens, or where it is
//! the very file that this process made (by device and inode).

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

use super::{Address, NetError, NetErrorKind};

/// A socket file that this process made. Dropping it removes the file, if it is still that one.
pub(super) struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    /// The file that a listener has just been bound to.
    pub(super) fn made(path: &Path) -> io::Result<SocketFile> {
        Ok(SocketFile { path: path.to_owned(), identity: identity(path)? })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = identity(&self.path).is_ok_and(|now| now == self.identity);
        if ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "the socket's file stays");
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let file = fs::symlink_metadata(path)?;
    Ok((file.dev(), file.ino()))
}

/// Removes a socket file that a server left behind; an error where anything else is there.
pub(super) fn remove_stale(path: &Path, address: &Address) -> Result<(), NetError> {
    let in_use = |detail: &str| Err(NetError::new(NetErrorKind::InUse, address, detail));
    match fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(NetError::from_io(&e, address, "look at the path")),
        Ok(file) if !file.file_type().is_socket() => {
            return in_use("listen: a file that is not a socket is there");
        }
        Ok(_) => {}
    }
    if !is_stale(path).map_err(|e| NetError::from_io(&e, address, "ask who listens"))? {
        return in_use("listen: another process listens there");
    }
    fs::remove_file(path).map_err(|e| NetError::from_io(&e, address, "remove the stale socket"))
}

/// True where nobody listens on the socket file.
fn is_stale(path: &Path) -> io::Result<bool> {
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // A full backlog must not make us wait; it is a sign of life as well.
    probe.set_nonblocking(true)?;
    match probe.connect(&SockAddr::unix(path)?) {
        Err(e) if e.raw_os_error() == Some(libc::ECONNREFUSED) => Ok(true),
        Err(e) if e.raw_os_error() == Some(libc::EAGAIN) => Ok(false),
        other => other.map(|()| false),
    }
}
