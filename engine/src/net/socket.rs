//! A socket's descriptor, shared by a stream and the requests that name it.
//!
//! Invariant: the descriptor stays open until the last request that names it has ended. A number
//! closed earlier could be given to another file before the kernel looks at the request.

use std::os::fd::{AsRawFd, OwnedFd};
use std::rc::Rc;

use io_uring::types;
use socket2::{SockRef, Type};

use super::{Address, NetError};

pub(super) struct Socket {
    inner: socket2::Socket,
    /// The peer of a stream, the own address of a listener.
    address: Rc<Address>,
}

impl Socket {
    /// A new stream socket for `address`.
    pub(super) fn open(address: &Address, doing: &str) -> Result<Rc<Socket>, NetError> {
        let made = address
            .to_kernel()
            .and_then(|kernel| socket2::Socket::new(kernel.domain(), Type::STREAM, None));
        let inner = made.map_err(|e| NetError::from_io(&e, address, doing))?;
        Ok(Rc::new(Socket { inner, address: Rc::new(address.clone()) }))
    }

    pub(super) fn from_fd(fd: OwnedFd, address: Rc<Address>) -> Rc<Socket> {
        Rc::new(Socket { inner: fd.into(), address })
    }

    pub(super) fn fd(&self) -> types::Fd {
        types::Fd(self.inner.as_raw_fd())
    }

    pub(super) fn options(&self) -> SockRef<'_> {
        SockRef::from(&self.inner)
    }

    pub(super) fn address(&self) -> &Rc<Address> {
        &self.address
    }

    /// The socket's own address.
    pub(super) fn local_address(&self) -> Result<Address, NetError> {
        let local = self.inner.local_addr().map_err(|e| self.failed(&e, "read the address"))?;
        Address::from_kernel(&local).ok_or_else(|| {
            let detail = "neither a TCP nor a Unix socket";
            NetError::new(super::NetErrorKind::Unsupported, &self.address, detail)
        })
    }

    /// The same socket under its own address, as a listener names it.
    pub(super) fn at_local_address(self: Rc<Self>) -> Result<Rc<Socket>, NetError> {
        let address = Rc::new(self.local_address()?);
        let inner = Rc::into_inner(self).expect("no request names a new socket").inner;
        Ok(Rc::new(Socket { inner, address }))
    }

    /// Sends a few bytes if they can leave without waiting.
    pub(super) fn send_now(&self, bytes: &[u8]) -> Result<(), NetError> {
        let (doing, flags) = ("send", libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL);
        match self.inner.send_with_flags(bytes, flags) {
            Ok(n) if n == bytes.len() => Ok(()),
            Ok(_) => Err(self.failed(&std::io::ErrorKind::WouldBlock.into(), doing)),
            Err(error) => Err(self.failed(&error, doing)),
        }
    }

    /// A second descriptor of the same connection.
    pub(super) fn duplicate(&self) -> Option<OwnedFd> {
        self.inner.try_clone().ok().map(OwnedFd::from)
    }

    pub(super) fn is_tcp(&self) -> bool {
        matches!(*self.address, Address::Tcp(_))
    }

    pub(super) fn failed(&self, error: &std::io::Error, doing: &str) -> NetError {
        NetError::from_io(error, &self.address, doing)
    }

    /// The error behind a request's negative result.
    pub(super) fn refused(&self, result: i32, doing: &str) -> NetError {
        NetError::from_errno(-result, &self.address, doing)
    }

    /// All slots for requests of the core are taken.
    pub(super) fn no_slot(&self) -> NetError {
        let detail = "too many requests are in flight on this core";
        NetError::new(super::NetErrorKind::Exhausted, &self.address, detail)
    }
}
