//! What a file channel remembers of one request: the request, how it is served, how far it is.

use std::ops::Range;

use crate::block::{Io, Payload};
use crate::memory::Segment;

/// How a request is served, and where it stands.
///
/// ```text
/// Transfer ──────────────► done           aligned reads and writes, in one or more transfers
/// Simple (► Syncing) ────► done           flush, fallocate, discard; sync where they are `fua`
/// BounceRead ────────────► done           unaligned read: aligned blocks, then a copy
/// Claiming ► Reading ► Writing ► done     unaligned write, compare-and-write
/// ZeroFill (► Syncing) ──► done           zeroes that the file system cannot make by itself
/// Offloaded ─────────────► done           calls that block, on the helper thread
/// ```
pub(super) enum Stage {
    Transfer,
    Simple,
    Syncing,
    BounceRead { blocks: Segment },
    Claiming { claim: Option<u64> },
    Reading { claim: u64, blocks: Segment },
    Writing { claim: u64, blocks: Segment },
    ZeroFill { zeroes: Segment, from: u64 },
    Offloaded,
}

/// One request of a channel.
pub(super) struct Request {
    pub(super) io: Io,
    /// Bytes transferred so far, in the stage's own memory.
    pub(super) moved: u32,
    /// How often the kernel said "again".
    pub(super) retries: u32,
    pub(super) stage: Stage,
    /// Which of the ways to discard or zero is being tried; the last step is the sync of `fua`.
    pub(super) way: usize,
    /// On the board of writes.
    pub(super) published: bool,
}

impl Request {
    pub(super) fn new(io: Io, stage: Stage) -> Request {
        Request { io, moved: 0, retries: 0, stage, way: 0, published: false }
    }

    /// The bytes of the device that the request touches.
    pub(super) fn range(&self) -> Range<u64> {
        self.io.offset..self.io.offset + self.io.len
    }
}

/// Fills `vector` with the payload's memory after its first `skip` bytes.
pub(super) fn fill_vector(vector: &mut Vec<libc::iovec>, payload: &Payload, skip: u32) {
    vector.clear();
    let mut skip = skip as usize;
    for segment in payload.segments() {
        let len = segment.len() as usize;
        if skip < len {
            let iov_base = segment.as_ptr().wrapping_add(skip).cast();
            vector.push(libc::iovec { iov_base, iov_len: len - skip });
        }
        skip = skip.saturating_sub(len);
    }
}
