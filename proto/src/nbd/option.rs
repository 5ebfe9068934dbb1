//! Options of the handshake and the kinds of replies to them (NBD, 'Option types', 'Option reply
//! types').

use zerocopy::byteorder::big_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, transmute};

use super::error::WireError;
use super::magic;

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Wire {
    magic: U64,
    option: U32,
    len: U32,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct ReplyWire {
    magic: U64,
    option: U32,
    reply: U32,
    len: U32,
}

/// Bytes of an option, before its data.
pub const OPTION_HEAD_LEN: usize = 16;
/// Bytes of a reply to an option, before its data.
pub const OPTION_REPLY_HEAD_LEN: usize = 20;

const _: () = assert!(size_of::<Wire>() == OPTION_HEAD_LEN);
const _: () = assert!(size_of::<ReplyWire>() == OPTION_REPLY_HEAD_LEN);

/// Bit 31 of a reply: the option failed.
const ERROR: u32 = 1 << 31;

/// What a client asks for in the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Opt {
    /// 1: begin with this export; there is no way to say no but to hang up.
    ExportName,
    /// 2: the client leaves.
    Abort,
    /// 3: the names of all exports.
    List,
    /// 5: go on under TLS.
    StartTls,
    /// 6: tell about an export.
    Info,
    /// 7: begin with this export, or say why not.
    Go,
    /// 8: reply in chunks.
    StructuredReply,
    /// 9: tell which metadata contexts there are.
    ListMetaContext,
    /// 10: select metadata contexts for one export.
    SetMetaContext,
    /// 11: use requests and replies with 64-bit lengths.
    ExtendedHeaders,
    /// An option that has no meaning here.
    Unknown(u32),
}

impl Opt {
    /// The code on the wire.
    #[must_use]
    pub fn code(self) -> u32 {
        match self {
            Opt::ExportName => 1,
            Opt::Abort => 2,
            Opt::List => 3,
            Opt::StartTls => 5,
            Opt::Info => 6,
            Opt::Go => 7,
            Opt::StructuredReply => 8,
            Opt::ListMetaContext => 9,
            Opt::SetMetaContext => 10,
            Opt::ExtendedHeaders => 11,
            Opt::Unknown(code) => code,
        }
    }

    /// The option of that code.
    #[must_use]
    pub fn from_code(code: u32) -> Opt {
        match code {
            1 => Opt::ExportName,
            2 => Opt::Abort,
            3 => Opt::List,
            5 => Opt::StartTls,
            6 => Opt::Info,
            7 => Opt::Go,
            8 => Opt::StructuredReply,
            9 => Opt::ListMetaContext,
            10 => Opt::SetMetaContext,
            11 => Opt::ExtendedHeaders,
            other => Opt::Unknown(other),
        }
    }
}

/// Why an option failed. A message for people may follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OptError {
    /// 1: the server does not know it.
    Unsupported,
    /// 2: the server does not want it.
    Policy,
    /// 3: it makes no sense.
    Invalid,
    /// 4: the server's platform cannot do it.
    Platform,
    /// 5: only under TLS.
    TlsRequired,
    /// 6: there is no such export.
    UnknownExport,
    /// 7: the server is going away.
    Shutdown,
    /// 8: the client must ask for the block sizes first.
    BlockSizeRequired,
    /// 9: the request or its reply is too large.
    TooBig,
    /// 10: only with extended headers.
    ExtendedHeadersRequired,
    /// A code with bit 31 that the document does not list, without that bit.
    Other(u32),
}

/// What a reply to an option says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OptReply {
    /// 1: done, and the last reply to its option.
    Ack,
    /// 2: one export.
    Server,
    /// 3: one piece of information about an export.
    Info,
    /// 4: one metadata context.
    MetaContext,
    /// Bit 31: it failed, and this is the last reply.
    Err(OptError),
    /// A code without bit 31 that has no meaning here.
    Unknown(u32),
}

impl OptError {
    /// The code on the wire, with bit 31.
    #[must_use]
    pub fn code(self) -> u32 {
        ERROR
            | match self {
                OptError::Unsupported => 1,
                OptError::Policy => 2,
                OptError::Invalid => 3,
                OptError::Platform => 4,
                OptError::TlsRequired => 5,
                OptError::UnknownExport => 6,
                OptError::Shutdown => 7,
                OptError::BlockSizeRequired => 8,
                OptError::TooBig => 9,
                OptError::ExtendedHeadersRequired => 10,
                OptError::Other(code) => code,
            }
    }

