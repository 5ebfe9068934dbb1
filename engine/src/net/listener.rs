//! A listening socket: one multishot request accepts all connections, or one request each where
//! the kernel lacks it.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use io_uring::cqueue;
use socket2::SockAddr;

use super::kernel::{KernelStream, ops_of};
use super::simulated::SimulatedStream;
use super::socket::Socket;
use super::unix::{self, SocketFile};
use super::{Address, NetError, NetErrorKind, Stream, request};
use crate::core::Core;
use crate::ring::{Feature, Multishot, OpOutput, Ops, Pending};
use crate::sim::SimListener;

/// How a listener is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenOptions {
    /// Connections that may wait for `accept`; the kernel's `somaxconn` bounds it too.
    pub backlog: u32,
    /// Take a TCP port whose last connections are still timing out.
    pub reuse_address: bool,
    /// Share a TCP port with other listeners of this user, one per core: the kernel spreads
    /// connections over them.
    pub reuse_port: bool,
}

impl Default for ListenOptions {
    fn default() -> Self {
        ListenOptions { backlog: 1024, reuse_address: true, reuse_port: false }
    }
}

/// A listening socket. Dropping it closes connections that nobody accepted, and removes the file
/// of a Unix socket that it made; a TCP port is free again after the core's next turn.
pub struct Listener {
    inner: Inner,
}

enum Inner {
    Kernel(KernelListener),
    Sim(SimListener),
}

impl Listener {
    /// Listens on `address`; port zero lets the kernel choose (see [`Listener::local_address`]).
    /// The file of a Unix socket on which nobody listens any more is replaced.
    pub fn bind(
        core: &Rc<Core>,
        address: &Address,
        options: ListenOptions,
    ) -> Result<Listener, NetError> {
        if core.sim_host().is_some() {
            let listener = SimListener::bind(core, address)?;
            return Ok(Listener { inner: Inner::Sim(listener) });
        }
        let listener = KernelListener::bind(core, address, options)?;
        Ok(Listener { inner: Inner::Kernel(listener) })
    }

    /// Takes over a socket that listens already, as handed in by a service manager.
    pub fn from_fd(core: &Rc<Core>, fd: OwnedFd) -> Result<Listener, NetError> {
        Ok(Listener { inner: Inner::Kernel(KernelListener::from_fd(core, fd)?) })
    }

    /// The next connection, and its peer's address where it has one (TCP). Accepted TCP streams
    /// send at once (`TCP_NODELAY`). One task accepts at a time; dropping the future loses nothing.
    pub async fn accept(&self) -> Result<(Stream, Option<SocketAddr>), NetError> {
        match &self.inner {
            Inner::Kernel(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((Stream::on_kernel(stream), peer))
            }
            Inner::Sim(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((Stream::simulated(SimulatedStream::new(stream)), peer.as_tcp()))
            }
        }
    }

    /// Where it listens.
    pub fn local_address(&self) -> &Address {
        match &self.inner {
            Inner::Kernel(listener) => listener.socket.address(),
            Inner::Sim(listener) => listener.address(),
        }
    }
}

/// The request that waits for connections.
enum Waiting {
    Nothing,
    One(Pending),
    Many(Multishot),
}

struct KernelListener {
    ops: Rc<Ops>,
    socket: Rc<Socket>,
    waiting: RefCell<Waiting>,
    multishot: Cell<bool>,
    busy: Cell<bool>,
    _file: Option<SocketFile>,
}

impl KernelListener {
    fn bind(
        core: &Rc<Core>,
        address: &Address,
        options: ListenOptions,
    ) -> Result<KernelListener, NetError> {
        let ops = ops_of(core, address)?;
        if let Address::Unix(path) = address {
            unix::remove_stale(path, address)?;
        }
        let socket = Socket::open(address, "listen")?;
        let failed = |e: std::io::Error| NetError::from_io(&e, address, "listen");
        if let Address::Tcp(_) = address {
            socket.options().set_reuse_address(options.reuse_address).map_err(failed)?;
            socket.options().set_reuse_port(options.reuse_port).map_err(failed)?;
        }
        socket.options().bind(&address.to_kernel().map_err(failed)?).map_err(failed)?;
        let file = match address {
            Address::Unix(path) => Some(SocketFile::made(path).map_err(failed)?),
            Address::Tcp(_) => None,
        };
        let backlog = i32::try_from(options.backlog).unwrap_or(i32::MAX);
        socket.options().listen(backlog).map_err(failed)?;
        KernelListener::new(core, ops, socket.at_local_address()?, file)
    }

