//! A connected stream of bytes: the kernel's, or the simulator's under the same methods.

use std::cell::Cell;
use std::net::Shutdown;
use std::rc::Rc;
use std::time::Duration;

use super::kernel::KernelStream;
use super::simulated::SimulatedStream;
use super::{Address, NetError, NetErrorKind, Parked, ReadWatch, ReceivePool, Receiver};
use crate::block::Payload;
use crate::core::Core;
use crate::memory::Lease;

/// Probes in vain after which a connection counts as lost.
const PROBES_MAX: u32 = 3;

/// A connected stream. Dropping it cancels what is in flight and closes the connection.
///
/// One receive and one send may be under way at a time; put it into an `Rc` to share it between a
/// task that sends and one that receives.
pub struct Stream {
    inner: Inner,
    /// The receiving direction belongs to a receiver.
    handed_over: Cell<bool>,
}

enum Inner {
    Kernel(KernelStream),
    Sim(SimulatedStream),
}

impl Stream {
    /// Connects to `address`. TCP streams send at once (`TCP_NODELAY`).
    pub async fn connect(core: &Rc<Core>, address: &Address) -> Result<Stream, NetError> {
        if core.sim_host().is_some() {
            return SimulatedStream::connect(core, address).await.map(Stream::simulated);
        }
        KernelStream::connect(core, address).await.map(Stream::on_kernel)
    }

    pub(super) fn on_kernel(stream: KernelStream) -> Stream {
        Stream { inner: Inner::Kernel(stream), handed_over: Cell::new(false) }
    }

    /// True where bytes that are sent go to the kernel, and no Rust code looks at them.
    pub fn is_kernel(&self) -> bool {
        matches!(self.inner, Inner::Kernel(_))
    }

    pub(super) fn simulated(stream: SimulatedStream) -> Stream {
        Stream { inner: Inner::Sim(stream), handed_over: Cell::new(false) }
    }

    /// Receives what comes first, at most the payload, scattered over its segments. Answers the
    /// number of bytes, zero at the end of the stream, and gives the payload back.
    ///
    /// Dropping the future loses no bytes: the next receive gets them.
    pub async fn receive(&self, payload: Payload) -> (Result<usize, NetError>, Payload) {
        match self.check_own() {
            Ok(()) => self.receive_inner(payload, false).await,
            Err(error) => (Err(error), payload),
        }
    }

    /// Fills the whole payload; fails with `Closed` where the stream ends before. As
    /// [`Stream::receive`] otherwise.
    pub async fn receive_exact(&self, payload: Payload) -> (Result<(), NetError>, Payload) {
        if let Err(error) = self.check_own() {
            return (Err(error), payload);
        }
        let (result, payload) = self.receive_inner(payload, true).await;
        (result.map(|_| ()), payload)
    }

    fn check_own(&self) -> Result<(), NetError> {
        if self.handed_over.get() {
            return Err(self.refuse("receive: its bytes go to a receiver"));
        }
        Ok(())
    }

    fn refuse(&self, why: &str) -> NetError {
        NetError::new(NetErrorKind::Other, self.peer_address(), why)
    }

    /// A receive of the stream's owner, or of the receiver that it was handed over to.
    pub(super) async fn receive_inner(
        &self,
        payload: Payload,
        whole: bool,
    ) -> (Result<usize, NetError>, Payload) {
        match &self.inner {
            Inner::Kernel(stream) => stream.receive(payload, whole).await,
            Inner::Sim(stream) => stream.receive(payload, whole).await,
        }
    }

    /// Sends all of the payload, gathered from its segments, and gives it back.
    ///
    /// Where the future is dropped or fails half-way nobody knows how much has left, so the stream
    /// sends no more.
    pub async fn send(&self, payload: Payload) -> (Result<(), NetError>, Payload) {
        let (result, _, payload) = match &self.inner {
            Inner::Kernel(stream) => stream.send(None, payload).await,
            Inner::Sim(stream) => stream.send(None, payload).await,
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
            Inner::Sim(stream) => stream.send(Some(header), payload).await,
        };
        (result, header.expect("a send gives its header back"), payload)
    }

    /// Sends a few bytes if they can leave without waiting, and nothing else is being sent: for the
    /// farewell of one whose tasks do not run again. Without effect in the simulation.
    pub fn send_now(&self, bytes: &[u8]) -> Result<(), NetError> {
        self.kernel().map_or(Ok(()), |stream| stream.send_now(bytes))
    }

    /// Wakes the core whenever the peer has read what was sent, until the watch is dropped; nothing
    /// where that is not to be had: on TCP, in the simulation, with too many requests in flight.
    pub fn watch_reading(&self) -> Option<ReadWatch> {
        match &self.inner {
            Inner::Kernel(stream) => stream.watch_reading(),
            Inner::Sim(_) => None,
        }
    }

    /// Takes the connection from its core, so that another one may go on with it; nothing where
    /// something is under way, and in the simulation. Then it is closed.
    pub fn park(self) -> Option<Parked> {
        match self.inner {
            Inner::Kernel(stream) if !self.handed_over.get() => stream.park(),
            _ => None,
        }
    }

