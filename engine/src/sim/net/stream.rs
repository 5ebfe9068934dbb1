//! One end of a connection, as a task sees it.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::super::SimHost;
use super::end::{End, Phase};
use super::listener::host_of;
use super::packet::{EndId, Packet, What};
use super::{EPHEMERAL_PORT, Net, address_of};
use crate::block::Payload;
use crate::core::Core;
use crate::net::{Address, NetError, NetErrorKind};

/// The most bytes of one packet.
const PACKET_LEN_MAX: u64 = 16 << 10;

/// A stream between simulated hosts. Dropping it ends it: with a farewell where everything that
/// arrived was read, with a reset where not.
pub struct SimStream {
    host: Rc<SimHost>,
    end: EndId,
    peer: Address,
}

impl SimStream {
    pub(super) fn new(host: &Rc<SimHost>, end: EndId, peer: Address) -> SimStream {
        SimStream { host: Rc::clone(host), end, peer }
    }

    /// Connects to `address`.
    pub async fn connect(core: &Rc<Core>, address: &Address) -> Result<SimStream, NetError> {
        let host = host_of(core, address)?;
        let end = host.net().borrow_mut().open(&host, address)?;
        // From here on the end is closed whatever happens to this future.
        let stream = SimStream::new(&host, end, address.clone());
        poll_fn(|cx| stream.poll_connected(cx)).await?;
        Ok(stream)
    }

