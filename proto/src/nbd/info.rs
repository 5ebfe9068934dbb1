//! What `INFO` and `GO` ask for and are told (NBD, 'Option types', `NBD_OPT_INFO` and `NBD_OPT_GO`).

use alloc::vec::Vec;

use super::error::WireError;
use super::flags::TransmissionFlags;
use super::limits::INFOS_MAX;
use super::text::{Fields, push_counted};

/// A piece of information about an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InfoKind {
    /// 0: size and flags; told unasked.
    Export,
    /// 1: the canonical name.
    Name,
    /// 2: a description for people.
    Description,
    /// 3: which blocks requests must be made of.
    BlockSize,
    /// A kind that has no meaning here.
    Unknown(u16),
}

impl InfoKind {
    /// The code on the wire.
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            InfoKind::Export => 0,
            InfoKind::Name => 1,
            InfoKind::Description => 2,
            InfoKind::BlockSize => 3,
            InfoKind::Unknown(code) => code,
        }
    }

    /// The kind of that code.
    #[must_use]
    pub fn from_code(code: u16) -> InfoKind {
        match code {
            0 => InfoKind::Export,
            1 => InfoKind::Name,
            2 => InfoKind::Description,
            3 => InfoKind::BlockSize,
            other => InfoKind::Unknown(other),
        }
    }
}

/// Which blocks requests are made of, all in bytes (NBD, 'Block size constraints').
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BlockSizes {
    /// Offsets and lengths are multiples of this power of two, of at most 64 KiB.
    pub min: u32,
    /// What is fast; a power of two, at least `min`.
    pub preferred: u32,
    /// Longest data of a read or a write; a multiple of `min`.
    pub max: u32,
}

