//! Target port groups and their asymmetric access states (SPC-4 sections 5.11 and 6.37).

use alloc::vec::Vec;
use core::mem::size_of;

use zerocopy::byteorder::big_endian::U16;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

const PREFERRED: u8 = 0x80;
/// T_SUP, U_SUP, S_SUP, AN_SUP and AO_SUP: every state may be met.
const STATES_SUPPORTED: u8 = 0x8f;
const HEADER_LEN: usize = 4;
/// Format type of the extended header.
const EXTENDED: u8 = 0x10;

/// How good the way through a port group is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AluaState {
    /// The best way.
    #[default]
    Optimized,
    /// Works, slower.
    NonOptimized,
    /// Few commands, none that touches the medium.
    Standby,
    /// Even fewer.
    Unavailable,
    /// On its way from one state to another.
    Transitioning,
    /// A value without meaning here.
    Other(u8),
}

impl AluaState {
    fn from_bits(bits: u8) -> AluaState {
        match bits {
            0x0 => AluaState::Optimized,
            0x1 => AluaState::NonOptimized,
            0x2 => AluaState::Standby,
            0x3 => AluaState::Unavailable,
            0xf => AluaState::Transitioning,
            other => AluaState::Other(other),
        }
    }

    fn bits(self) -> u8 {
        match self {
            AluaState::Optimized => 0x0,
            AluaState::NonOptimized => 0x1,
            AluaState::Standby => 0x2,
            AluaState::Unavailable => 0x3,
            AluaState::Transitioning => 0xf,
            AluaState::Other(bits) => bits & 0x0f,
        }
    }
}

/// Ports that share a state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PortGroup {
    /// Number of the group.
    pub id: u16,
    /// Its state.
    pub state: AluaState,
    /// The way to be preferred.
    pub is_preferred: bool,
    /// Relative numbers of its ports, at most 255.
    pub ports: Vec<u16>,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Descriptor {
    state: u8,
    supported: u8,
    group: U16,
    reserved: u8,
    status: u8,
    vendor: u8,
    ports: u8,
}

const _: () = assert!(size_of::<Descriptor>() == 8);

/// The states of all groups; with the extended header where it was asked for.
#[must_use]
pub fn build_port_groups(groups: &[PortGroup], is_extended: bool) -> Vec<u8> {
    let mut bytes = Vec::from([0; HEADER_LEN]);
    if is_extended {
        bytes.extend([EXTENDED, 0, 0, 0]);
    }
    for group in groups {
        let mut wire = Descriptor::new_zeroed();
        wire.state = group.state.bits() | if group.is_preferred { PREFERRED } else { 0 };
        wire.supported = STATES_SUPPORTED;
        wire.group = group.id.into();
        wire.ports = u8::try_from(group.ports.len()).expect("a group has at most 255 ports");
        super::append(&mut bytes, &wire);
        for port in &group.ports {
            bytes.extend(u32::from(*port).to_be_bytes());
        }
    }
    let len = (bytes.len() - HEADER_LEN) as u32;
    bytes[..HEADER_LEN].copy_from_slice(&len.to_be_bytes());
    bytes
}

/// The groups that arrived whole.
#[must_use]
pub fn parse_port_groups(bytes: &[u8], is_extended: bool) -> Option<Vec<PortGroup>> {
    let len = u32::from_be_bytes(*bytes.first_chunk()?);
    let mut rest = super::body(bytes, HEADER_LEN, len);
    if is_extended {
        rest = rest.get(4..)?;
    }
    let mut groups = Vec::new();
    while let Ok((wire, behind)) = Descriptor::ref_from_prefix(rest) {
        let Some(ports) = behind.get(..usize::from(wire.ports) * 4) else { break };
        rest = &behind[ports.len()..];
        groups.push(PortGroup {
            id: wire.group.get(),
            state: AluaState::from_bits(wire.state & 0x0f),
            is_preferred: wire.state & PREFERRED != 0,
            ports: ports.chunks_exact(4).map(|p| u16::from_be_bytes([p[2], p[3]])).collect(),
        });
    }
    Some(groups)
}
