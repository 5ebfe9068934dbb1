//! What a session's task carries: a request with its buffer, or a command of the initiator itself.
//!
//! Long buffers travel in parts: data that arrive go straight into them, data that leave are not
//! copied. A task whose answer comes while a part of its buffer is still being sent ends when the
//! part is back.

use std::rc::Rc;

use byway_engine::block::{Op, Payload};
use byway_engine::memory::{Segment, Strip};
use byway_proto::iscsi::initiator::{Outcome, TaskId};
use byway_proto::iscsi::pdu::BHS_LEN;

use crate::control::Control;
use crate::request::Request;

/// From this length on a buffer travels in parts, in bytes; shorter ones are copied.
pub(crate) const STRIP_LEN_MIN: u32 = 16 << 10;

/// One task.
#[derive(Debug)]
pub(crate) enum Flight {
    /// The slot is free.
    Free,
    /// A request.
    Io(IoFlight),
    /// A command of the initiator itself.
    Control(Rc<Control>),
}

/// A request at the target.
#[derive(Debug)]
pub(crate) struct IoFlight {
    /// The task, by which parts find their way back.
    pub(crate) task: TaskId,
    pub(crate) request: Request,
    /// The buffer, where it travels in parts.
    strip: Option<Strip>,
    /// How it ended, while a part is out.
    pub(crate) ended: Option<Outcome>,
}

impl IoFlight {
    pub(crate) fn new(task: TaskId, mut request: Request) -> IoFlight {
        let io = &mut request.io;
        let is_long = matches!(&io.payload, Payload::One(s) if s.len() >= STRIP_LEN_MIN);
        let strip = match std::mem::take(&mut io.payload) {
            Payload::One(segment) if is_long => Some(Strip::new(segment)),
            payload => {
                io.payload = payload;
                None
            }
        };
        IoFlight { task, request, strip, ended: None }
    }

    /// Bytes that the target sends for it: a header, and the data of a read.
    pub(crate) fn expected(&self) -> u64 {
        let io = &self.request.io;
        BHS_LEN as u64 + if io.op == Op::Read { io.len } else { 0 }
    }

    /// Bytes that arrived for `offset` on.
    pub(crate) fn fill(&mut self, offset: u32, bytes: &[u8]) {
        match &mut self.strip {
            Some(strip) => strip.fill(bytes),
            None => self.request.io.payload.copy_from(u64::from(offset), bytes),
        }
    }

    /// The part of the buffer that the next `len` bytes go into, or come from; nothing where the
    /// buffer is copied.
    pub(crate) fn take_part(&mut self, len: u32) -> Option<Segment> {
        self.strip.as_mut().map(|strip| strip.take(len))
    }

    /// A part is back; `used` of it is done.
    pub(crate) fn put_part(&mut self, part: Segment, used: u32) {
        let strip = self.strip.as_mut().expect("parts are taken from a strip");
        strip.put(part, used);
    }

    /// The payload to copy from.
    pub(crate) fn payload(&self) -> &Payload {
        &self.request.io.payload
    }

    /// True while a part is out.
    pub(crate) fn is_away(&self) -> bool {
        self.strip.as_ref().is_some_and(Strip::is_away)
    }

    /// The request with its buffer in one piece.
    pub(crate) fn into_request(mut self) -> Request {
        if let Some(strip) = self.strip.take() {
            self.request.io.payload = Payload::from(strip.whole());
        }
        self.request
    }
}
