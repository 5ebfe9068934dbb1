//! A request that is more than one request of the device: in pieces, or waiting for the home.
//!
//! ```text
//! Driving ── a piece whose place is known ──> Driving, the piece is out
//! Driving ── a place that is not known ──> Asking ── answer ──> Driving
//! Driving ── all pieces back, data must be found after a crash ──> Flushing ── answer ──> done
//! Driving ── all pieces back ──> done
//! Asking, Flushing ── the home did it all ──> done
//! ```

use byway_engine::block::{Completion, Io, IoResult, Op, Outcome};
use byway_engine::error::{ErrorKind, IoError};

use super::map::{Map, Mapped};
use super::spread::Spread;
use crate::format::BLOCK_LEN;
use crate::store::FsError;

/// What the request waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its pieces.
    Driving,
    /// An answer of the home.
    Asking,
    /// The flush of this number.
    Flushing(u32),
}

/// What of the bytes that a work reads goes into the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// Nothing.
    Nothing,
    /// A copy; the bytes are the submitter's.
    Copy,
    /// A copy; the channel itself wanted them.
    Fetch,
}

/// The request.
pub(super) struct Work {
    pub(super) tag: u64,
    pub(super) offset: u64,
    pub(super) len: u64,
    pub(super) op: Op,
    pub(super) fua: bool,
    pub(super) stage: Stage,
    /// The byte of the file that the next piece begins with.
    pub(super) at: u64,
    /// Pieces that are out.
    pub(super) out: u32,
    /// A piece went where a crash would not find it: a flush must follow.
    pub(super) must_flush: bool,
    /// The first error of a piece.
    pub(super) error: Option<Box<IoError>>,
    pub(super) spread: Spread,
    /// What the home answered, for this request.
    pub(super) given: Vec<Mapped>,
    pub(super) keep: Keep,
    /// The stamps of the regions that it reads, of its beginning.
    pub(super) stamps: Vec<Option<u64>>,
}

impl Work {
    pub(super) fn empty() -> Box<Work> {
        Box::new(Work {
            tag: 0,
            offset: 0,
            len: 0,
            op: Op::Flush,
            fua: false,
            stage: Stage::Driving,
            at: 0,
            out: 0,
            must_flush: false,
            error: None,
            spread: Spread::default(),
            given: Vec::new(),
            keep: Keep::Nothing,
            stamps: Vec::new(),
        })
    }

    /// Takes a request on.
    pub(super) fn begin(&mut self, io: Io) {
        (self.tag, self.offset, self.len) = (io.tag, io.offset, io.len);
        (self.op, self.fua, self.at) = (io.op, io.fua, io.offset);
        (self.stage, self.out, self.must_flush) = (Stage::Driving, 0, false);
        self.error = None;
        self.keep = Keep::Nothing;
        self.stamps.clear();
        self.spread.fill(io.payload);
    }

    /// The byte behind the last one.
    pub(super) fn end(&self) -> u64 {
        self.offset + self.len
    }

    /// What is known of the block where the next piece begins.
    pub(super) fn next_place(&self, map: &mut Map) -> Option<Mapped> {
        let block = self.at / BLOCK_LEN as u64;
        let given = self.given.iter().find(|entry| entry.covers(block)).copied();
        given.or_else(|| map.find(block))
    }

    /// No further piece goes out.
    pub(super) fn fail(&mut self, error: Box<IoError>) {
        self.at = self.end();
        self.error.get_or_insert(error);
    }

    /// The same for an error of the file system.
    pub(super) fn fail_by(&mut self, kind: ErrorKind, error: &FsError) {
        let Work { op, offset, len, .. } = *self;
        self.fail(Box::new(IoError::new(kind, op, offset, len, format!("file: {error}"))));
    }

    /// True where all pieces are back and none is to follow.
    pub(super) fn is_driven(&self) -> bool {
        self.out == 0 && self.at == self.end()
    }

    /// The end of the request; the work is empty then.
    pub(super) fn complete(&mut self, outcome: Outcome) -> Completion {
        self.given.clear();
        let result: IoResult = self.error.take().map_or(Ok(outcome), Err);
        Completion { tag: self.tag, result, payload: self.spread.whole() }
    }
}
