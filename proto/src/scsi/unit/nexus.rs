//! Who sends commands: an initiator port through a target port (SAM-5 section 4.3).

use alloc::vec::Vec;

use crate::scsi::data::InitiatorPort;

/// An I_T nexus. It is the same nexus in every session with this name and ISID through this port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NexusId {
    /// The initiator port.
    pub initiator: InitiatorPort,
    /// Relative number of the target port, counted from one.
    pub port: u16,
}

impl NexusId {
    /// The bytes under which reservations are stored.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::from(self.port.to_be_bytes());
        bytes.extend(self.initiator.isid);
        bytes.extend(self.initiator.name.bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<NexusId> {
        let (port, rest) = bytes.split_first_chunk()?;
        let (isid, name) = rest.split_first_chunk()?;
        let name = core::str::from_utf8(name).ok()?.into();
        let initiator = InitiatorPort { name, isid: *isid };
        Some(NexusId { initiator, port: u16::from_be_bytes(*port) })
    }
}