    fn from_low_bits(code: u32) -> OptError {
        match code {
            1 => OptError::Unsupported,
            2 => OptError::Policy,
            3 => OptError::Invalid,
            4 => OptError::Platform,
            5 => OptError::TlsRequired,
            6 => OptError::UnknownExport,
            7 => OptError::Shutdown,
            8 => OptError::BlockSizeRequired,
            9 => OptError::TooBig,
            10 => OptError::ExtendedHeadersRequired,
            other => OptError::Other(other),
        }
    }
}

impl OptReply {
    /// The code on the wire.
    #[must_use]
    pub fn code(self) -> u32 {
        match self {
            OptReply::Ack => 1,
            OptReply::Server => 2,
            OptReply::Info => 3,
            OptReply::MetaContext => 4,
            OptReply::Err(error) => error.code(),
            OptReply::Unknown(code) => code,
        }
    }

    /// The reply of that code.
    #[must_use]
    pub fn from_code(code: u32) -> OptReply {
        match code {
            1 => OptReply::Ack,
            2 => OptReply::Server,
            3 => OptReply::Info,
            4 => OptReply::MetaContext,
            code if code & ERROR != 0 => OptReply::Err(OptError::from_low_bits(code & !ERROR)),
            other => OptReply::Unknown(other),
        }
    }
}

/// The head of an option; its data follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OptionHead {
    /// What is asked for.
    pub option: Opt,
    /// Length of the data, in bytes.
    pub len: u32,
}

impl OptionHead {
    /// The bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; OPTION_HEAD_LEN] {
        let (magic, option) = (magic::OPTION.into(), self.option.code().into());
        transmute!(Wire { magic, option, len: self.len.into() })
    }

    /// Reads the bytes.
    ///
    /// # Errors
    /// Another magic number.
    pub fn decode(bytes: &[u8; OPTION_HEAD_LEN]) -> Result<OptionHead, WireError> {
        let wire: Wire = transmute!(*bytes);
        check(wire.magic.get(), magic::OPTION)?;
        Ok(OptionHead { option: Opt::from_code(wire.option.get()), len: wire.len.get() })
    }
}

/// The head of a reply to an option; its data follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OptionReplyHead {
    /// The option that it belongs to.
    pub option: Opt,
    /// What it says.
    pub reply: OptReply,
    /// Length of the data, in bytes.
    pub len: u32,
}

impl OptionReplyHead {
    /// The bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; OPTION_REPLY_HEAD_LEN] {
        let (magic, option) = (magic::OPTION_REPLY.into(), self.option.code().into());
        transmute!(ReplyWire {
            magic,
            option,
            reply: self.reply.code().into(),
            len: self.len.into()
        })
    }

    /// Reads the bytes.
    ///
    /// # Errors
    /// Another magic number.
    pub fn decode(bytes: &[u8; OPTION_REPLY_HEAD_LEN]) -> Result<OptionReplyHead, WireError> {
        let wire: ReplyWire = transmute!(*bytes);
        check(wire.magic.get(), magic::OPTION_REPLY)?;
        let (option, reply) = (wire.option.get(), wire.reply.get());
        let (option, reply) = (Opt::from_code(option), OptReply::from_code(reply));
        Ok(OptionReplyHead { option, reply, len: wire.len.get() })
    }
}

fn check(found: u64, expected: u64) -> Result<(), WireError> {
    if found == expected { Ok(()) } else { Err(WireError::Magic { expected, found }) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_option_begins_with_words() {
        let head = OptionHead { option: Opt::Go, len: 258 };
        assert_eq!(&head.encode(), b"IHAVEOPT\x00\x00\x00\x07\x00\x00\x01\x02");
        assert!(OptionHead::decode(&[0; OPTION_HEAD_LEN]).is_err());
        assert!(OptionReplyHead::decode(&[0; OPTION_REPLY_HEAD_LEN]).is_err());
    }

    #[test]
    fn every_code_has_a_meaning_that_has_it() {
        for code in (0..64).chain(ERROR - 1..ERROR + 64).chain([u32::MAX]) {
            assert_eq!(Opt::from_code(code).code(), code);
            assert_eq!(OptReply::from_code(code).code(), code);
            let is_error = matches!(OptReply::from_code(code), OptReply::Err(_));
            assert_eq!(is_error, code & ERROR != 0);
        }
    }

    proptest! {
        #[test]
        fn heads_survive_the_wire(option: u32, reply: u32, len: u32) {
            let (option, reply) = (Opt::from_code(option), OptReply::from_code(reply));
            let head = OptionHead { option, len };
            prop_assert_eq!(OptionHead::decode(&head.encode()), Ok(head));
            let head = OptionReplyHead { option, reply, len };
            prop_assert_eq!(OptionReplyHead::decode(&head.encode()), Ok(head));
        }
    }
}