    fn poll_connected(&self, cx: &Context<'_>) -> Poll<Result<(), NetError>> {
        self.with_end(|end| match end.phase {
            Phase::Open => Poll::Ready(Ok(())),
            Phase::Broken(kind) => Poll::Ready(Err(self.error(kind, "connect"))),
            Phase::Connecting => {
                end.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        })
    }

    /// The peer's address.
    pub fn peer(&self) -> &Address {
        &self.peer
    }

    /// This end's address.
    pub fn local(&self) -> Address {
        let net = self.host.net().borrow();
        net.ends.get(&self.end).map_or_else(|| self.peer.clone(), |end| end.local.clone())
    }

    /// Fills the payload with at least one byte, in order; zero bytes mean the peer's end.
    pub async fn receive(&self, mut payload: Payload) -> (Result<usize, NetError>, Payload) {
        let len_max = payload.len();
        let taken = poll_fn(|cx| self.poll_receive(cx, len_max)).await;
        let received = taken.map(|bytes| {
            payload.copy_from(0, &bytes);
            bytes.len()
        });
        (received, payload)
    }

    /// At least one byte and at most `len_max`; none at the peer's end. Dropping loses nothing.
    pub(crate) async fn receive_bytes(&self, len_max: u64) -> Result<Vec<u8>, NetError> {
        poll_fn(|cx| self.poll_receive(cx, len_max)).await
    }

    fn poll_receive(&self, cx: &Context<'_>, len_max: u64) -> Poll<Result<Vec<u8>, NetError>> {
        let mut net = self.host.net().borrow_mut();
        let net = &mut *net;
        let Some(end) = net.ends.get_mut(&self.end) else {
            return Poll::Ready(Err(self.error(NetErrorKind::Reset, "receive")));
        };
        let there = (end.inbox.len() as u64).min(len_max);
        if there > 0 || len_max == 0 {
            let n = if net.rng.chance(net.config.partial_ppm) {
                net.rng.within(there.min(1)..there + 1)
            } else {
                there
            };
            end.taken += n;
            let bytes = end.inbox.drain(..n as usize).collect();
            net.acknowledge(self.end);
            return Poll::Ready(Ok(bytes));
        }
        match end.phase {
            _ if end.is_at_end => Poll::Ready(Ok(Vec::new())),
            Phase::Broken(kind) => Poll::Ready(Err(self.error(kind, "receive"))),
            _ => {
                end.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Sends the whole payload, or fails; then the peer may have got a part of it.
    pub async fn send(&self, payload: Payload) -> (Result<(), NetError>, Payload) {
        let mut bytes = vec![0; payload.len() as usize];
        payload.copy_to(0, &mut bytes);
        let mut sent = 0;
        while sent < bytes.len() {
            match poll_fn(|cx| self.poll_send(cx, &bytes[sent..])).await {
                Ok(n) => sent += n,
                Err(error) => return (Err(error), payload),
            }
        }
        (Ok(()), payload)
    }

    /// Sends some of `bytes`; tells how many.
    fn poll_send(&self, cx: &Context<'_>, bytes: &[u8]) -> Poll<Result<usize, NetError>> {
        let mut net = self.host.net().borrow_mut();
        let net = &mut *net;
        let Some(end) = net.ends.get_mut(&self.end) else {
            return Poll::Ready(Err(self.error(NetErrorKind::Reset, "send")));
        };
        if let Phase::Broken(kind) = end.phase {
            return Poll::Ready(Err(self.error(kind, "send")));
        }
        if end.is_shut {
            return Poll::Ready(Err(self.error(NetErrorKind::Closed, "send: shut down")));
        }
        let room = net.config.window.saturating_sub(end.sent - end.released);
        let most = room.min(PACKET_LEN_MAX).min(bytes.len() as u64);
        if most == 0 {
            end.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let is_partial = net.rng.chance(net.config.partial_ppm);
        let n = if is_partial { net.rng.within(1..most + 1) } else { most };
        end.sent += n;
        net.send(self.end, What::Data(bytes[..n as usize].to_vec()));
        Poll::Ready(Ok(n as usize))
    }

    /// Tells the peer that nothing more will be sent.
    pub fn shutdown_write(&self) -> Result<(), NetError> {
        let mut net = self.host.net().borrow_mut();
        let Some(end) = net.ends.get_mut(&self.end) else {
            return Err(self.error(NetErrorKind::Reset, "shut down"));
        };
        if let Phase::Broken(kind) = end.phase {
            return Err(self.error(kind, "shut down"));
        }
        if !std::mem::replace(&mut end.is_shut, true) {
            net.send(self.end, What::Fin);
        }
        Ok(())
    }

    /// Ends both directions at once, with a reset for the peer; what is under way here fails.
    pub fn shutdown(&self) {
        let mut net = self.host.net().borrow_mut();
        let Some(end) = net.ends.get_mut(&self.end) else { return };
        let was_open = end.phase == Phase::Open;
        end.fail(NetErrorKind::Reset).for_each(Waker::wake);
        if was_open {
            net.send(self.end, What::Reset);
        }
    }

    /// Looks every `ns` nanoseconds whether the peer is there.
    pub fn keep_alive(&self, ns: u64) {
        self.host.net().borrow_mut().keep_alive(self.end, ns);
    }

    fn with_end<T>(
        &self,
        look: impl FnOnce(&mut End) -> Poll<Result<T, NetError>>,
    ) -> Poll<Result<T, NetError>> {
        match self.host.net().borrow_mut().ends.get_mut(&self.end) {
            Some(end) => look(end),
            None => Poll::Ready(Err(self.error(NetErrorKind::Reset, "the host is down"))),
        }
    }

    fn error(&self, kind: NetErrorKind, doing: &str) -> NetError {
        let what = match kind {
            NetErrorKind::Refused => "connection refused",
            NetErrorKind::TimedOut => "timed out",
            NetErrorKind::Closed => "the stream is closed",
            _ => "connection reset",
        };
        NetError::new(kind, &self.peer, format!("{doing}: {what}"))
    }
}

impl Drop for SimStream {
    fn drop(&mut self) {
        self.host.net().borrow_mut().close(self.end);
    }
}

impl Net {
    /// A new end that asks for a connection to `address`.
    fn open(&mut self, host: &SimHost, address: &Address) -> Result<EndId, NetError> {
        let unreachable = |why| NetError::new(NetErrorKind::Unreachable, address, why);
        if !self.is_alive(host) {
            return Err(unreachable("connect: this host is down"));
        }
        let to = self.host_at(address, host.id()).ok_or_else(|| {
            unreachable("connect: no host of the simulated network has this address")
        })?;
        let local = match address {
            Address::Tcp(_) => address_of(host.id(), self.free_port()),
            Address::Unix(_) => Address::Unix(std::path::PathBuf::new()),
        };
        let id = EndId(self.next_number());
        self.ends.insert(id, End::new(host.id(), to, local, address.clone()));
        let what = What::Syn(address.clone());
        self.send_packet(Packet { from: host.id(), to, sender: id, receiver: EndId(0), what });
        Ok(id)
    }

    /// A port that nobody asked for by number.
    pub(super) fn free_port(&mut self) -> u16 {
        let ports = u64::from(u16::MAX - EPHEMERAL_PORT);
        EPHEMERAL_PORT + (self.next_number() % ports) as u16
    }

    /// True while the host lives the life that it did when `host` was made.
    pub(super) fn is_alive(&self, host: &SimHost) -> bool {
        self.lives.get(&host.id()) == Some(&host.life())
    }

    /// The task is done with an end. What it sent still arrives.
    pub(super) fn close(&mut self, id: EndId) {
        let Some(end) = self.ends.get(&id) else { return };
        if end.phase == Phase::Open && !end.inbox.is_empty() {
            self.send(id, What::Reset);
        } else if end.phase == Phase::Open && !end.is_shut {
            self.send(id, What::Fin);
        }
        self.ends.remove(&id);
    }
}
