//! One block of metadata in memory.

use std::fmt;

use crate::format::{BLOCK_LEN, HEADER_LEN, Header, header};

/// 4,096 bytes; what they mean is in [`crate::format`].
#[derive(Clone, PartialEq, Eq)]
#[repr(align(64))]
pub struct Block([u8; BLOCK_LEN]);

impl Default for Block {
    fn default() -> Block {
        Block::zeroed()
    }
}

impl Block {
    /// All zero.
    pub fn zeroed() -> Block {
        Block([0; BLOCK_LEN])
    }

    /// A copy of bytes.
    pub fn from_bytes(bytes: &[u8; BLOCK_LEN]) -> Block {
        Block(*bytes)
    }

    /// The bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8; BLOCK_LEN] {
        &self.0
    }

    /// The bytes, to be changed.
    #[inline]
    pub fn bytes_mut(&mut self) -> &mut [u8; BLOCK_LEN] {
        &mut self.0
    }

    /// The header, unjudged.
    #[inline]
    pub fn header(&self) -> &Header {
        header(&self.0)
    }

    /// Replaces the header.
    pub fn set_header(&mut self, header: &Header) {
        self.0[..HEADER_LEN].copy_from_slice(zerocopy::IntoBytes::as_bytes(header));
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.header().fmt(f)
    }
}