    /// Hands the receiving direction to a receiver for good: one request for all bytes, which
    /// arrive in chunks of `pool`. Fails where a receive is or was under way and left bytes.
    pub fn receive_multishot(
        self: &Rc<Self>,
        pool: &Rc<ReceivePool>,
    ) -> Result<Receiver, NetError> {
        self.check_own()?;
        let idle = match &self.inner {
            Inner::Kernel(stream) => stream.is_idle(),
            Inner::Sim(stream) => stream.is_idle(),
        };
        if !idle {
            return Err(self.refuse("receive: another receive is or was under way"));
        }
        self.handed_over.set(true);
        Ok(Receiver::new(Rc::clone(self), Rc::clone(pool), self.kernel()))
    }

    fn kernel(&self) -> Option<&KernelStream> {
        match &self.inner {
            Inner::Kernel(stream) => Some(stream),
            Inner::Sim(_) => None,
        }
    }

    /// Tells the peer that nothing more is sent; receiving goes on.
    pub fn shutdown_write(&self) -> Result<(), NetError> {
        match &self.inner {
            Inner::Kernel(stream) => {
                stream.set("end the sending direction", |socket| socket.shutdown(Shutdown::Write))
            }
            Inner::Sim(stream) => stream.end().shutdown_write(),
        }
    }

    /// Ends both directions, so that what is under way comes back with its buffers. The connection
    /// itself ends with the drop.
    pub fn shutdown(&self) -> Result<(), NetError> {
        match &self.inner {
            Inner::Kernel(stream) => {
                stream.set("end the stream", |socket| socket.shutdown(Shutdown::Both))
            }
            Inner::Sim(stream) => {
                stream.end().shutdown();
                Ok(())
            }
        }
    }

    /// Whether small sends leave at once (TCP; no effect on Unix sockets).
    pub fn set_nodelay(&self, on: bool) -> Result<(), NetError> {
        let doing = "set TCP_NODELAY";
        self.kernel().map_or(Ok(()), |s| s.set_tcp(doing, |socket| socket.set_tcp_nodelay(on)))
    }

    /// Whether acknowledgements leave at once, until the kernel changes its mind (TCP; no effect
    /// on Unix sockets).
    pub fn set_quickack(&self, on: bool) -> Result<(), NetError> {
        let doing = "set TCP_QUICKACK";
        self.kernel().map_or(Ok(()), |s| s.set_tcp(doing, |socket| socket.set_tcp_quickack(on)))
    }

    /// Lets the drop reset the connection instead of ending it in order, so that nothing that was
    /// sent before arrives after a successor's bytes (TCP; no effect on Unix sockets and in the
    /// simulation).
    pub fn set_reset_on_drop(&self) -> Result<(), NetError> {
        let doing = "set SO_LINGER";
        let now = Some(Duration::ZERO);
        self.kernel().map_or(Ok(()), |s| s.set_tcp(doing, |socket| socket.set_linger(now)))
    }

    /// How many bytes a receive that found none waits for (TCP; no effect on Unix sockets and in the
    /// simulation). Lowering it wakes one that waits for more.
    pub fn set_receive_low_water(&self, bytes: u32) -> Result<(), NetError> {
        self.kernel().map_or(Ok(()), |stream| stream.set_low_water(bytes))
    }

    /// For how long sent bytes may stay unacknowledged before the connection fails (TCP; no effect
    /// on Unix sockets and in the simulation).
    pub fn set_user_timeout(&self, ms: u32) -> Result<(), NetError> {
        let (doing, span) = ("set TCP_USER_TIMEOUT", Duration::from_millis(ms.into()));
        let set = |socket: socket2::SockRef<'_>| socket.set_tcp_user_timeout(Some(span));
        self.kernel().map_or(Ok(()), |s| s.set_tcp(doing, set))
    }

    /// Looks every `span` whether the peer is there, so that the connection fails in bounded time
    /// after it is gone, also where nothing is to be sent (TCP; no effect on Unix sockets). Whole
    /// seconds.
    pub fn set_keep_alive(&self, span: Duration) -> Result<(), NetError> {
        let probes = socket2::TcpKeepalive::new();
        let probes = probes.with_time(span).with_interval(span).with_retries(PROBES_MAX);
        match &self.inner {
            Inner::Kernel(stream) => {
                stream.set_tcp("set SO_KEEPALIVE", |socket| socket.set_tcp_keepalive(&probes))
            }
            Inner::Sim(stream) => {
                let ns = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
                stream.end().keep_alive(ns);
                Ok(())
            }
        }
    }

    /// The peer's address; for an accepted Unix stream, the listener's.
    pub fn peer_address(&self) -> &Address {
        match &self.inner {
            Inner::Kernel(stream) => stream.socket().address(),
            Inner::Sim(stream) => stream.end().peer(),
        }
    }

    /// The own address.
    pub fn local_address(&self) -> Result<Address, NetError> {
        match &self.inner {
            Inner::Kernel(stream) => stream.socket().local_address(),
            Inner::Sim(stream) => Ok(stream.end().local()),
        }
    }
}
