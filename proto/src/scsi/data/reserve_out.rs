//! PERSISTENT RESERVE OUT parameter lists (SPC-4 sections 6.16.3 and 6.16.4).

use alloc::vec::Vec;
use core::mem::{offset_of, size_of};

use zerocopy::byteorder::big_endian::{U16, U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::InitiatorPort;
use crate::scsi::{Sense, SenseCode};

/// Both lists have as much in front of the names.
const BASIC_LEN: usize = 24;
const LIST_LENGTH_ERROR: Sense = Sense::illegal(SenseCode::PARAMETER_LIST_LENGTH_ERROR);

/// The list of every service action but REGISTER AND MOVE.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ReserveList {
    /// RESERVATION KEY: the key that the nexus is registered with.
    pub key: u64,
    /// SERVICE ACTION RESERVATION KEY: the new key, or the victim's.
    pub action_key: u64,
    /// For all ports of the target (ALL_TG_PT).
    pub all_ports: bool,
    /// Keep all over a power loss (APTPL).
    pub keep: bool,
    /// Others to be registered (SPEC_I_PT); nothing where the bit is not set.
    pub also: Option<Vec<InitiatorPort>>,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Basic {
    key: U64,
    action_key: U64,
    obsolete: U32,
    flags: u8,
    reserved: u8,
    also_obsolete: U16,
}

const _: () = assert!(size_of::<Basic>() == BASIC_LEN);
const _: () = assert!(offset_of!(Basic, flags) == 20);

impl ReserveList {
    const OTHERS: u8 = 0x08;
    const ALL_PORTS: u8 = 0x04;
    const KEEP: u8 = 0x01;

    /// The bytes.
    #[must_use]
    pub fn build(&self) -> Vec<u8> {
        let mut wire = Basic::new_zeroed();
        (wire.key, wire.action_key) = (self.key.into(), self.action_key.into());
        wire.flags = if self.also.is_some() { Self::OTHERS } else { 0 }
            | if self.all_ports { Self::ALL_PORTS } else { 0 }
            | if self.keep { Self::KEEP } else { 0 };
        let mut bytes = Vec::from(wire.as_bytes());
        if let Some(others) = &self.also {
            let ids: Vec<u8> = others.iter().flat_map(InitiatorPort::build).collect();
            bytes.extend((ids.len() as u32).to_be_bytes());
            bytes.extend(ids);
        }
        bytes
    }

    /// From bytes.
    ///
    /// # Errors
    /// A list whose length does not fit its content, or with names that are none of iSCSI.
    pub fn parse(bytes: &[u8]) -> Result<ReserveList, Sense> {
        let (wire, rest) = Basic::ref_from_prefix(bytes).map_err(|_| LIST_LENGTH_ERROR)?;
        let also = if wire.flags & Self::OTHERS != 0 {
            Some(parse_others(rest)?)
        } else if rest.is_empty() {
            None
        } else {
            return Err(LIST_LENGTH_ERROR);
        };
        Ok(ReserveList {
            key: wire.key.get(),
            action_key: wire.action_key.get(),
            all_ports: wire.flags & Self::ALL_PORTS != 0,
            keep: wire.flags & Self::KEEP != 0,
            also,
        })
    }
}

fn parse_others(bytes: &[u8]) -> Result<Vec<InitiatorPort>, Sense> {
    let (len, mut rest) = bytes.split_first_chunk().ok_or(LIST_LENGTH_ERROR)?;
    if u32::from_be_bytes(*len) as usize != rest.len() {
        return Err(LIST_LENGTH_ERROR);
    }
    let mut others = Vec::new();
    while !rest.is_empty() {
        let parsed = InitiatorPort::parse(rest);
        let (other, behind) = parsed.ok_or(Sense::invalid_parameter(BASIC_LEN as u16))?;
        others.push(other);
        rest = behind;
    }
    Ok(others)
}

/// The list of REGISTER AND MOVE.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MoveList {
    /// RESERVATION KEY: the key that the nexus is registered with.
    pub key: u64,
    /// SERVICE ACTION RESERVATION KEY: the key of the nexus that gets the reservation.
    pub new_key: u64,
    /// The old holder's registration goes (UNREG).
    pub unregister: bool,
    /// Keep all over a power loss (APTPL).
    pub keep: bool,
    /// The target port of the new nexus.
    pub port: u16,
    /// Its initiator port.
    pub to: InitiatorPort,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Move {
    key: U64,
    new_key: U64,
    reserved: u8,
    flags: u8,
    port: U16,
    id_len: U32,
}

const _: () = assert!(size_of::<Move>() == BASIC_LEN);

impl MoveList {
    const UNREGISTER: u8 = 0x02;
    const KEEP: u8 = 0x01;

    /// The bytes.
    #[must_use]
    pub fn build(&self) -> Vec<u8> {
        let id = self.to.build();
        let mut wire = Move::new_zeroed();
        (wire.key, wire.new_key) = (self.key.into(), self.new_key.into());
        wire.flags = if self.unregister { Self::UNREGISTER } else { 0 }
            | if self.keep { Self::KEEP } else { 0 };
        (wire.port, wire.id_len) = (self.port.into(), (id.len() as u32).into());
        let mut bytes = Vec::from(wire.as_bytes());
        bytes.extend(id);
        bytes
    }

    /// From bytes.
    ///
    /// # Errors
    /// A list whose length does not fit its content, or with a name that is none of iSCSI.
    pub fn parse(bytes: &[u8]) -> Result<MoveList, Sense> {
        let (wire, rest) = Move::ref_from_prefix(bytes).map_err(|_| LIST_LENGTH_ERROR)?;
        if wire.id_len.get() as usize != rest.len() {
            return Err(LIST_LENGTH_ERROR);
        }
        let parsed = InitiatorPort::parse(rest).filter(|(_, behind)| behind.is_empty());
        let (to, _) = parsed.ok_or(Sense::invalid_parameter(BASIC_LEN as u16))?;
        Ok(MoveList {
            key: wire.key.get(),
            new_key: wire.new_key.get(),
            unregister: wire.flags & Self::UNREGISTER != 0,
            keep: wire.flags & Self::KEEP != 0,
            port: wire.port.get(),
            to,
        })
    }
}
