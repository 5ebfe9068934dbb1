//! The on-disk format: tables in disk order, little endian, without I/O.
//!
//! Invariant: a block says what it is, whose it is and where it belongs, so that a misdirected,
//! stale or foreign block is never taken for the right one. `docs/on-disk-format.md` draws it.

mod geometry;
mod header;
mod journal;
mod kind;

pub use geometry::*;
pub use header::{Header, MAGIC, check, checksum, header, put_checksum, seal};
pub use journal::{
    CommitCore, DescEntry, DescHead, ENTRIES_PER_DESC, ENTRY_FREE, HEAD_CLEAN, HEAD_DIRTY,
    JOURNAL_HEADS, JournalHeadCore,
};
pub use kind::{KINDS, Kind};

/// Bytes of a block of metadata, and the unit of allocation.
pub const BLOCK_LEN: usize = 4096;
/// Bytes of the header of every block of metadata.
pub const HEADER_LEN: usize = 64;
