//! The kinds of chunks, and the fields at the start of their payloads (NBD, 'Structured reply types').

use zerocopy::byteorder::big_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// What a chunk holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChunkKind {
    /// 0: nothing; the last of its reply.
    None,
    /// 1: data at an offset.
    OffsetData,
    /// 2: zeroes at an offset.
    OffsetHole,
    /// 5: extents of 32 bits.
    BlockStatus,
    /// 6: extents of 64 bits.
    BlockStatusExt,
    /// 0x8001: the request failed.
    Error,
    /// 0x8002: the request failed at an offset.
    ErrorOffset,
    /// A kind that has no meaning here; an error where bit 15 is set.
    Unknown(u16),
}

impl ChunkKind {
    /// The code on the wire.
    #[must_use]
    #[inline]
    pub fn code(self) -> u16 {
        match self {
            ChunkKind::None => 0,
            ChunkKind::OffsetData => 1,
            ChunkKind::OffsetHole => 2,
            ChunkKind::BlockStatus => 5,
            ChunkKind::BlockStatusExt => 6,
            ChunkKind::Error => 0x8001,
            ChunkKind::ErrorOffset => 0x8002,
            ChunkKind::Unknown(code) => code,
        }
    }

    /// The kind of that code.
    #[must_use]
    #[inline]
    pub fn from_code(code: u16) -> ChunkKind {
        match code {
            0 => ChunkKind::None,
            1 => ChunkKind::OffsetData,
            2 => ChunkKind::OffsetHole,
            5 => ChunkKind::BlockStatus,
            6 => ChunkKind::BlockStatusExt,
            0x8001 => ChunkKind::Error,
            0x8002 => ChunkKind::ErrorOffset,
            other => ChunkKind::Unknown(other),
        }
    }

    /// True for a kind that begins with the fields of [`ErrorHead`], known or not.
    #[must_use]
    #[inline]
    pub fn is_error(self) -> bool {
        self.code() & 0x8000 != 0
    }
}

/// First in the payload of a data chunk; the data follows.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct DataHead {
    /// First byte of the data, in the export.
    pub offset: U64,
}

/// The payload of a hole.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct HoleBody {
    /// First byte of the zeroes, in the export.
    pub offset: U64,
    /// Length of the zeroes, in bytes; never 0.
    pub len: U32,
}

/// First in the payload of an error; the message follows, and then the offset if the kind has one.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct ErrorHead {
    /// Why; never 0.
    pub errno: U32,
    /// Length of the message, in bytes.
    pub message_len: U16,
}

/// First in the payload of extents of 32 bits.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct StatusHead {
    /// The context that the extents belong to.
    pub context: U32,
}

/// First in the payload of extents of 64 bits.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct StatusExtHead {
    /// The context that the extents belong to.
    pub context: U32,
    /// How many extents follow; 0 leaves that to the length of the chunk.
    pub count: U32,
}

/// Bytes before the data in a data chunk.
pub const DATA_HEAD_LEN: usize = 8;
/// Bytes of a hole.
pub const HOLE_BODY_LEN: usize = 12;
/// Bytes before the message in an error.
pub const ERROR_HEAD_LEN: usize = 6;
/// Bytes before extents of 32 bits.
pub const STATUS_HEAD_LEN: usize = 4;
/// Bytes before extents of 64 bits.
pub const STATUS_EXT_HEAD_LEN: usize = 8;

const _: () = assert!(size_of::<DataHead>() == DATA_HEAD_LEN);
const _: () = assert!(size_of::<HoleBody>() == HOLE_BODY_LEN);
const _: () = assert!(size_of::<ErrorHead>() == ERROR_HEAD_LEN);
const _: () = assert!(size_of::<StatusHead>() == STATUS_HEAD_LEN);
const _: () = assert!(size_of::<StatusExtHead>() == STATUS_EXT_HEAD_LEN);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_a_kind_that_has_it() {
        assert!((0..=u16::MAX).all(|code| ChunkKind::from_code(code).code() == code));
        let errors = (0..=u16::MAX).filter(|code| ChunkKind::from_code(*code).is_error());
        assert!(errors.eq(0x8000..=u16::MAX));
    }
}
