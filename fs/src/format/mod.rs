//! The on-disk format: tables in disk order, little endian, without I/O.
//!
//! Invariant: a block says what it is, whose it is and where it belongs, so that a misdirected,
//! stale or foreign block is never taken for the right one. `docs/on-disk-format.md` draws it.

mod geometry;
mod header;
mod kind;

pub use geometry::*;
pub use header::{Header, MAGIC, check, checksum, header, seal};
pub use kind::{KINDS, Kind};

/// Bytes of a block of metadata, and the unit of allocation.
pub const BLOCK_LEN: usize = 4096;
/// Bytes of the header of every block of metadata.
pub const HEADER_LEN: usize = 64;
