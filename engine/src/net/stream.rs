//! A connected stream of bytes: the kernel's, or the simulator's under the same methods.

use std::net::Shutdown;
use std::rc::Rc;

use super::kernel::KernelStream;
use super::{Address, NetError, ReceivePool, Receiver};
use crate::block::Payload;
use crate::core::Core;
use crate::memory::Lease;

/// A connected stream. Dropping it cancels what is in flight and closes the connection.
///
/// One receive and one send may be under way at a time; put it into an `Rc` to share it between a
/// task that sends and one that receives.
pub struct Stream {
    inner: Inner,
}

enum Inner {
    Kernel(KernelStream),
}

impl Stream {
    /// Connects to `address`. TCP streams send at once (`TCP_NODELAY`).
    pub async fn connect(core: &Rc<Core>, address: &Address) -> Result<Stream, NetError> {
        KernelStream::connect(core, address).await.map(Stream::on_kernel)
    }

    pub(super) fn on_kernel(stream: KernelStream) -> Stream {
        Stream { inner: Inner::Kernel(stream) }
    }

    /// Receives what comes first, at most the payload, scattered over its segments. Answers the
    /// number of bytes, zero at the end of the stream, and gives the payload back.
    ///
    /// Dropping the future loses no bytes: the next receive gets them.
    pub async fn receive(&self, payload: Payload) -> (Result<usize, NetError>, Payload) {
        match &self.inner {
            Inner::Kernel(stream) => stream.receive(payload, false).await,
        }
    }

    /// Fills the whole payload; fails with `Closed` where the stream ends before. As
    /// [`Stream::receive`] otherwise.
    pub async fn receive_exact(&self, payload: Payload) -> (Result<(), NetError>, Payload) {
        let (result, payload) = match &self.inner {
            Inner::Kernel(stream) => stream.receive(payload, true).await,
        };
        (result.map(|_| ()), payload)
    }

    /// Sends all of the payload, gathered from its segments, and gives it back.
    ///
    /// Where the future is dropped or fails half-way nobody knows how much has left, so the stream
    /// sends no more.
    pub async fn send(&self, payload: Payload) -> (Result<(), NetError>, Payload) {
        let (result, _, payload) = match &self.inner {
            Inner::Kernel(stream) => stream.send(None, payload).await,
        };
        (result, payload)
    }

    /// Sends `header` and `payload` in one gathered send; as [`Stream::send`] otherwise.
    pub async fn send_with_header(
        &self,
        header: Lease,
        payload: Payload,
    ) -> (Result<(), NetError>, Lease, Payload) {
        let (result, header, payload) = match &self.inner {
            Inner::Kernel(stream) => stream.send(Some(header), payload).await,
        };
        (result, header.expect("a send gives its header back"), payload)
    }

    /// Hands the receiving direction to a receiver for good: one request for all bytes, which
    /// arrive in chunks of `pool`. Fails where a receive is or was under way and left bytes.
    pub fn receive_multishot(
        self: &Rc<Self>,
        pool: &Rc<ReceivePool>,
    ) -> Result<Receiver, NetError> {
        match &self.inner {
            Inner::Kernel(stream) => {
                let (ops, socket) = stream.hand_over()?;
                Ok(Receiver::new(Rc::clone(self), Rc::clone(pool), ops, socket))
            }
        }
    }

    /// Tells the peer that nothing more is sent; receiving goes on.
    pub fn shutdown_write(&self) -> Result<(), NetError> {
        match &self.inner {
            Inner::Kernel(stream) => {
                stream.set("end the sending direction", |socket| socket.shutdown(Shutdown::Write))
            }
        }
    }

    /// Whether small sends leave at once (TCP; no effect on Unix sockets).
    pub fn set_nodelay(&self, on: bool) -> Result<(), NetError> {
        match &self.inner {
            Inner::Kernel(stream) => {
                stream.set_tcp("set TCP_NODELAY", |socket| socket.set_tcp_nodelay(on))
            }
        }
    }

    /// Whether acknowledgements leave at once, until the kernel changes its mind (TCP; no effect
    /// on Unix sockets).
    pub fn set_quickack(&self, on: bool) -> Result<(), NetError> {
        match &self.inner {
            Inner::Kernel(stream) => {
                stream.set_tcp("set TCP_QUICKACK", |socket| socket.set_tcp_quickack(on))
            }
        }
    }

    /// The peer's address; for an accepted Unix stream, the listener's.
    pub fn peer_address(&self) -> &Address {
        match &self.inner {
            Inner::Kernel(stream) => stream.socket().address(),
        }
    }

    /// The own address.
    pub fn local_address(&self) -> Result<Address, NetError> {
        match &self.inner {
            Inner::Kernel(stream) => stream.socket().local_address(),
        }
    }
}
