//! PERSISTENT RESERVE IN data (SPC-4 section 6.15).

use alloc::vec::Vec;
use core::mem::{offset_of, size_of};

use zerocopy::byteorder::big_endian::{U16, U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::InitiatorPort;
use crate::reservation::Kind;

/// PRgeneration and the length of what follows.
const HEADER_LEN: usize = 8;
const TYPE_MASK: u8 = 0x0f;
const CAPABILITIES_LEN: u16 = 8;

/// READ KEYS data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Keys {
    /// PRgeneration.
    pub generation: u32,
    /// Keys of all registrants; equal ones appear as often as they are registered.
    pub keys: Vec<u64>,
}

impl Keys {
    /// The bytes.
    #[must_use]
    pub fn build(&self) -> Vec<u8> {
        let mut bytes = header(self.generation, self.keys.len() * 8);
        bytes.extend(self.keys.iter().flat_map(|key| key.to_be_bytes()));
        bytes
    }

    /// Keys that arrived, and how many bytes all would have with the header.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<(Keys, u64)> {
        let (generation, len) = parse_header(bytes)?;
        let chunks = super::body(bytes, HEADER_LEN, len).chunks_exact(8);
        let keys = chunks.filter_map(|key| key.first_chunk().copied().map(u64::from_be_bytes));
        Some((Keys { generation, keys: keys.collect() }, u64::from(len) + HEADER_LEN as u64))
    }
}

/// READ RESERVATION data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ReservationData {
    /// PRgeneration.
    pub generation: u32,
    /// Key of the holder (zero where all registrants hold) and the kind.
    pub held: Option<(u64, Kind)>,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Held {
    key: U64,
    obsolete: U32,
    reserved: u8,
    scope_and_type: u8,
    also_obsolete: U16,
}

const _: () = assert!(size_of::<Held>() == 16);

impl ReservationData {
    /// The bytes.
    #[must_use]
    pub fn build(&self) -> Vec<u8> {
        let Some((key, kind)) = self.held else { return header(self.generation, 0) };
        let mut wire = Held::new_zeroed();
        (wire.key, wire.scope_and_type) = (key.into(), kind.to_type());
        let mut bytes = header(self.generation, size_of::<Held>());
        super::append(&mut bytes, &wire);
        bytes
    }

    /// From bytes; an unknown kind is nothing at all.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<ReservationData> {
        let (generation, len) = parse_header(bytes)?;
        if len == 0 {
            return Some(ReservationData { generation, held: None });
        }
        let body = super::body(bytes, HEADER_LEN, len);
        let (wire, _) = Held::ref_from_prefix(body).ok()?;
        let kind = Kind::from_type(wire.scope_and_type & TYPE_MASK)?;
        Some(ReservationData { generation, held: Some((wire.key.get(), kind)) })
    }
}

/// REPORT CAPABILITIES data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Capabilities {
    /// RESERVE and RELEASE get along with a reservation of the same nexus (CRH).
    pub compatible: bool,
    /// REGISTER registers others too (SIP_C).
    pub register_others: bool,
    /// REGISTER registers on all target ports (ATP_C).
    pub all_ports: bool,
    /// Reservations can survive power loss (PTPL_C).
    pub can_keep: bool,
    /// They will as things are (PTPL_A).
    pub does_keep: bool,
    /// The kinds that are supported, as a mask of the table's two bytes.
    pub kinds: u16,
}

impl Capabilities {
    /// The mask of all six kinds (SPC-4 table 181).
    pub const ALL_KINDS: u16 = 0xea01;
    const TYPES_VALID: u8 = 0x80;

