//! The first words of both sides, and the server's answer to `EXPORT_NAME` (NBD, 'Newstyle
//! negotiation').

use zerocopy::byteorder::big_endian::{U16, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, transmute};

use super::error::WireError;
use super::flags::{ClientFlags, HandshakeFlags, TransmissionFlags};
use super::magic;

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Wire {
    magic: U64,
    style: U64,
    flags: U16,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct ChosenWire {
    size: U64,
    flags: U16,
}

/// Bytes of the server's greeting.
pub const GREETING_LEN: usize = 18;
/// Bytes of the client's flags.
pub const CLIENT_FLAGS_LEN: usize = 4;
/// Bytes of the answer to `EXPORT_NAME`, before the zeroes.
pub const CHOSEN_LEN: usize = 10;
/// Zeroes after the answer to `EXPORT_NAME`, unless both sides leave them out.
pub const CHOSEN_ZEROES_LEN: usize = 124;

const _: () = assert!(size_of::<Wire>() == GREETING_LEN);
const _: () = assert!(size_of::<ChosenWire>() == CHOSEN_LEN);

/// The greeting of a newstyle server.
#[must_use]
pub fn encode_greeting(flags: HandshakeFlags) -> [u8; GREETING_LEN] {
    let (magic, style) = (magic::GREETING.into(), magic::OPTION.into());
    transmute!(Wire { magic, style, flags: flags.0.into() })
}

/// Reads a greeting. Flags that are not known are kept; a client ignores them.
///
/// # Errors
/// No NBD server, or an oldstyle one.
pub fn decode_greeting(bytes: &[u8; GREETING_LEN]) -> Result<HandshakeFlags, WireError> {
    let wire: Wire = transmute!(*bytes);
    check(wire.magic.get(), magic::GREETING)?;
    check(wire.style.get(), magic::OPTION)?;
    Ok(HandshakeFlags(wire.flags.get()))
}

fn check(found: u64, expected: u64) -> Result<(), WireError> {
    if found == expected { Ok(()) } else { Err(WireError::Magic { expected, found }) }
}

/// What the client says to the greeting.
#[must_use]
pub fn encode_client_flags(flags: ClientFlags) -> [u8; CLIENT_FLAGS_LEN] {
    flags.0.to_be_bytes()
}

/// Reads what the client says. The server drops a client that sets what is unknown.
#[must_use]
pub fn decode_client_flags(bytes: &[u8; CLIENT_FLAGS_LEN]) -> ClientFlags {
    ClientFlags(u32::from_be_bytes(*bytes))
}

/// The answer to `EXPORT_NAME`: what the client has chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Chosen {
    /// Bytes of the export.
    pub size: u64,
    /// What it can.
    pub flags: TransmissionFlags,
}

impl Chosen {
    /// The bytes, without the zeroes.
    #[must_use]
    pub fn encode(&self) -> [u8; CHOSEN_LEN] {
        transmute!(ChosenWire { size: self.size.into(), flags: self.flags.0.into() })
    }

    /// Reads the bytes, without the zeroes.
    #[must_use]
    pub fn decode(bytes: &[u8; CHOSEN_LEN]) -> Chosen {
        let wire: ChosenWire = transmute!(*bytes);
        Chosen { size: wire.size.get(), flags: TransmissionFlags(wire.flags.get()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_greeting_begins_with_words() {
        let greeting = encode_greeting(HandshakeFlags::KNOWN);
        assert_eq!(&greeting, b"NBDMAGICIHAVEOPT\x00\x03");
        assert_eq!(decode_greeting(&greeting), Ok(HandshakeFlags::KNOWN));
    }

    #[test]
    fn an_oldstyle_server_is_refused() {
        let mut greeting = encode_greeting(HandshakeFlags::NONE);
        greeting[8..16].copy_from_slice(&magic::OLDSTYLE.to_be_bytes());
        let (expected, found) = (magic::OPTION, magic::OLDSTYLE);
        assert_eq!(decode_greeting(&greeting), Err(WireError::Magic { expected, found }));
        greeting[0] = b'X';
        assert!(decode_greeting(&greeting).is_err());
    }

    proptest! {
        #[test]
        fn first_words_survive_the_wire(flags: u16, client: u32, size: u64) {
            let greeting = encode_greeting(HandshakeFlags(flags));
            prop_assert_eq!(decode_greeting(&greeting), Ok(HandshakeFlags(flags)));
            let answer = encode_client_flags(ClientFlags(client));
            prop_assert_eq!(decode_client_flags(&answer), ClientFlags(client));
            let chosen = Chosen { size, flags: TransmissionFlags(flags) };
            prop_assert_eq!(Chosen::decode(&chosen.encode()), chosen);
        }
    }
}
