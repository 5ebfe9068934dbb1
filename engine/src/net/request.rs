//! The requests of sockets, handed to the ring: the unsafe end of this folder.
//!
//! Invariant: what a request points into goes with it into its slot (see [`Ops::start`]) and comes
//! back with its completion; where there is no slot, nothing is lost.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::rc::Rc;

use io_uring::{cqueue, opcode};
use socket2::SockAddr;

use super::message::Message;
use super::pool::ReceivePool;
use super::socket::Socket;
use crate::ring::{Keep, Multishot, OpOutput, Ops, Pending, Reclaim};

/// A message header that names nothing.
pub(super) fn empty_header() -> libc::msghdr {
    // SAFETY: zero is a valid value of every field: null pointers and lengths of zero.
    unsafe { std::mem::zeroed() }
}

/// Receives into `message`; all of it where `whole`. Gives it back when no slot is free.
pub(super) fn receive(
    ops: &Rc<Ops>,
    mut message: Box<Message>,
    whole: bool,
) -> Result<Pending, Box<Message>> {
    if ops.is_full() {
        return Err(message);
    }
    let entry = message.receive_entry(whole);
    // SAFETY: the entry points into the box, its vector and its payload, all of which are kept.
    Ok(unsafe { ops.start(entry, Keep::Memory(message), false) }.expect("a slot is free"))
}

/// Sends `message`. Gives it back when no slot is free.
pub(super) fn send(ops: &Rc<Ops>, mut message: Box<Message>) -> Result<Pending, Box<Message>> {
    if ops.is_full() {
        return Err(message);
    }
    let entry = message.send_entry();
    // SAFETY: the entry points into the box, its vector, head and payload, all of which are kept.
    Ok(unsafe { ops.start(entry, Keep::Memory(message), false) }.expect("a slot is free"))
}

/// The message of a request that ended.
pub(super) fn message_of(keep: Keep) -> Box<Message> {
    let Keep::Memory(memory) = keep else { unreachable!("sends and receives keep a message") };
    memory.downcast().expect("sends and receives keep a message")
}

/// Connects `socket`; `None` when no slot is free.
pub(super) fn connect(ops: &Rc<Ops>, socket: &Rc<Socket>, to: SockAddr) -> Option<Pending> {
    let kept = Box::new((to, Rc::clone(socket)));
    let entry = opcode::Connect::new(socket.fd(), kept.0.as_ptr().cast(), kept.0.len()).build();
    // SAFETY: the address lies in the box that is kept.
    unsafe { ops.start(entry, Keep::Memory(kept), false) }
}

/// Accepts one connection; `None` when no slot is free.
pub(super) fn accept(ops: &Rc<Ops>, socket: &Rc<Socket>) -> Option<Pending> {
    let nowhere = std::ptr::null_mut();
    let entry =
        opcode::Accept::new(socket.fd(), nowhere, nowhere.cast()).flags(libc::SOCK_CLOEXEC).build();
    let keep = Keep::Memory(Box::new(Rc::clone(socket)));
    // SAFETY: the entry names no memory; the descriptor is kept open.
    unsafe { ops.start(entry, keep, true) }
}

/// Accepts connections until it is dropped; `None` when no slot is free.
pub(super) fn accept_multishot(ops: &Rc<Ops>, socket: &Rc<Socket>) -> Option<Multishot> {
    let entry = opcode::AcceptMulti::new(socket.fd()).flags(libc::SOCK_CLOEXEC).build();
    let keep = Keep::Memory(Box::new(Rc::clone(socket)));
    // SAFETY: the entry names no memory; the descriptor is kept open.
    unsafe { ops.start_multishot(entry, keep, true) }
}

/// The descriptor that an accept made. Called once for each of its results.
pub(super) fn accepted(output: OpOutput) -> OwnedFd {
    assert!(output.result >= 0, "a failed accept made no descriptor");
    // SAFETY: the kernel made this descriptor for this result alone, and the caller just took it.
    unsafe { OwnedFd::from_raw_fd(output.result) }
}

/// What a receive into provided buffers keeps: the buffers and the descriptor.
struct PoolKeep {
    pool: Rc<ReceivePool>,
    _socket: Rc<Socket>,
}

impl Reclaim for PoolKeep {
    fn reclaim(&self, output: OpOutput) {
        if let Some(index) = cqueue::buffer_select(output.flags) {
            self.pool.put_back(index);
        }
    }
}

/// Receives into the pool's buffers of `group` until it is dropped; `None` when no slot is free.
pub(super) fn receive_multishot(
    ops: &Rc<Ops>,
    socket: &Rc<Socket>,
    pool: &Rc<ReceivePool>,
    group: u16,
) -> Option<Multishot> {
    let entry = opcode::RecvMulti::new(socket.fd(), group).build();
    let keep = PoolKeep { pool: Rc::clone(pool), _socket: Rc::clone(socket) };
    // SAFETY: the kernel writes into the pool's buffers, which live as long as the pool, and the
    // request keeps the pool.
    unsafe { ops.start_multishot(entry, Keep::Reclaim(Box::new(keep)), false) }
}

/// Completes each time the socket can take bytes again; `None` when no slot is free.
pub(super) fn poll_writable(ops: &Rc<Ops>, socket: &Rc<Socket>) -> Option<Multishot> {
    let entry = opcode::PollAdd::new(socket.fd(), libc::POLLOUT as u32).multi(true).build();
    let keep = Keep::Memory(Box::new(Rc::clone(socket)));
    // SAFETY: the entry names no memory; the descriptor is kept open.
    unsafe { ops.start_multishot(entry, keep, false) }
}

/// SO_RCVLOWAT, which has no safe wrapper.
pub(super) fn set_low_water(socket: &Socket, bytes: u32) -> std::io::Result<()> {
    let value = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
    set_int(socket.fd().0, libc::SOL_SOCKET, libc::SO_RCVLOWAT, value)
}

/// NETLINK_ADD_MEMBERSHIP, which has no safe wrapper either.
pub(super) fn join_netlink_group(socket: &socket2::Socket, group: u32) -> std::io::Result<()> {
    // The kernel reads the number as an unsigned one again.
    let value = group.cast_signed();
    set_int(socket.as_raw_fd(), libc::SOL_NETLINK, libc::NETLINK_ADD_MEMBERSHIP, value)
}

fn set_int(
    fd: RawFd,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> std::io::Result<()> {
    let len = size_of::<libc::c_int>() as libc::socklen_t;
    let value_at = std::ptr::from_ref(&value).cast();
    // SAFETY: the callers' sockets keep the descriptor open, and the kernel reads `len` bytes of a
    // value that outlives the call.
    let result = unsafe { libc::setsockopt(fd, level, name, value_at, len) };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}
