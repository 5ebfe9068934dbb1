//! One direction of a stream on the kernel: its message, and whose turn it is.
//!
//! ```text
//! Idle ──begin──▶ Busy ──end──▶ Idle
//! Busy ──future dropped, receiving──▶ Parked ──begin──▶ Busy
//! Busy ──future dropped or error, sending──▶ Torn
//! ```
//!
//! A dropped receive loses no bytes: its request is cancelled, and what it brought all the same is
//! the next receive's. A dropped send leaves nobody knows how much behind: the direction ends.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::message::Message;
use super::socket::Socket;
use super::{NetError, NetErrorKind, request};
use crate::block::Payload;
use crate::memory::Lease;
use crate::ring::{Ops, Pending};

/// The two directions of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Receive,
    Send,
}

enum State {
    /// Nothing is under way.
    Idle(Box<Message>),
    /// A future has the message.
    Busy,
    /// A receive was dropped: its request ends soon, and may have brought bytes.
    Parked(Pending),
    /// The direction is at its end, and why.
    Torn(&'static str),
}

pub(super) struct Lane {
    ops: Rc<Ops>,
    socket: Rc<Socket>,
    direction: Direction,
    state: RefCell<State>,
}

impl Lane {
    pub(super) fn new(ops: &Rc<Ops>, socket: &Rc<Socket>, direction: Direction) -> Lane {
        let state = RefCell::new(State::Idle(Message::new(socket)));
        Lane { ops: Rc::clone(ops), socket: Rc::clone(socket), direction, state }
    }

    /// Fills the payload, with what comes first or with `whole` of it. Zero bytes: the peer is done.
    pub(super) async fn receive(
        &self,
        mut payload: Payload,
        whole: bool,
    ) -> (Result<usize, NetError>, Payload) {
        if payload.is_empty() {
            return (Ok(0), payload);
        }
        let mut message = match self.begin().await {
            Ok(message) => message,
            Err(error) => return (Err(error), payload),
        };
        let rest = message.take_rest(&mut payload);
        if rest > 0 && (!whole || rest == payload.len()) {
            self.end(message);
            return (Ok(rest as usize), payload);
        }
        message.load(None, payload, rest);
        let (result, mut message) = self.fill(message, whole).await;
        let (_, payload) = message.unload();
        self.end(message);
        (result, payload)
    }

    async fn fill(
        &self,
        mut message: Box<Message>,
        whole: bool,
    ) -> (Result<usize, NetError>, Box<Message>) {
        while !message.is_done() {
            let fault = message.take_fault();
            if fault != 0 {
                return (Err(self.socket.refused(fault, "receive")), message);
            }
            let result;
            (result, message) = match self.run(message, whole).await {
                Ok(ended) => ended,
                Err(message) => return (Err(self.socket.no_slot()), message),
            };
            match result {
                0 if whole => return (Err(self.ended_early(&message)), message),
                0 => break,
                n if n > 0 => message.advance(n as u64),
                n if n == -libc::EINTR => continue,
                n => return (Err(self.socket.refused(n, "receive")), message),
            }
            if !whole {
                break;
            }
        }
        (Ok(message.done() as usize), message)
    }

    fn ended_early(&self, message: &Message) -> NetError {
        let detail = format!("the peer ended after {} of {} bytes", message.done(), message.len());
        NetError::new(NetErrorKind::Closed, self.socket.address(), detail)
    }

    /// Sends all of `head` and `payload`.
    pub(super) async fn send(
        &self,
        head: Option<Lease>,
        payload: Payload,
    ) -> (Result<(), NetError>, Option<Lease>, Payload) {
        let mut message = match self.begin().await {
            Ok(message) => message,
            Err(error) => return (Err(error), head, payload),
        };
        message.load(head, payload, 0);
        let (result, mut message) = self.empty(message).await;
        let (done, (head, payload)) = (message.done(), message.unload());
        match &result {
            Err(_) if done > 0 => self.tear("a send failed half-way"),
            _ => self.end(message),
        }
        (result, head, payload)
    }

    async fn empty(&self, mut message: Box<Message>) -> (Result<(), NetError>, Box<Message>) {
        while !message.is_done() {
            let result;
            (result, message) = match self.run(message, true).await {
                Ok(ended) => ended,
                Err(message) => return (Err(self.socket.no_slot()), message),
            };
            match result {
                n if n > 0 => message.advance(n as u64),
                n if n == -libc::EINTR => continue,
                n => return (Err(self.socket.refused(n, "send")), message),
            }
        }
        (Ok(()), message)
    }

    /// One request; gives the message back where none can start.
    async fn run(
        &self,
        message: Box<Message>,
        whole: bool,
    ) -> Result<(i32, Box<Message>), Box<Message>> {
        let pending = match self.direction {
            Direction::Receive => request::receive(&self.ops, message, whole)?,
            Direction::Send => request::send(&self.ops, message)?,
        };
        Ok(InFlight { lane: self, pending: Some(pending) }.await)
    }

    /// The message, once it is this future's turn.
    async fn begin(&self) -> Result<Box<Message>, NetError> {
        let before = self.state.replace(State::Busy);
        match before {
            State::Idle(message) => Ok(message),
            State::Busy => Err(self.refuse("another one is under way in this direction")),
            State::Torn(why) => {
                self.tear(why);
                Err(self.refuse(why))
            }
            State::Parked(pending) => {
                let (result, mut message) = InFlight { lane: self, pending: Some(pending) }.await;
                message.keep_rest(result);
                Ok(message)
            }
        }
    }

    fn end(&self, message: Box<Message>) {
        *self.state.borrow_mut() = State::Idle(message);
    }

    fn tear(&self, why: &'static str) {
        *self.state.borrow_mut() = State::Torn(why);
    }

    /// True where nothing is under way, and no dropped receive left bytes.
    pub(super) fn is_idle(&self) -> bool {
        matches!(&*self.state.borrow(), State::Idle(message) if !message.has_rest())
    }

    fn refuse(&self, why: &str) -> NetError {
        let doing = if self.direction == Direction::Send { "send" } else { "receive" };
        NetError::new(NetErrorKind::Other, self.socket.address(), format!("{doing}: {why}"))
    }
}

/// A request with the lane's message. Dropped early, it leaves the lane parked or torn.
struct InFlight<'a> {
    lane: &'a Lane,
    pending: Option<Pending>,
}

impl Future for InFlight<'_> {
    type Output = (i32, Box<Message>);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let pending = self.pending.as_mut().expect("not polled after its end");
        let Poll::Ready((output, keep)) = Pin::new(pending).poll(cx) else {
            return Poll::Pending;
        };
        self.pending = None;
        Poll::Ready((output.result, request::message_of(keep)))
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let Some(pending) = self.pending.take() else {
            return;
        };
        match self.lane.direction {
            Direction::Receive => {
                pending.cancel();
                *self.lane.state.borrow_mut() = State::Parked(pending);
            }
            Direction::Send => self.lane.tear("a send was dropped before its end"),
        }
    }
}
