//! Extended attributes on disk: inline in the tail of a dinode's body, or in value blocks.
//!
//! Inline attributes lie one behind the other, each padded with zeroes to a multiple of 8 bytes, and
//! fill the tail exactly. An attribute that does not fit there has a record in the tree at the
//! dinode's `xattr_root`: its key is made like a cookie, of the hash of [`XattrHead::name_index`]
//! and the name; its value is the first of a chain of value blocks.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{BLOCK_LEN, HEADER_LEN};

/// The longest name behind its namespace's prefix.
pub const XATTR_NAME_MAX: usize = 255;
/// The longest value.
pub const XATTR_VALUE_MAX: usize = 65_536;
/// Bytes of an inline attribute before its name.
pub const XATTR_HEAD_LEN: usize = 8;
/// Bytes of a value block's head, after the header.
pub const XATTR_VALUE_HEAD_LEN: usize = 32;
/// Where the bytes of a value block begin.
pub const XATTR_VALUE_AT: usize = HEADER_LEN + XATTR_VALUE_HEAD_LEN;
/// Bytes of name and value that one value block holds.
pub const XATTR_VALUE_ROOM: usize = BLOCK_LEN - XATTR_VALUE_AT;
/// Value blocks of the longest attribute.
pub const XATTR_BLOCKS_MAX: usize = (XATTR_NAME_MAX + XATTR_VALUE_MAX).div_ceil(XATTR_VALUE_ROOM);

/// The namespaces, by their number on disk, with the prefixes of their names.
pub const XATTR_PREFIXES: [(u8, &str); 4] =
    [(1, "user."), (2, "trusted."), (3, "security."), (4, "system.")];

/// The head of an inline attribute; its name and then its value follow.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct XattrHead {
    /// A number of [`XATTR_PREFIXES`].
    pub name_index: u8,
    /// Bytes of the name without the prefix.
    pub name_len: u8,
    /// Bytes of the value.
    pub value_len: U16,
    /// Zero.
    pub reserved: U32,
}

/// The head of a value block. The bytes of the whole chain are the name, then the value.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct XattrValueHead {
    /// The next block of the chain; 0 in the last one.
    pub next: U64,
    /// Bytes of the value: the same in all blocks of the chain.
    pub value_len: U32,
    /// Bytes that this block holds.
    pub part_len: U16,
    /// A number of [`XATTR_PREFIXES`].
    pub name_index: u8,
    /// Bytes of the name without the prefix.
    pub name_len: u8,
    /// Zero.
    pub reserved: [u8; 16],
}

const _: () = assert!(size_of::<XattrHead>() == XATTR_HEAD_LEN);
const _: () = assert!(size_of::<XattrValueHead>() == XATTR_VALUE_HEAD_LEN);
const _: () = assert!(XATTR_BLOCKS_MAX == 17);

/// Bytes of an inline attribute.
pub const fn xattr_inline_len(name_len: usize, value_len: usize) -> usize {
    (XATTR_HEAD_LEN + name_len + value_len).next_multiple_of(8)
}
