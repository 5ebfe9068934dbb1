//! The journal on disk: two copies of its head, then a ring of commits.
//!
//! ```text
//! head A │ head B │ ring: … desc … desc │ image … image │ commit │ desc …
//! ```
//!
//! A commit is contiguous in the ring, modulo its length. Each descriptor entry holds the checksum
//! of its image, and the commit block one over all descriptors, so that a commit counts whole or
//! not at all, whatever parts of it an older lap or a torn write left. Every block here is covered
//! by its own header too, save images, which carry the header of the place that they belong to.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::HEADER_LEN;
use crate::store::Block;

/// Blocks of a journal before its ring: the copies of the head.
pub const JOURNAL_HEADS: u64 = 2;
/// Where the entries of a descriptor block begin.
const ENTRIES_AT: usize = 128;
/// Entries of one descriptor block.
pub const ENTRIES_PER_DESC: usize = 124;
/// The entry frees its block: there is no image.
pub const ENTRY_FREE: u16 = 1;

/// The journal was left in order: a replay finds nothing.
pub const HEAD_CLEAN: u32 = 0;
/// Somebody has the journal, or had it and is gone: what follows the tail is to be replayed.
pub const HEAD_DIRTY: u32 = 1;

/// The head of a journal. The copy with the greater `seq` counts; they are written in turns.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct JournalHeadCore {
    /// Counts the writes of the head; its lowest bit names the copy.
    pub seq: U64,
    /// The mount that wrote it; commits of another one are stale.
    pub incarnation: U64,
    /// Where the oldest commit of the window begins, in blocks of the ring, counted on and on.
    pub tail_pos: U64,
    /// The number of that commit.
    pub tail_seq: U64,
    /// No version up to here is given again, also when the window is empty.
    pub clock: U64,
    /// [`HEAD_CLEAN`] or [`HEAD_DIRTY`].
    pub state: U32,
    /// Zero.
    pub reserved: U32,
}

const _: () = assert!(size_of::<JournalHeadCore>() == 48);

/// What a descriptor block begins with.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct DescHead {
    /// The number of the commit.
    pub seq: U64,
    /// The mount that writes it.
    pub incarnation: U64,
    /// Where the commit begins in the ring, counted on and on: another lap has another one.
    pub start: U64,
    /// Entries of the whole commit.
    pub entries: U32,
    /// Images of the whole commit.
    pub images: U32,
    /// Entries in this block.
    pub count: U16,
    /// Descriptor blocks of the commit.
    pub descs: U16,
    /// Which of them this is.
    pub index: U16,
    /// Zero.
    pub reserved: [u8; 26],
}

const _: () = assert!(HEADER_LEN + size_of::<DescHead>() == ENTRIES_AT);

/// One block that the commit changes.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct DescEntry {
    /// Where the block belongs.
    pub bno: U64,
    /// Whose it is.
    pub owner: U64,
    /// The version of the image or of the free.
    pub version: U64,
    /// What it is.
    pub kind: U16,
    /// [`ENTRY_FREE`] or 0.
    pub flags: U16,
    /// The checksum in the header of the image; 0 for frees.
    pub crc: U32,
}

const _: () = assert!(size_of::<DescEntry>() == 32);
const _: () = assert!(ENTRIES_AT + ENTRIES_PER_DESC * size_of::<DescEntry>() == super::BLOCK_LEN);

/// What ends a commit.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct CommitCore {
    /// The number of the commit.
    pub seq: U64,
    /// The mount that writes it.
    pub incarnation: U64,
    /// Where the commit begins in the ring, counted on and on.
    pub start: U64,
    /// The writer's clock.
    pub clock: U64,
    /// Blocks of the commit, this one included.
    pub blocks: U32,
    /// CRC32C over all descriptor blocks, in order.
    pub crc: U32,
}

const _: () = assert!(size_of::<CommitCore>() == 40);

macro_rules! core_view {
    ($core:ty) => {
        impl $core {
            /// A view of the block.
            pub fn of(block: &Block) -> &Self {
                Self::ref_from_bytes(&block.bytes()[HEADER_LEN..][..size_of::<Self>()])
                    .expect("a block is longer than its core")
            }

            /// A view of the block, to be changed.
            pub fn of_mut(block: &mut Block) -> &mut Self {
                Self::mut_from_bytes(&mut block.bytes_mut()[HEADER_LEN..][..size_of::<Self>()])
                    .expect("a block is longer than its core")
            }
        }
    };
}

core_view!(JournalHeadCore);
core_view!(DescHead);
core_view!(CommitCore);

impl DescEntry {
    /// The entries of a descriptor block, used or not.
    pub fn all(block: &Block) -> &[DescEntry; ENTRIES_PER_DESC] {
        FromBytes::ref_from_bytes(&block.bytes()[ENTRIES_AT..]).expect("the entries fill the block")
    }

    /// The entries of a descriptor block, to be filled.
    pub fn all_mut(block: &mut Block) -> &mut [DescEntry; ENTRIES_PER_DESC] {
        FromBytes::mut_from_bytes(&mut block.bytes_mut()[ENTRIES_AT..])
            .expect("the entries fill the block")
    }
}
