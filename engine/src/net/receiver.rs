//! One request for all bytes of a stream: they arrive in chunks of a pool.
//!
//! Where the kernel lacks multishot receive or rings of buffers, the receiver issues plain receives
//! into leases, and behaves the same. When the pool has run dry the request ends (ENOBUFS), which
//! is the back-pressure: it is armed again when a chunk comes back.

use std::rc::Rc;

use io_uring::cqueue;

use super::lane::{Direction, Lane};
use super::pool::{Chunk, ReceivePool};
use super::socket::Socket;
use super::stream::Stream;
use super::{NetError, NetErrorKind, request};
use crate::block::Payload;
use crate::ring::{Multishot, OpOutput, Ops};

/// Receives from a stream, chunk by chunk.
pub struct Receiver {
    stream: Rc<Stream>,
    pool: Rc<ReceivePool>,
    ops: Rc<Ops>,
    socket: Rc<Socket>,
    way: Way,
    ended: bool,
}

enum Way {
    /// The kernel picks the buffers of a group.
    Ring { group: u16, shot: Option<Multishot>, seen: u64 },
    /// One receive at a time.
    Plain(Lane),
}

impl Receiver {
    pub(super) fn new(
        stream: Rc<Stream>,
        pool: Rc<ReceivePool>,
        ops: &Rc<Ops>,
        socket: &Rc<Socket>,
    ) -> Receiver {
        let way = match pool.group() {
            Some(group) => Way::Ring { group, shot: None, seen: pool.returns() },
            None => Way::Plain(Lane::new(ops, socket, Direction::Receive)),
        };
        let (ops, socket) = (Rc::clone(ops), Rc::clone(socket));
        Receiver { stream, pool, ops, socket, way, ended: false }
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
            Way::Plain(lane) => plain(lane, &self.pool, &self.socket).await,
            Way::Ring { .. } => self.from_ring().await,
        };
        self.ended = !matches!(next, Ok(Some(_)));
        next
    }

    async fn from_ring(&mut self) -> Result<Option<Chunk>, NetError> {
        loop {
            let Way::Ring { group, shot, seen } = &mut self.way else {
                unreachable!("the way is chosen at the start")
            };
            let Some(armed) = shot else {
                *seen = self.pool.returns();
                let started =
                    request::receive_multishot(&self.ops, &self.socket, &self.pool, *group);
                *shot = Some(started.ok_or_else(|| self.socket.no_slot())?);
                continue;
            };
            let Some(output) = armed.next().await else {
                *shot = None;
                continue;
            };
            match self.judge(output).await? {
                Verdict::Chunk(chunk) => return Ok(Some(chunk)),
                Verdict::End => return Ok(None),
                Verdict::Again => {}
            }
        }
    }

    async fn judge(&mut self, output: OpOutput) -> Result<Verdict, NetError> {
        if let Some(index) = cqueue::buffer_select(output.flags) {
            return Ok(match output.result {
                n if n > 0 => Verdict::Chunk(self.pool.chunk(index, n as u32)),
                _ => {
                    self.pool.put_back(index);
                    Verdict::End
                }
            });
        }
        match output.result {
            0 => Ok(Verdict::End),
            n if n == -libc::ENOBUFS => {
                self.wait_for_chunk().await?;
                Ok(Verdict::Again)
            }
            n if n == -libc::EINTR => Ok(Verdict::Again),
            n => Err(self.socket.refused(n, "receive")),
        }
    }

    async fn wait_for_chunk(&mut self) -> Result<(), NetError> {
        let Way::Ring { seen, .. } = &self.way else {
            unreachable!("only the ring runs out of buffers")
        };
        if self.pool.is_dry() && self.pool.returns() == *seen {
            return Err(dry(&self.socket));
        }
        self.pool.returned(*seen).await;
        Ok(())
    }
}

enum Verdict {
    Chunk(Chunk),
    End,
    Again,
}

/// A plain receive into a lease of the pool.
async fn plain(
    lane: &Lane,
    pool: &Rc<ReceivePool>,
    socket: &Socket,
) -> Result<Option<Chunk>, NetError> {
    let mut chunk = loop {
        let seen = pool.returns();
        match pool.empty_chunk() {
            Some(chunk) => break chunk,
            None if pool.is_dry() => return Err(dry(socket)),
            None => pool.returned(seen).await,
        }
    };
    let (result, payload) = lane.receive(Payload::from(chunk.take()), false).await;
    let mut lease = payload.into_lease().expect("a receive gives its lease back");
    let len = result?;
    lease.set_len(len as u32);
    chunk.put(lease);
    Ok((len > 0).then_some(chunk))
}

fn dry(socket: &Socket) -> NetError {
    let detail = "no buffer is left to receive into: the arena is used up";
    NetError::new(NetErrorKind::Exhausted, socket.address(), detail)
}
