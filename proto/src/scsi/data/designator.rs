//! Designation descriptors: the names of a logical unit and of the port that was asked (SPC-4
//! section 7.8.6).

use alloc::vec::Vec;

const BINARY: u8 = 1;
const ASCII: u8 = 2;
const UTF_8: u8 = 3;
const HEADER_LEN: usize = 4;
/// The protocol identifier in byte 0 means something.
const PROTOCOL_VALID: u8 = 0x80;
const ISCSI: u8 = 0x50;
/// The designator is of the target port rather than of the logical unit.
const OF_PORT: u8 = 0x10;
/// The designator is of the target device.
const OF_TARGET: u8 = 0x20;

/// One name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Designator {
    /// A T10 vendor identification of eight characters and what the vendor made of it.
    T10(Vec<u8>),
    /// A number of the NAA registry, eight or sixteen bytes.
    Naa(Vec<u8>),
    /// An EUI-64 based identifier, eight, twelve or sixteen bytes.
    Eui(Vec<u8>),
    /// The target port, counted from one.
    RelativePort(u16),
    /// The group of that port.
    PortGroup(u16),
    /// The iSCSI name of the target device, without terminator.
    TargetName(Vec<u8>),
    /// Anything else: code set, association and type, and the bytes.
    Other([u8; 2], Vec<u8>),
}

impl Designator {
    /// Appends the descriptor.
    pub fn append(&self, to: &mut Vec<u8>) {
        match self {
            Designator::T10(id) => Self::write(to, [ASCII, 1], id),
            Designator::Naa(id) => Self::write(to, [BINARY, 3], id),
            Designator::Eui(id) => Self::write(to, [BINARY, 2], id),
            Designator::RelativePort(port) => Self::write_number(to, 4, *port),
            Designator::PortGroup(group) => Self::write_number(to, 5, *group),
            Designator::TargetName(name) => {
                // Null-terminated and filled up to a multiple of four (section 7.8.6.11).
                let mut padded = name.clone();
                padded.resize((name.len() + 1).next_multiple_of(4), 0);
                Self::write(to, [ISCSI | UTF_8, PROTOCOL_VALID | OF_TARGET | 8], &padded);
            }
            Designator::Other(kind, id) => Self::write(to, *kind, id),
        }
    }

    fn write_number(to: &mut Vec<u8>, kind: u8, number: u16) {
        let [high, low] = number.to_be_bytes();
        let kind = [ISCSI | BINARY, PROTOCOL_VALID | OF_PORT | kind];
        Self::write(to, kind, &[0, 0, high, low]);
    }

    fn write(to: &mut Vec<u8>, [code_set, kind]: [u8; 2], id: &[u8]) {
        let len = u8::try_from(id.len()).expect("designators have at most 255 bytes");
        to.extend([code_set, kind, 0, len]);
        to.extend_from_slice(id);
    }

    /// The first descriptor and what follows it.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<(Designator, &[u8])> {
        let [code_set, kind, _, len, ..] = *bytes else { return None };
        let end = HEADER_LEN + usize::from(len);
        let (id, rest) = (bytes.get(HEADER_LEN..end)?, &bytes[end..]);
        let owned = || id.to_vec();
        let designator = match (kind & 0x3f, id) {
            (1, _) => Designator::T10(owned()),
            (2, _) => Designator::Eui(owned()),
            (3, _) => Designator::Naa(owned()),
            (0x14, [_, _, high, low]) => Designator::RelativePort(number(*high, *low)),
            (0x15, [_, _, high, low]) => Designator::PortGroup(number(*high, *low)),
            (0x28, _) => {
                let name = id.split(|byte| *byte == 0).next().unwrap_or(&[]);
                Designator::TargetName(name.to_vec())
            }
            _ => Designator::Other([code_set, kind], owned()),
        };
        Some((designator, rest))
    }
}

fn number(high: u8, low: u8) -> u16 {
    u16::from_be_bytes([high, low])
}
