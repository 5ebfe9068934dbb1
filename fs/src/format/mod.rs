//! The on-disk format: tables in disk order, little endian, without I/O.
//!
//! Invariant: a block says what it is, whose it is and where it belongs, so that a misdirected,
//! stale or foreign block is never taken for the right one. `docs/on-disk-format.md` draws it.

mod bitmap;
mod dir;
mod geometry;
mod group;
mod header;
mod heartbeat;
mod initial;
mod inode;
mod journal;
mod kind;
mod plan;
mod slot;
mod superblock;
mod tree;
pub(crate) mod view;
mod xattr;

pub use bitmap::{BITS_AT, BitmapHead, Bits, bitmap_want, bits_in, check_bits};
pub use dir::*;
pub use geometry::*;
pub use group::{
    GROUP_PENDING_AT, GROUP_PENDING_LEN, GROUP_REFCOUNTS_AT, GROUP_REFCOUNTS_LEN, GroupCore,
};
pub use header::{Header, MAGIC, check, checksum, header, put_checksum, seal};
pub use heartbeat::{HEARTBEAT_ALIVE, HEARTBEAT_GONE, HeartbeatCore};
pub use initial::{count_bits, initialise_bitmap, initialise_group};
pub use inode::*;
pub use journal::{
    CommitCore, DescEntry, DescHead, ENTRIES_PER_DESC, ENTRY_FREE, HEAD_CLEAN, HEAD_DIRTY,
    JOURNAL_HEADS, JournalHeadCore,
};
pub use kind::{KINDS, Kind};
pub use plan::*;
pub use slot::{SLOT_CLEAN, SLOT_MOUNTED, SLOT_ORPHANS_AT, SLOT_ORPHANS_LEN, SlotCore};
pub use superblock::*;
pub use tree::*;
pub use xattr::*;

/// Bytes of a block of metadata, and the unit of allocation.
pub const BLOCK_LEN: usize = 4096;
/// Bytes of the header of every block of metadata.
pub const HEADER_LEN: usize = 64;

/// The text in a field that is padded with zeroes; what is no text shows as replacements.
fn text_of(bytes: &[u8]) -> String {
    let len = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..len]).into_owned()
}
