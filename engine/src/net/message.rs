//! What one send or receive hands to the kernel: a payload, where it continues, and the vectors.
//!
//! Invariants: a message is boxed once per direction of a stream and used again, so that the data
//! path does not allocate; while its request is in flight the box lies in the request's slot, so
//! every address that the kernel was told stays valid; it also keeps the descriptor open.

use std::ops::Range;
use std::rc::Rc;

use io_uring::{opcode, squeue};

use super::socket::Socket;
use crate::block::Payload;
use crate::memory::Lease;

/// Bytes copied at once from what a dropped receive brought.
const BOUNCE_LEN: usize = 4096;

pub(super) struct Message {
    socket: Rc<Socket>,
    header: libc::msghdr,
    vectors: Vec<libc::iovec>,
    /// Sent before the payload.
    head: Option<Lease>,
    payload: Payload,
    /// Bytes of head and payload that are done.
    done: u64,
    /// Bytes of the payload that a dropped receive brought and nobody took yet.
    rest: Range<u64>,
    /// The errno (negative) that followed those bytes.
    fault: i32,
}

impl Message {
    pub(super) fn new(socket: &Rc<Socket>) -> Box<Message> {
        Box::new(Message {
            socket: Rc::clone(socket),
            header: super::request::empty_header(),
            vectors: Vec::new(),
            head: None,
            payload: Payload::None,
            done: 0,
            rest: 0..0,
            fault: 0,
        })
    }

    pub(super) fn load(&mut self, head: Option<Lease>, payload: Payload, done: u64) {
        (self.head, self.payload, self.done) = (head, payload, done);
    }

    pub(super) fn unload(&mut self) -> (Option<Lease>, Payload) {
        (self.head.take(), std::mem::take(&mut self.payload))
    }

    pub(super) fn done(&self) -> u64 {
        self.done
    }

    pub(super) fn advance(&mut self, bytes: u64) {
        self.done += bytes;
    }

    pub(super) fn len(&self) -> u64 {
        self.head.as_ref().map_or(0, |head| head.len() as u64) + self.payload.len()
    }

    pub(super) fn is_done(&self) -> bool {
        self.done >= self.len()
    }

    /// A receive into what is not done yet.
    pub(super) fn receive_entry(&mut self, whole: bool) -> squeue::Entry {
        let flags = if whole { libc::MSG_WAITALL } else { 0 };
        self.gather();
        if let [one] = self.vectors[..] {
            let (to, len) = (one.iov_base.cast(), one.iov_len as u32);
            return opcode::Recv::new(self.socket.fd(), to, len).flags(flags).build();
        }
        self.point_header();
        opcode::RecvMsg::new(self.socket.fd(), &mut self.header).flags(flags as u32).build()
    }

    /// A send of what is not done yet.
    pub(super) fn send_entry(&mut self) -> squeue::Entry {
        let flags = libc::MSG_WAITALL | libc::MSG_NOSIGNAL;
        self.gather();
        if let [one] = self.vectors[..] {
            let (from, len) = (one.iov_base.cast_const().cast(), one.iov_len as u32);
            return opcode::Send::new(self.socket.fd(), from, len).flags(flags).build();
        }
        self.point_header();
        opcode::SendMsg::new(self.socket.fd(), &self.header).flags(flags as u32).build()
    }

    fn point_header(&mut self) {
        self.header = super::request::empty_header();
        self.header.msg_iov = self.vectors.as_mut_ptr();
        self.header.msg_iovlen = self.vectors.len();
    }

    /// The pieces of head and payload from `done` on.
    fn gather(&mut self) {
        self.vectors.clear();
        let mut skip = self.done;
        let head = self.head.iter_mut().map(|head| (head.as_mut_ptr(), head.len()));
        let segments = self.payload.segments().iter().map(|s| (s.as_ptr(), s.len() as usize));
        for (start, len) in head.chain(segments) {
            if skip >= len as u64 {
                skip -= len as u64;
                continue;
            }
            let base = start.wrapping_add(skip as usize).cast();
            self.vectors.push(libc::iovec { iov_base: base, iov_len: len - skip as usize });
            skip = 0;
        }
    }

    /// A dropped receive ended with `result`: what it and its predecessors brought is kept.
    pub(super) fn keep_rest(&mut self, result: i32) {
        self.done += u64::try_from(result).unwrap_or(0);
        self.rest = 0..self.done;
        let nothing = result >= 0 || result == -libc::ECANCELED || result == -libc::EINTR;
        self.fault = if nothing { 0 } else { result };
        if self.rest.is_empty() {
            self.payload = Payload::None;
        }
    }

    /// Copies what a dropped receive brought into `to`; tells how many bytes that is.
    pub(super) fn take_rest(&mut self, to: &mut Payload) -> u64 {
        let mut bounce = [0; BOUNCE_LEN];
        let (mut copied, room) = (0, to.len());
        while copied < room && !self.rest.is_empty() {
            let left = (self.rest.end - self.rest.start).min(room - copied);
            let piece = &mut bounce[..left.min(BOUNCE_LEN as u64) as usize];
            self.payload.copy_to(self.rest.start, piece);
            to.copy_from(copied, piece);
            self.rest.start += piece.len() as u64;
            copied += piece.len() as u64;
        }
        if self.rest.is_empty() {
            self.payload = Payload::None;
        }
        copied
    }

    pub(super) fn has_rest(&self) -> bool {
        !self.rest.is_empty()
    }

    /// The errno that followed the bytes of a dropped receive, once.
    pub(super) fn take_fault(&mut self) -> i32 {
        if self.has_rest() { 0 } else { std::mem::take(&mut self.fault) }
    }
}
