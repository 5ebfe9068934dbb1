//! One request for all bytes of a stream: they arrive in chunks of a pool.
//!
//! Where the kernel lacks multishot receive or rings of buffers, the receiver issues plain receives
//! into leases, and behaves the same. When the pool has run dry the request ends (ENOBUFS), which
//! is the back-pressure: it is armed again when a chunk comes back.

use std::rc::Rc;

use io_uring::cqueue;

use super::kernel::KernelStream;
use super::pool::{Chunk, ReceivePool};
use super::socket::Socket;
use super::stream::Stream;
use super::{Address, NetError, NetErrorKind, request};
use crate::block::Payload;
use crate::ring::{Multishot, OpOutput, Ops};

/// Receives from a stream, chunk by chunk.
pub struct Receiver {
    stream: Rc<Stream>,
    pool: Rc<ReceivePool>,
    way: Way,
    ended: bool,
}

enum Way {
    /// The kernel picks the buffers of a group.
    Ring(FromRing),
    /// One receive at a time.
    Plain,
}

struct FromRing {
    ops: Rc<Ops>,
    socket: Rc<Socket>,
    group: u16,
    shot: Option<Multishot>,
    /// The pool's count of returns when the request was armed.
    seen: u64,
}

impl Receiver {
    pub(super) fn new(
        stream: Rc<Stream>,
        pool: Rc<ReceivePool>,
        kernel: Option<&KernelStream>,
    ) -> Receiver {
        let way = match (pool.group(), kernel) {
            (Some(group), Some(kernel)) => {
                let (ops, socket) = (Rc::clone(kernel.ops()), Rc::clone(kernel.socket()));
                Way::Ring(FromRing { ops, socket, group, shot: None, seen: pool.returns() })
            }
            _ => Way::Plain,
        };
        Receiver { stream, pool, way, ended: false }
    }

    /// The stream that it receives from.
    pub fn stream(&self) -> &Rc<Stream> {
        &self.stream
    }

    /// The next bytes in order; `None` when the peer is done. Dropping the future loses nothing.
    ///
    /// Waits while all chunks of the pool are out: a caller that keeps them all waits for itself.
    pub async fn next(&mut self) -> Result<Option<Chunk>, NetError> {
        if self.ended {
            return Ok(None);
        }
        let next = match &mut self.way {
            Way::Plain => plain(&self.stream, &self.pool).await,
            Way::Ring(ring) => ring.next(&self.pool).await,
        };
        self.ended = !matches!(next, Ok(Some(_)));
        next
    }
}

enum Verdict {
    Chunk(Chunk),
    End,
    Again,
}

impl FromRing {
    async fn next(&mut self, pool: &Rc<ReceivePool>) -> Result<Option<Chunk>, NetError> {
        loop {
            let Some(armed) = &mut self.shot else {
                self.arm(pool)?;
                continue;
            };
            let Some(output) = armed.next().await else {
                self.shot = None;
                continue;
            };
            match self.judge(pool, output).await? {
                Verdict::Chunk(chunk) => return Ok(Some(chunk)),
                Verdict::End => return Ok(None),
                Verdict::Again => {}
            }
        }
    }

    fn arm(&mut self, pool: &Rc<ReceivePool>) -> Result<(), NetError> {
        self.seen = pool.returns();
        let started = request::receive_multishot(&self.ops, &self.socket, pool, self.group);
        self.shot = Some(started.ok_or_else(|| self.socket.no_slot())?);
        Ok(())
    }

    async fn judge(&self, pool: &Rc<ReceivePool>, output: OpOutput) -> Result<Verdict, NetError> {
        match (cqueue::buffer_select(output.flags), output.result) {
            (Some(index), n) if n > 0 => Ok(Verdict::Chunk(pool.chunk(index, n as u32))),
            (Some(index), _) => {
                pool.put_back(index);
                Ok(Verdict::End)
            }
            (None, 0) => Ok(Verdict::End),
            (None, n) if n == -libc::EINTR => Ok(Verdict::Again),
            (None, n) if n == -libc::ENOBUFS => {
                if pool.is_dry() && pool.returns() == self.seen {
                    return Err(dry(self.socket.address()));
                }
                pool.returned(self.seen).await;
                Ok(Verdict::Again)
            }
            (None, n) => Err(self.socket.refused(n, "receive")),
        }
    }
}

/// A plain receive into a lease of the pool.
async fn plain(stream: &Stream, pool: &Rc<ReceivePool>) -> Result<Option<Chunk>, NetError> {
    let mut chunk = loop {
        let seen = pool.returns();
        match pool.empty_chunk() {
            Some(chunk) => break chunk,
            None if pool.is_dry() => return Err(dry(stream.peer_address())),
            None => pool.returned(seen).await,
        }
    };
    let (result, payload) = stream.receive_inner(Payload::from(chunk.take()), false).await;
    let mut lease = payload.into_lease().expect("a receive gives its lease back");
    let len = result?;
    lease.set_len(len as u32);
    chunk.put(lease);
    Ok((len > 0).then_some(chunk))
}

fn dry(address: &Address) -> NetError {
    let detail = "no buffer is left to receive into: the arena is used up";
    NetError::new(NetErrorKind::Exhausted, address, detail)
}
