//! What leaves on a connection: requests with the payload of writes, gathered into one send.

use byway_engine::ErrorKind;
use byway_engine::block::{Op, Payload};
use byway_engine::memory::Segment;
use byway_engine::net::{Outbox, Stream};
use byway_proto::nbd::command::Command;
use byway_proto::nbd::request::EXTENDED_LEN;

use super::line::{Flight, Line, Stage, Writing};
use super::request::Request;
use super::terms::Next;

/// From this length on a payload is not copied, in bytes.
pub(crate) const CARVE_LEN_MIN: u64 = 16 << 10;
/// Bytes of a payload that are copied at a time.
const PIECE_LEN: u64 = 64 << 10;

impl Line {
    /// Sends until the connection is over; then every buffer is back.
    pub(crate) async fn send(&self, stream: &Stream) {
        while !self.is_over.get() {
            self.pump();
            let batch = self.outbox.borrow_mut().take();
            let Some(payload) = batch else {
                self.to_send.wait().await;
                continue;
            };
            let (result, payload) = stream.send(payload).await;
            self.pulse.sent();
            self.outbox.borrow_mut().sent(payload, |slot, part| self.part_sent(slot, part));
            if let Err(error) = result {
                self.end(&error.to_string());
            }
        }
        self.outbox.borrow_mut().clear(|slot, part| self.part_sent(slot, part));
        self.writing.set(None);
    }

    /// Puts what waits into the outbox as far as there is room, and lets it leave.
    #[inline]
    pub(crate) fn pump(&self) {
        if self.stage.get() != Stage::Up || self.is_over.get() {
            return;
        }
        if self.writing.get().is_some() {
            self.go_on_writing();
        }
        while let Some(request) = self.next_waiting() {
            if let Some(request) = self.send_request(request) {
                self.backlog.borrow_mut().push_front(request);
                break;
            }
        }
        let outbox = self.outbox.borrow();
        if !outbox.is_empty() && !outbox.is_away() {
            self.to_send.raise();
        }
    }

    #[inline]
    fn next_waiting(&self) -> Option<Request> {
        self.backlog.borrow_mut().pop_front()
    }

    /// Puts a request into the outbox; gives it back where there is no room or no connection.
    #[inline]
    pub(crate) fn send_request(&self, mut request: Request) -> Option<Request> {
        if request.io.op == Op::Flush && self.lost_cache(&request) {
            self.tell_loss(request);
            return None;
        }
        let is_up = self.stage.get() == Stage::Up && !self.is_over.get();
        let mut outbox = self.outbox.borrow_mut();
        let has_room = self.writing.get().is_none() && outbox.has_room(EXTENDED_LEN as u32);
        let mut machine = self.machine.borrow_mut();
        if !is_up || !has_room || !machine.has_room() {
            return Some(request);
        }
        let (command, flags, offset, len) = match self.terms.get().next(&request) {
            Next::Command { command, flags, offset, len } => (command, flags, offset, len),
            Next::Done => {
                self.went_well(request);
                return None;
            }
            Next::Unsupported => {
                self.unsupported(request);
                return None;
            }
        };
        let (slot, head) = machine.begin(command, flags, offset, len).expect("there was room");
        outbox.put(head.bytes());
        request.part = if request.is_flushing { 0 } else { len };
        if command == Command::Flush {
            request.covers = self.shared.flush_leaves();
        }
        let at = request.done;
        if command == Command::Write {
            if len >= CARVE_LEN_MIN
                && let Some(part) = request.carved.take(&mut request.io.payload, at, len as u32)
            {
                outbox.put_segment(u64::from(slot), part);
            } else {
                let left = self.copy(&mut outbox, &request.io.payload, at, len);
                let at = at + len - left;
                self.writing.set((left > 0).then_some(Writing { slot, at, left }));
            }
        }
        self.flights.borrow_mut()[usize::from(slot)] = Some(Flight { request, ended: None });
        None
    }

    /// Copies `len` bytes of a payload from `at` on, as far as there is room; answers what is left.
    #[inline]
    fn copy(&self, outbox: &mut Outbox, payload: &Payload, mut at: u64, len: u64) -> u64 {
        let mut left = len;
        while left > 0 {
            let piece = left.min(PIECE_LEN);
            if !outbox.has_room(piece as u32) {
                break;
            }
            outbox.put_copy(payload, at, piece as u32);
            (at, left) = (at + piece, left - piece);
        }
        left
    }

    /// Copies more of a write that did not fit at once.
    #[cold]
    fn go_on_writing(&self) {
        let Some(Writing { slot, at, left: len }) = self.writing.get() else { return };
        let flights = self.flights.borrow();
        let flight = flights[usize::from(slot)].as_ref();
        let payload = &flight.expect("a write is in its slot until it has left").request.io.payload;
        let left = self.copy(&mut self.outbox.borrow_mut(), payload, at, len);
        drop(flights);
        if left > 0 {
            self.writing.set(Some(Writing { slot, at: at + len - left, left }));
        } else {
            self.writing.set(None);
            self.part_back(slot);
        }
    }

    #[cold]
    fn unsupported(&self, request: Request) {
        let words = format!("the server does not know {}", request.io.op);
        self.fail(request, ErrorKind::Unsupported, words);
    }

    /// A part of a payload was sent, or never will be.
    fn part_sent(&self, key: u64, part: Segment) {
        let slot = u16::try_from(key).expect("keys are slots");
        let mut flights = self.flights.borrow_mut();
        let flight = flights[usize::from(slot)].as_mut();
        let request = &mut flight.expect("a request waits for its parts").request;
        request.carved.put(&mut request.io.payload, part);
        drop(flights);
        self.part_back(slot);
    }
}