/// The data of a reply with information.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Info<'a> {
    /// How large it is and what it can.
    Export {
        /// Bytes of the export.
        size: u64,
        /// What it can.
        flags: TransmissionFlags,
    },
    /// The canonical name.
    Name(&'a str),
    /// A description for people.
    Description(&'a str),
    /// Which blocks requests are made of.
    BlockSize(BlockSizes),
    /// A kind that has no meaning here; a client ignores it.
    Unknown(u16),
}

impl<'a> Info<'a> {
    /// Appends the data.
    pub fn push(&self, out: &mut Vec<u8>) {
        out.extend(self.kind().code().to_be_bytes());
        match self {
            Info::Export { size, flags } => {
                out.extend(size.to_be_bytes());
                out.extend(flags.0.to_be_bytes());
            }
            Info::Name(text) | Info::Description(text) => out.extend(text.as_bytes()),
            Info::BlockSize(BlockSizes { min, preferred, max }) => {
                out.extend([min, preferred, max].into_iter().flat_map(|size| size.to_be_bytes()));
            }
            Info::Unknown(_) => {}
        }
    }

    /// Reads the data. Block sizes are not judged.
    ///
    /// # Errors
    /// Another length than the kind has, or text that is none.
    pub fn decode(data: &'a [u8]) -> Result<Info<'a>, WireError> {
        let mut fields = Fields::new(data);
        let info = match InfoKind::from_code(fields.u16()?) {
            InfoKind::Export => {
                let size = fields.u64()?;
                Info::Export { size, flags: TransmissionFlags(fields.u16()?) }
            }
            InfoKind::Name => return fields.last_text().map(Info::Name),
            InfoKind::Description => return fields.last_text().map(Info::Description),
            InfoKind::BlockSize => {
                let (min, preferred, max) = (fields.u32()?, fields.u32()?, fields.u32()?);
                Info::BlockSize(BlockSizes { min, preferred, max })
            }
            InfoKind::Unknown(code) => return Ok(Info::Unknown(code)),
        };
        fields.end()?;
        Ok(info)
    }

    /// What it tells.
    #[must_use]
    pub fn kind(&self) -> InfoKind {
        match self {
            Info::Export { .. } => InfoKind::Export,
            Info::Name(_) => InfoKind::Name,
            Info::Description(_) => InfoKind::Description,
            Info::BlockSize(_) => InfoKind::BlockSize,
            Info::Unknown(code) => InfoKind::Unknown(*code),
        }
    }
}

/// The data of `INFO` and `GO`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InfoRequest<'a> {
    /// The export.
    pub export: &'a str,
    /// What the client would like to be told.
    pub kinds: Vec<InfoKind>,
}

impl<'a> InfoRequest<'a> {
    /// Appends the data.
    pub fn push(&self, out: &mut Vec<u8>) {
        push_counted(out, self.export);
        let count = u16::try_from(self.kinds.len()).expect("there are few kinds");
        out.extend(count.to_be_bytes());
        out.extend(self.kinds.iter().flat_map(|kind| kind.code().to_be_bytes()));
    }

    /// Reads the data.
    ///
    /// # Errors
    /// Lengths that do not fit together, a name that is no text, more kinds than [`INFOS_MAX`].
    pub fn decode(data: &'a [u8]) -> Result<InfoRequest<'a>, WireError> {
        let mut fields = Fields::new(data);
        let export = fields.counted_text()?;
        let count = fields.u16()?;
        if count > INFOS_MAX {
            return Err(WireError::TooMany { count: count.into() });
        }
        let kinds = (0..count).map(|_| fields.u16().map(InfoKind::from_code));
        let kinds = kinds.collect::<Result<_, _>>()?;
        fields.end()?;
        Ok(InfoRequest { export, kinds })
    }
}

#[cfg(test)]
mod tests {
    use std::vec;

    use proptest::prelude::*;

    use super::*;

    fn wire(info: Info<'_>) -> Vec<u8> {
        let mut wire = Vec::new();
        info.push(&mut wire);
        wire
    }

    #[test]
    fn lengths_are_those_of_the_document() {
        let flags = TransmissionFlags::HAS_FLAGS;
        assert_eq!(wire(Info::Export { size: 1, flags }).len(), 12);
        let sizes = BlockSizes { min: 512, preferred: 4096, max: 1 << 25 };
        let bytes = wire(Info::BlockSize(sizes));
        assert_eq!(bytes.len(), 14);
        assert_eq!(Info::decode(&bytes[..13]), Err(WireError::Short));
        assert_eq!(Info::decode(&[0, 9, 1, 2]), Ok(Info::Unknown(9)));
    }

    #[test]
    fn a_list_that_is_cut_or_too_long_is_no_list() {
        let mut wire = Vec::new();
        let kinds = vec![InfoKind::BlockSize, InfoKind::Unknown(77)];
        let request = InfoRequest { export: "disk", kinds };
        request.push(&mut wire);
        assert_eq!(InfoRequest::decode(&wire).as_ref(), Ok(&request));
        assert_eq!(InfoRequest::decode(&wire[..wire.len() - 1]), Err(WireError::Short));
        wire.push(0);
        assert_eq!(InfoRequest::decode(&wire), Err(WireError::Trailing { len: 1 }));
        wire[8] = 1;
        assert!(matches!(InfoRequest::decode(&wire), Err(WireError::TooMany { .. })));
    }

    proptest! {
        #[test]
        fn information_survives_the_wire(
            size: u64, flags: u16, text in "[^\0]{0,40}", min: u32, preferred: u32, max: u32,
        ) {
            let export = Info::Export { size, flags: TransmissionFlags(flags) };
            let sizes = Info::BlockSize(BlockSizes { min, preferred, max });
            for info in [export, Info::Name(&text), Info::Description(&text), sizes] {
                let wire = wire(info);
                prop_assert_eq!(Info::decode(&wire), Ok(info));
            }
        }

        #[test]
        fn requests_survive_the_wire(export in "[^\0]{0,40}", kinds: [u16; 5]) {
            let kinds = kinds.into_iter().map(InfoKind::from_code).collect();
            let request = InfoRequest { export: &export, kinds };
            let mut wire = Vec::new();
            request.push(&mut wire);
            prop_assert_eq!(InfoRequest::decode(&wire), Ok(request));
        }
    }
}
