//! Options of a socket that the standard library does not set.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// Bytes that a Unix socket may hold for its reader: some long replies. The kernel doubles it, and
/// grants at most `net.core.wmem_max`.
const SEND_BUFFER_LEN: i32 = 4 << 20;

/// Lets `read` return when so many bytes have come. A read that finds less takes it and then waits
/// for as much again: this comes if half of the requests in flight are a batch, also when a part of
/// the first one was read before.
pub(crate) fn wake_by(socket: &impl AsFd, bytes: usize) -> io::Result<()> {
    let bytes = i32::try_from(bytes).unwrap_or(i32::MAX);
    set(socket, libc::SO_RCVLOWAT, bytes)
}

/// Lets a writer get ahead of its reader.
pub(crate) fn room_to_send(socket: &impl AsFd) -> io::Result<()> {
    set(socket, libc::SO_SNDBUF, SEND_BUFFER_LEN)
}

fn set(socket: &impl AsFd, option: i32, value: i32) -> io::Result<()> {
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: the descriptor is borrowed for the call; the kernel reads the four bytes of an integer
    // on this stack before it returns.
    match unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, option, (&raw const value).cast(), 4) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
