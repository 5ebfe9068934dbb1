//! What travels between simulated hosts.
//!
//! Invariant: packets of one direction of a connection arrive in the order in which they were
//! sent, or not at all. Acknowledgements carry totals, so a lost one is made up for by the next.

use super::super::HostId;
use crate::net::Address;

/// Names one end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EndId(pub(super) u64);

/// One packet on its way.
pub(super) struct Packet {
    pub(super) from: HostId,
    pub(super) to: HostId,
    /// The end that sent it.
    pub(super) sender: EndId,
    /// The end that it is for; of no meaning for a `Syn`.
    pub(super) receiver: EndId,
    pub(super) what: What,
}

pub(super) enum What {
    /// Asks whoever listens at the address for a connection.
    Syn(Address),
    /// The connection is there; the sender is its other end.
    SynAck,
    /// Nobody listens.
    Refuse,
    Data(Vec<u8>),
    /// No data follows.
    Fin,
    /// The connection is gone.
    Reset,
    /// Totals: what has arrived, and what the task there has taken.
    Ack {
        arrived: u64,
        taken: u64,
    },
}

impl What {
    /// The word for the trace.
    pub(super) fn name(&self) -> &'static str {
        match self {
            What::Syn(_) => "syn",
            What::SynAck => "syn-ack",
            What::Refuse => "refuse",
            What::Data(_) => "data",
            What::Fin => "fin",
            What::Reset => "reset",
            What::Ack { .. } => "ack",
        }
    }

    /// Bytes of payload.
    pub(super) fn len(&self) -> u64 {
        match self {
            What::Data(bytes) => bytes.len() as u64,
            _ => 0,
        }
    }

    /// True for what is sent again until it arrives.
    pub(super) fn is_kept(&self) -> bool {
        !matches!(self, What::Ack { .. })
    }
}