    fn from_fd(core: &Rc<Core>, fd: OwnedFd) -> Result<KernelListener, NetError> {
        let nowhere = Address::Unix("(descriptor)".into());
        let ops = ops_of(core, &nowhere)?;
        let socket = Socket::from_fd(fd, Rc::new(nowhere)).at_local_address()?;
        let doing = "take over the descriptor";
        let options = socket.options();
        let listens = options.is_listener().map_err(|e| socket.failed(&e, doing))?;
        if !listens {
            let detail = format!("{doing}: it does not listen");
            return Err(NetError::new(NetErrorKind::Unsupported, socket.address(), detail));
        }
        // The ring waits itself; a descriptor that does not block would answer EAGAIN instead.
        options.set_nonblocking(false).map_err(|e| socket.failed(&e, doing))?;
        KernelListener::new(core, ops, socket, None)
    }

    fn new(
        core: &Rc<Core>,
        ops: Rc<Ops>,
        socket: Rc<Socket>,
        file: Option<SocketFile>,
    ) -> Result<KernelListener, NetError> {
        let multishot = Cell::new(core.features().has(Feature::MultishotAccept));
        let waiting = RefCell::new(Waiting::Nothing);
        Ok(KernelListener { ops, socket, waiting, multishot, busy: Cell::new(false), _file: file })
    }

    async fn accept(&self) -> Result<(KernelStream, Option<SocketAddr>), NetError> {
        if self.busy.replace(true) {
            let detail = "accept: another task accepts on this listener";
            return Err(NetError::new(NetErrorKind::Other, self.socket.address(), detail));
        }
        let _free = FreeOnDrop(&self.busy);
        loop {
            self.arm()?;
            let output = poll_fn(|cx| self.poll_output(cx)).await;
            match output.result {
                fd if fd >= 0 => return self.welcome(request::accepted(output)),
                // Errors of a connection that went away while it waited (accept(2)).
                e if is_of_one_connection(-e) => continue,
                e if e == -libc::EINVAL && self.multishot.replace(false) => continue,
                e => return Err(self.socket.refused(e, "accept")),
            }
        }
    }

    /// Makes sure that a request waits for connections.
    fn arm(&self) -> Result<(), NetError> {
        let mut waiting = self.waiting.borrow_mut();
        if !matches!(*waiting, Waiting::Nothing) {
            return Ok(());
        }
        let started = match self.multishot.get() {
            true => request::accept_multishot(&self.ops, &self.socket).map(Waiting::Many),
            false => request::accept(&self.ops, &self.socket).map(Waiting::One),
        };
        *waiting = started.ok_or_else(|| self.socket.no_slot())?;
        Ok(())
    }

    /// The next result; forgets the request with its last one.
    fn poll_output(&self, cx: &mut Context<'_>) -> Poll<OpOutput> {
        let mut waiting = self.waiting.borrow_mut();
        let output = match &mut *waiting {
            Waiting::One(pending) => Pin::new(pending).poll(cx).map(|(output, _)| output),
            Waiting::Many(shot) => shot
                .poll_next(cx)
                .map(|output| output.expect("the result without MORE was the last one")),
            Waiting::Nothing => unreachable!("armed before it is polled"),
        };
        if let Poll::Ready(output) = output
            && !cqueue::more(output.flags)
        {
            *waiting = Waiting::Nothing;
        }
        output
    }

    fn welcome(&self, fd: OwnedFd) -> Result<(KernelStream, Option<SocketAddr>), NetError> {
        let kernel = socket2::SockRef::from(&fd).peer_addr();
        let peer = kernel.as_ref().ok().and_then(SockAddr::as_socket);
        let address = match peer {
            Some(peer) => Rc::new(Address::Tcp(peer)),
            None => Rc::clone(self.socket.address()),
        };
        Ok((KernelStream::accepted(&self.ops, fd, address)?, peer))
    }
}

/// Errors that `accept` passes on from the connection it would have returned.
fn is_of_one_connection(errno: i32) -> bool {
    let passed_on = [
        libc::ECONNABORTED,
        libc::EINTR,
        libc::ENETDOWN,
        libc::EPROTO,
        libc::ENOPROTOOPT,
        libc::EHOSTDOWN,
        libc::ENONET,
        libc::EHOSTUNREACH,
        libc::ENETUNREACH,
    ];
    passed_on.contains(&errno)
}

struct FreeOnDrop<'a>(&'a Cell<bool>);

impl Drop for FreeOnDrop<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}
