//! A request and its completion.
//!
//! Invariant: `Io` fits one cache line, so that moving one through the waist costs one line.

use std::fmt;

use super::{Extent, Payload, ReservationReport};
use crate::error::{ErrorKind, IoError};

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Op {
    /// Fills the payload from the device.
    Read,
    /// Writes the payload to the device; with `fua`, durably.
    Write,
    /// Makes every write durable that completed before.
    Flush,
    /// Tells the device that the bytes are not needed; they read as anything afterwards.
    Discard,
    /// Makes the bytes read as zeroes.
    WriteZeroes,
    /// Compares the payload's first half with the device and, if equal, writes its second half.
    CompareAndWrite,
    /// Tells which parts hold data.
    BlockStatus,
    /// Changes persistent reservations.
    ReservationOut,
    /// Reads persistent reservations.
    ReservationIn,
}

impl Op {
    /// True where the operation may change what a later read returns.
    pub fn changes_medium(self) -> bool {
        use Op::*;
        matches!(self, Write | Discard | WriteZeroes | CompareAndWrite)
    }

    /// True where `offset` and `len` name bytes of the device.
    pub fn has_range(self) -> bool {
        !matches!(self, Op::Flush | Op::ReservationOut | Op::ReservationIn)
    }

    /// The word for messages and reports.
    pub fn name(self) -> &'static str {
        match self {
            Op::Read => "read",
            Op::Write => "write",
            Op::Flush => "flush",
            Op::Discard => "discard",
            Op::WriteZeroes => "write-zeroes",
            Op::CompareAndWrite => "compare-and-write",
            Op::BlockStatus => "block-status",
            Op::ReservationOut => "reservation-out",
            Op::ReservationIn => "reservation-in",
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One request.
#[derive(Debug)]
pub struct Io {
    /// The submitter's name for the request; comes back in the completion, means nothing here.
    pub tag: u64,
    /// First byte on the device.
    pub offset: u64,
    /// Bytes on the device. For compare-and-write, half of the payload.
    pub len: u64,
    /// What to do.
    pub op: Op,
    /// For writes, write-zeroes and compare-and-write: durable when completed.
    pub fua: bool,
    /// For write-zeroes: the device may free the storage.
    pub unmap: bool,
    /// The memory, or a reservation's words.
    pub payload: Payload,
}

const _: () = assert!(size_of::<Io>() <= 64);

impl Io {
    fn bare(op: Op, offset: u64, len: u64, payload: Payload) -> Io {
        Io { tag: 0, offset, len, op, fua: false, unmap: false, payload }
    }

    /// A read that fills `payload`.
    pub fn read(offset: u64, payload: impl Into<Payload>) -> Io {
        let payload = payload.into();
        Io::bare(Op::Read, offset, payload.len(), payload)
    }

    /// A write of `payload`.
    pub fn write(offset: u64, payload: impl Into<Payload>) -> Io {
        let payload = payload.into();
        Io::bare(Op::Write, offset, payload.len(), payload)
    }

    /// A flush of everything that completed before.
    pub fn flush() -> Io {
        Io::bare(Op::Flush, 0, 0, Payload::None)
    }

    /// A discard of `len` bytes.
    pub fn discard(offset: u64, len: u64) -> Io {
        Io::bare(Op::Discard, offset, len, Payload::None)
    }

    /// `len` bytes that read as zeroes from then on; `unmap` lets the device free the storage.
    pub fn write_zeroes(offset: u64, len: u64, unmap: bool) -> Io {
        Io { unmap, ..Io::bare(Op::WriteZeroes, offset, len, Payload::None) }
    }

    /// Compares the payload's first half and, if equal, writes its second half.
    pub fn compare_and_write(offset: u64, payload: impl Into<Payload>) -> Io {
        let payload = payload.into();
        Io::bare(Op::CompareAndWrite, offset, payload.len() / 2, payload)
    }

    /// Which parts of `len` bytes hold data.
    pub fn block_status(offset: u64, len: u64) -> Io {
        Io::bare(Op::BlockStatus, offset, len, Payload::None)
    }

    /// The same request, durable when completed.
    #[must_use]
    pub fn with_fua(self) -> Io {
        Io { fua: true, ..self }
    }

    /// The same request under the submitter's name for it.
    #[must_use]
    pub fn with_tag(self, tag: u64) -> Io {
        Io { tag, ..self }
    }

    /// Completes the request as done.
    pub fn done(self) -> Completion {
        Completion { tag: self.tag, result: Ok(Outcome::Done), payload: self.payload }
    }

    /// Completes the request with `kind` and words that name the device or the limit.
    pub fn failed(self, kind: ErrorKind, detail: impl Into<String>) -> Completion {
        let error = IoError::new(kind, self.op, self.offset, self.len, detail);
        self.failed_with(error)
    }

    /// Completes the request with an error.
    pub fn failed_with(self, error: IoError) -> Completion {
        Completion { tag: self.tag, result: Err(Box::new(error)), payload: self.payload }
    }

    /// Completes the request with an outcome that carries an answer.
    pub fn done_with(self, outcome: Outcome) -> Completion {
        Completion { tag: self.tag, result: Ok(outcome), payload: self.payload }
    }
}

/// What a successful request brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All bytes are done.
    Done,
    /// The answer to block status: adjacent extents in order, from the request's offset on. They
    /// may end before the request does (ask again from there) and never beyond it.
    Extents(Box<Vec<Extent>>),
    /// The answer to a question about reservations.
    Reservations(Box<ReservationReport>),
}

/// Success or a boxed error.
pub type IoResult = Result<Outcome, Box<IoError>>;

/// The end of a request: its tag, its result, and its memory back.
#[derive(Debug)]
pub struct Completion {
    /// The submitter's name for the request.
    pub tag: u64,
    /// What came of it.
    pub result: IoResult,
    /// The request's payload.
    pub payload: Payload,
}

/// Where a channel puts what is done. The submitter drains it; its memory is used again.
pub type Completions = Vec<Completion>;
