//! A wake-up of the core when the peer of a Unix socket has read what was sent.
//!
//! A peer that asks one thing at a time reads the answer and then asks again. Whoever sleeps in recv(2)
//! is woken by both, as the kernel wakes readers and writers of a Unix socket alike: its processor is
//! awake by the time the question comes. A receive of io_uring sleeps through the first; this makes up for
//! it. It costs a wake-up per answer, and one for each part of a long one: for lone requests only.
//!
//! Source: unix_write_space of the kernel's net/unix/af_unix.c; poll(2), POLLOUT.

use std::rc::Rc;
use std::task::{Context, Waker};

use super::request;
use super::socket::Socket;
use crate::ring::{Multishot, Ops};

/// Wakes the core until it is dropped.
pub struct ReadWatch {
    shot: Multishot,
}

impl ReadWatch {
    /// `None` on TCP, where reading wakes nobody, and where no request can start.
    pub(super) fn new(ops: &Rc<Ops>, socket: &Rc<Socket>) -> Option<ReadWatch> {
        if socket.is_tcp() {
            return None;
        }
        request::poll_writable(ops, socket).map(|shot| ReadWatch { shot })
    }

    /// Forgets the wake-ups that have been, and tells how many there were. To be called now and then, as
    /// they gather.
    pub fn drain(&mut self) -> usize {
        let mut cx = Context::from_waker(Waker::noop());
        let taken = std::iter::from_fn(|| match self.shot.poll_next(&mut cx) {
            std::task::Poll::Ready(output) => output,
            std::task::Poll::Pending => None,
        });
        taken.count()
    }
}
