//! A stream on the kernel: a socket and two lanes.

use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use socket2::SockRef;

use super::lane::{Direction, Lane};
use super::socket::Socket;
use super::{Address, NetError, NetErrorKind, Parked, ReadWatch, request};
use crate::block::Payload;
use crate::core::Core;
use crate::memory::Lease;
use crate::ring::Ops;

/// Bytes that a Unix socket holds at most; the kernel may allow less (net.core.wmem_max).
const UNIX_BUFFER_LEN: usize = 1 << 20;

pub(super) struct KernelStream {
    ops: Rc<Ops>,
    socket: Rc<Socket>,
    inbound: Lane,
    outbound: Lane,
}

/// The requests of `core`, or an error for one that has no kernel below it.
pub(super) fn ops_of(core: &Rc<Core>, address: &Address) -> Result<Rc<Ops>, NetError> {
    core.ops().cloned().ok_or_else(|| {
        let detail = "this core has no network: it runs without a kernel below it";
        NetError::new(NetErrorKind::Unsupported, address, detail)
    })
}

impl KernelStream {
    pub(super) async fn connect(
        core: &Rc<Core>,
        address: &Address,
    ) -> Result<KernelStream, NetError> {
        let ops = ops_of(core, address)?;
        let socket = Socket::open(address, "connect")?;
        let stream = KernelStream::new(&ops, socket);
        stream.prepare()?;
        let to = address.to_kernel().map_err(|e| NetError::from_io(&e, address, "connect"))?;
        let pending = request::connect(&ops, &stream.socket, to);
        let (output, _) = pending.ok_or_else(|| stream.socket.no_slot())?.await;
        match output.result {
            0 => Ok(stream),
            result => Err(stream.socket.refused(result, "connect")),
        }
    }

    /// The stream of an accepted descriptor.
    pub(super) fn accepted(
        ops: &Rc<Ops>,
        fd: OwnedFd,
        peer: Rc<Address>,
    ) -> Result<KernelStream, NetError> {
        let stream = KernelStream::new(ops, Socket::from_fd(fd, peer));
        stream.prepare()?;
        Ok(stream)
    }

    fn new(ops: &Rc<Ops>, socket: Rc<Socket>) -> KernelStream {
        let inbound = Lane::new(ops, &socket, Direction::Receive);
        let outbound = Lane::new(ops, &socket, Direction::Send);
        KernelStream { ops: Rc::clone(ops), socket, inbound, outbound }
    }

    /// TCP sends at once, and finds the size of its buffers itself. On a Unix socket the sender's
    /// buffer is all there is: with room for a long message both sides wake once and not five times.
    fn prepare(&self) -> Result<(), NetError> {
        if self.socket.is_tcp() {
            return self.set_tcp("set TCP_NODELAY", |socket| socket.set_tcp_nodelay(true));
        }
        self.set("set SO_SNDBUF", |socket| socket.set_send_buffer_size(UNIX_BUFFER_LEN))
    }

    pub(super) fn socket(&self) -> &Rc<Socket> {
        &self.socket
    }

    pub(super) async fn receive(
        &self,
        payload: Payload,
        whole: bool,
    ) -> (Result<usize, NetError>, Payload) {
        self.inbound.receive(payload, whole).await
    }

    pub(super) async fn send(
        &self,
        header: Option<Lease>,
        payload: Payload,
    ) -> (Result<(), NetError>, Option<Lease>, Payload) {
        self.outbound.send(header, payload).await
    }

    /// Sends a few bytes if they can leave without waiting, and nothing else is being sent.
    pub(super) fn send_now(&self, bytes: &[u8]) -> Result<(), NetError> {
        if !self.outbound.is_idle() {
            let detail = "send: another one is or was under way";
            return Err(NetError::new(NetErrorKind::Other, self.socket.address(), detail));
        }
        self.socket.send_now(bytes)
    }

    pub(super) fn watch_reading(&self) -> Option<ReadWatch> {
        ReadWatch::new(&self.ops, &self.socket)
    }

    /// The connection without its core; nothing where something is under way.
    pub(super) fn park(self) -> Option<Parked> {
        let is_idle = self.inbound.is_idle() && self.outbound.is_idle();
        let fd = is_idle.then(|| self.socket.duplicate()).flatten()?;
        Some(Parked::new(fd, Address::clone(self.socket.address())))
    }

    /// True where no receive is under way or left bytes.
    pub(super) fn is_idle(&self) -> bool {
        self.inbound.is_idle()
    }

    pub(super) fn ops(&self) -> &Rc<Ops> {
        &self.ops
    }

    pub(super) fn set(
        &self,
        doing: &str,
        change: impl FnOnce(SockRef<'_>) -> io::Result<()>,
    ) -> Result<(), NetError> {
        change(self.socket.options()).map_err(|e| self.socket.failed(&e, doing))
    }

    pub(super) fn set_low_water(&self, bytes: u32) -> Result<(), NetError> {
        if !self.socket.is_tcp() {
            return Ok(());
        }
        let set = super::request::set_low_water(&self.socket, bytes);
        set.map_err(|error| self.socket.failed(&error, "set SO_RCVLOWAT"))
    }

    pub(super) fn set_tcp(
        &self,
        doing: &str,
        change: impl FnOnce(SockRef<'_>) -> io::Result<()>,
    ) -> Result<(), NetError> {
        if self.socket.is_tcp() { self.set(doing, change) } else { Ok(()) }
    }
}
