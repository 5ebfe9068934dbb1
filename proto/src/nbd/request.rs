//! Requests, in both shapes (NBD, 'Compact request message' and 'Extended request message').

use zerocopy::byteorder::big_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, transmute};

use super::command::Command;
use super::error::WireError;
use super::flags::CommandFlags;
use super::magic;

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Compact {
    magic: U32,
    flags: U16,
    command: U16,
    cookie: U64,
    offset: U64,
    len: U32,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Extended {
    magic: U32,
    flags: U16,
    command: U16,
    cookie: U64,
    offset: U64,
    len: U64,
}

/// Bytes of a compact request.
pub const COMPACT_LEN: usize = 28;
/// Bytes of an extended request.
pub const EXTENDED_LEN: usize = 32;

const _: () = assert!(size_of::<Compact>() == COMPACT_LEN);
const _: () = assert!(size_of::<Extended>() == EXTENDED_LEN);

/// One request, without its payload. Nothing but the magic number is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    /// How the command is to be done.
    pub flags: CommandFlags,
    /// What is to be done.
    pub command: Command,
    /// The client's name for the request, which every reply repeats.
    pub cookie: u64,
    /// First byte of the range.
    pub offset: u64,
    /// Length of the range, in bytes, or of the payload where the flag says so.
    pub len: u64,
}

impl Request {
    /// Reads a compact request.
    ///
    /// # Errors
    /// Another magic number.
    #[inline]
    pub fn decode_compact(bytes: &[u8; COMPACT_LEN]) -> Result<Request, WireError> {
        let wire: Compact = transmute!(*bytes);
        check_magic(wire.magic, magic::REQUEST)?;
        Ok(Request {
            flags: CommandFlags(wire.flags.get()),
            command: Command::from_code(wire.command.get()),
            cookie: wire.cookie.get(),
            offset: wire.offset.get(),
            len: wire.len.get().into(),
        })
    }

    /// Reads an extended request.
    ///
    /// # Errors
    /// Another magic number.
    #[inline]
    pub fn decode_extended(bytes: &[u8; EXTENDED_LEN]) -> Result<Request, WireError> {
        let wire: Extended = transmute!(*bytes);
        check_magic(wire.magic, magic::EXTENDED_REQUEST)?;
        Ok(Request {
            flags: CommandFlags(wire.flags.get()),
            command: Command::from_code(wire.command.get()),
            cookie: wire.cookie.get(),
            offset: wire.offset.get(),
            len: wire.len.get(),
        })
    }

    /// The compact request. The length must fit in 32 bits.
    #[must_use]
    #[inline]
    pub fn encode_compact(&self) -> [u8; COMPACT_LEN] {
        let len = u32::try_from(self.len).expect("a compact request has a length of 32 bits");
        transmute!(Compact {
            magic: magic::REQUEST.into(),
            flags: self.flags.0.into(),
            command: self.command.code().into(),
            cookie: self.cookie.into(),
            offset: self.offset.into(),
            len: len.into(),
        })
    }

    /// The extended request.
    #[must_use]
    #[inline]
    pub fn encode_extended(&self) -> [u8; EXTENDED_LEN] {
        transmute!(Extended {
            magic: magic::EXTENDED_REQUEST.into(),
            flags: self.flags.0.into(),
            command: self.command.code().into(),
            cookie: self.cookie.into(),
            offset: self.offset.into(),
            len: self.len.into(),
        })
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
    fn a_write_looks_as_in_the_document() {
        let mut wire = [0; COMPACT_LEN];
        wire[..8].copy_from_slice(&[0x25, 0x60, 0x95, 0x13, 0, 1, 0, 1]);
        wire[15] = 7;
        wire[22] = 0x10;
        wire[26] = 2;
        let request = Request {
            flags: CommandFlags::FUA,
            command: Command::Write,
            cookie: 7,
            offset: 4096,
            len: 512,
        };
        assert_eq!(Request::decode_compact(&wire), Ok(request));
        assert_eq!(request.encode_compact(), wire);
    }

    #[test]
    fn the_wrong_shape_is_told_by_its_magic() {
        let request = Request::decode_extended(&[0; EXTENDED_LEN]);
        let expected = magic::EXTENDED_REQUEST.into();
        assert_eq!(request, Err(WireError::Magic { expected, found: 0 }));
        assert!(Request::decode_compact(&[0xff; COMPACT_LEN]).is_err());
    }

    proptest! {
        #[test]
        fn requests_survive_the_wire(
            flags: u16, command: u16, cookie: u64, offset: u64, len: u64,
        ) {
            let (flags, command) = (CommandFlags(flags), Command::from_code(command));
            let request = Request { flags, command, cookie, offset, len };
            prop_assert_eq!(Request::decode_extended(&request.encode_extended()), Ok(request));
            let request = Request { len: len >> 32, ..request };
            prop_assert_eq!(Request::decode_compact(&request.encode_compact()), Ok(request));
        }
    }
}
