//! A connection between two cores: it has left the one where it was opened, and no request names it.
//!
//! Invariant: nothing is under way on it, and no byte of it waits anywhere but in the kernel.

use std::os::fd::OwnedFd;
use std::rc::Rc;

use super::kernel::KernelStream;
use super::socket::Socket;
use super::{Address, NetError, Stream};
use crate::core::Core;

/// A connection that waits for a core. Dropping it closes it.
#[derive(Debug)]
pub struct Parked {
    fd: OwnedFd,
    peer: Address,
}

impl Parked {
    pub(super) fn new(fd: OwnedFd, peer: Address) -> Parked {
        Parked { fd, peer }
    }

    /// The connection as a stream of `core`.
    ///
    /// # Errors
    /// Where the core runs without a kernel below it.
    pub fn resume(self, core: &Rc<Core>) -> Result<Stream, NetError> {
        let ops = super::kernel::ops_of(core, &self.peer)?;
        KernelStream::accepted(&ops, self.fd, Rc::new(self.peer)).map(Stream::on_kernel)
    }

    /// Sends a few bytes if they can leave without waiting: a farewell.
    ///
    /// # Errors
    /// Where they cannot; some of them may have left.
    pub fn send_now(self, bytes: &[u8]) -> Result<(), NetError> {
        Socket::from_fd(self.fd, Rc::new(self.peer)).send_now(bytes)
    }
}
