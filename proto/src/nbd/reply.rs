//! The heads of replies: simple, and of chunks in both shapes (NBD, 'Simple reply message',
//! 'Structured reply chunk message', 'Extended reply chunk message').

use zerocopy::byteorder::big_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, transmute};

use super::chunk::ChunkKind;
use super::errno::NbdErrno;
use super::error::WireError;
use super::flags::ReplyFlags;
use super::magic;

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Simple {
    magic: U32,
    error: U32,
    cookie: U64,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Structured {
    magic: U32,
    flags: U16,
    kind: U16,
    cookie: U64,
    len: U32,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Extended {
    magic: U32,
    flags: U16,
    kind: U16,
    cookie: U64,
    offset: U64,
    len: U64,
}

/// Bytes of a simple reply, before the data of a read.
pub const SIMPLE_LEN: usize = 16;
/// Bytes of the head of a structured chunk.
pub const STRUCTURED_LEN: usize = 20;
/// Bytes of the head of an extended chunk.
pub const EXTENDED_LEN: usize = 32;

const _: () = assert!(size_of::<Simple>() == SIMPLE_LEN);
const _: () = assert!(size_of::<Structured>() == STRUCTURED_LEN);
const _: () = assert!(size_of::<Extended>() == EXTENDED_LEN);

/// A simple reply. The data of a read follows one without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SimpleReply {
    /// Why the request failed; nothing where it did not.
    pub error: Option<NbdErrno>,
    /// The cookie of the request.
    pub cookie: u64,
}

impl SimpleReply {
    /// Reads the 16 bytes.
    ///
    /// # Errors
    /// Another magic number.
    #[inline]
    pub fn decode(bytes: &[u8; SIMPLE_LEN]) -> Result<SimpleReply, WireError> {
        let wire: Simple = transmute!(*bytes);
        check_magic(wire.magic, magic::SIMPLE_REPLY)?;
        let error = NbdErrno::from_code(wire.error.get());
        Ok(SimpleReply { error, cookie: wire.cookie.get() })
    }

    /// The 16 bytes.
    #[must_use]
    #[inline]
    pub fn encode(&self) -> [u8; SIMPLE_LEN] {
        transmute!(Simple {
            magic: magic::SIMPLE_REPLY.into(),
            error: self.error.map_or(0, NbdErrno::code).into(),
            cookie: self.cookie.into(),
        })
    }
}

/// The head of a chunk, in both shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChunkHead {
    /// Whether it is the last of its reply.
    pub flags: ReplyFlags,
    /// What it holds.
    pub kind: ChunkKind,
    /// The cookie of the request.
    pub cookie: u64,
    /// The offset of the request; 0 in the structured shape, which does not repeat it.
    pub offset: u64,
    /// Length of the payload that follows, in bytes.
    pub len: u64,
}

impl ChunkHead {
    /// Reads the structured shape.
    ///
    /// # Errors
    /// Another magic number.
    #[inline]
    pub fn decode_structured(bytes: &[u8; STRUCTURED_LEN]) -> Result<ChunkHead, WireError> {
        let wire: Structured = transmute!(*bytes);
        check_magic(wire.magic, magic::STRUCTURED_REPLY)?;
        Ok(ChunkHead {
            flags: ReplyFlags(wire.flags.get()),
            kind: ChunkKind::from_code(wire.kind.get()),
            cookie: wire.cookie.get(),
            offset: 0,
            len: wire.len.get().into(),
        })
    }

    /// Reads the extended shape.
    ///
    /// # Errors
    /// Another magic number.
    #[inline]
    pub fn decode_extended(bytes: &[u8; EXTENDED_LEN]) -> Result<ChunkHead, WireError> {
        let wire: Extended = transmute!(*bytes);
        check_magic(wire.magic, magic::EXTENDED_REPLY)?;
        Ok(ChunkHead {
            flags: ReplyFlags(wire.flags.get()),
            kind: ChunkKind::from_code(wire.kind.get()),
            cookie: wire.cookie.get(),
            offset: wire.offset.get(),
            len: wire.len.get(),
        })
    }

    /// The structured shape. The length must fit in 32 bits.
    #[must_use]
    #[inline]
    pub fn encode_structured(&self) -> [u8; STRUCTURED_LEN] {
        let len = u32::try_from(self.len).expect("a structured chunk has a length of 32 bits");
        transmute!(Structured {
            magic: magic::STRUCTURED_REPLY.into(),
            flags: self.flags.0.into(),
            kind: self.kind.code().into(),
            cookie: self.cookie.into(),
            len: len.into(),
        })
    }

    /// The extended shape.
    #[must_use]
    #[inline]
    pub fn encode_extended(&self) -> [u8; EXTENDED_LEN] {
        transmute!(Extended {
            magic: magic::EXTENDED_REPLY.into(),
            flags: self.flags.0.into(),
            kind: self.kind.code().into(),
            cookie: self.cookie.into(),
            offset: self.offset.into(),
            len: self.len.into(),
        })
    }

    /// True for the last chunk of its reply.
    #[must_use]
    #[inline]
    pub fn is_done(&self) -> bool {
        self.flags.contains(ReplyFlags::DONE)
    }
}

#[inline]
fn check_magic(found: U32, expected: u32) -> Result<(), WireError> {
    if found.get() == expected {
        return Ok(());
    }
    Err(WireError::Magic { expected: expected.into(), found: found.get().into() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_failed_write_looks_as_in_the_document() {
        let reply = SimpleReply { error: Some(NbdErrno::Enospc), cookie: 0x0102 };
        let wire = [0x67, 0x44, 0x66, 0x98, 0, 0, 0, 28, 0, 0, 0, 0, 0, 0, 1, 2];
        assert_eq!(reply.encode(), wire);
        assert_eq!(SimpleReply::decode(&wire), Ok(reply));
    }

    #[test]
    fn another_magic_is_an_error() {
        assert!(SimpleReply::decode(&[0; SIMPLE_LEN]).is_err());
        assert!(ChunkHead::decode_structured(&[0; STRUCTURED_LEN]).is_err());
        assert!(ChunkHead::decode_extended(&[0; EXTENDED_LEN]).is_err());
    }

    proptest! {
        #[test]
        fn replies_survive_the_wire(
            flags: u16, kind: u16, cookie: u64, offset: u64, len: u64, error: u32,
        ) {
            let simple = SimpleReply { error: NbdErrno::from_code(error), cookie };
            prop_assert_eq!(SimpleReply::decode(&simple.encode()), Ok(simple));
            let (flags, kind) = (ReplyFlags(flags), ChunkKind::from_code(kind));
            let head = ChunkHead { flags, kind, cookie, offset, len };
            prop_assert_eq!(ChunkHead::decode_extended(&head.encode_extended()), Ok(head));
            let head = ChunkHead { offset: 0, len: len >> 32, ..head };
            prop_assert_eq!(ChunkHead::decode_structured(&head.encode_structured()), Ok(head));
        }
    }
}
