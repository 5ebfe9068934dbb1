//! The on-disk format: tables in disk order, little endian, without I/O.
//!
//! Invariant: a block says what it is, whose it is and where it belongs, so that a misdirected,
//! stale or foreign block is never taken for the right one. `docs/on-disk-format.md` draws it.

mod dir;
mod geometry;
mod header;
mod inode;
mod kind;
mod slot;
mod tree;
pub(crate) mod view;
mod xattr;

pub use dir::*;
pub use geometry::*;
pub use header::{Header, MAGIC, check, header, seal};
pub use inode::*;
pub use kind::{KINDS, Kind};
pub use slot::*;
pub use tree::*;
pub use xattr::*;

/// Bytes of a block of metadata, and the unit of allocation.
pub const BLOCK_LEN: usize = 4096;
/// Bytes of the header of every block of metadata.
pub const HEADER_LEN: usize = 64;