    /// The bytes.
    #[must_use]
    pub fn build(&self) -> [u8; CAPABILITIES_LEN as usize] {
        let [a, b] = CAPABILITIES_LEN.to_be_bytes();
        let bits = [(self.compatible, 16), (self.register_others, 8), (self.all_ports, 4)];
        let set = bits.iter().filter(|(is_set, _)| *is_set);
        let flags = set.fold(u8::from(self.can_keep), |flags, (_, bit)| flags | bit);
        let [kinds_a, kinds_b] = self.kinds.to_be_bytes();
        [a, b, flags, Self::TYPES_VALID | u8::from(self.does_keep), kinds_a, kinds_b, 0, 0]
    }

    /// From bytes.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Capabilities> {
        let [_, _, flags, more, a, b, ..] = *bytes else { return None };
        let is_valid = more & Self::TYPES_VALID != 0;
        Some(Capabilities {
            compatible: flags & 16 != 0,
            register_others: flags & 8 != 0,
            all_ports: flags & 4 != 0,
            can_keep: flags & 1 != 0,
            does_keep: more & 1 != 0,
            kinds: if is_valid { u16::from_be_bytes([a, b]) } else { 0 },
        })
    }
}

/// One registrant of READ FULL STATUS data.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FullStatus {
    /// Its key.
    pub key: u64,
    /// The kind of the reservation, where it holds it.
    pub holds: Option<Kind>,
    /// Registered through that port of the target.
    pub port: u16,
    /// The initiator port.
    pub initiator: InitiatorPort,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Registrant {
    key: U64,
    reserved: U32,
    flags: u8,
    scope_and_type: u8,
    also_reserved: U32,
    port: U16,
    additional_len: U32,
}

const _: () = assert!(size_of::<Registrant>() == 24);
const _: () = assert!(offset_of!(Registrant, port) == 18);

impl FullStatus {
    const HOLDER: u8 = 0x01;

    /// The whole answer.
    #[must_use]
    pub fn build_list(generation: u32, registrants: &[FullStatus]) -> Vec<u8> {
        let mut body = Vec::new();
        for registrant in registrants {
            registrant.append(&mut body);
        }
        let mut bytes = header(generation, body.len());
        bytes.append(&mut body);
        bytes
    }

    fn append(&self, to: &mut Vec<u8>) {
        let id = self.initiator.build();
        let mut wire = Registrant::new_zeroed();
        wire.key = self.key.into();
        wire.flags = if self.holds.is_some() { Self::HOLDER } else { 0 };
        wire.scope_and_type = self.holds.map_or(0, Kind::to_type);
        wire.port = self.port.into();
        wire.additional_len = (id.len() as u32).into();
        super::append(to, &wire);
        to.extend(id);
    }

    /// PRgeneration and the registrants that arrived whole and are iSCSI ports.
    #[must_use]
    pub fn parse_list(bytes: &[u8]) -> Option<(u32, Vec<FullStatus>)> {
        let (generation, len) = parse_header(bytes)?;
        let mut rest = super::body(bytes, HEADER_LEN, len);
        let mut registrants = Vec::new();
        while let Ok((wire, behind)) = Registrant::ref_from_prefix(rest) {
            let Some(id) = behind.get(..wire.additional_len.get() as usize) else { break };
            rest = &behind[id.len()..];
            let Some((initiator, _)) = InitiatorPort::parse(id) else { continue };
            let kind = Kind::from_type(wire.scope_and_type & TYPE_MASK);
            let holds = kind.filter(|_| wire.flags & Self::HOLDER != 0);
            let (key, port) = (wire.key.get(), wire.port.get());
            registrants.push(FullStatus { key, holds, port, initiator });
        }
        Some((generation, registrants))
    }
}

fn header(generation: u32, len: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_LEN + len);
    bytes.extend(generation.to_be_bytes());
    bytes.extend((len as u32).to_be_bytes());
    bytes
}

fn parse_header(bytes: &[u8]) -> Option<(u32, u32)> {
    let (generation, rest) = bytes.split_first_chunk()?;
    Some((u32::from_be_bytes(*generation), u32::from_be_bytes(*rest.first_chunk()?)))
}
