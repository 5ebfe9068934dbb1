//! One end of a connection: a queue of bytes that arrived, and totals of what was sent.

use std::collections::VecDeque;
use std::task::Waker;

use super::super::HostId;
use super::packet::EndId;
use crate::net::{Address, NetErrorKind};

/// How far a connection is, as this end knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The answer to the connect is not there yet.
    Connecting,
    Open,
    /// Over, for this reason; what has arrived can still be read.
    Broken(NetErrorKind),
}

pub(super) struct End {
    pub(super) host: HostId,
    pub(super) peer_host: HostId,
    pub(super) peer: Option<EndId>,
    pub(super) local: Address,
    pub(super) remote: Address,
    pub(super) phase: Phase,
    pub(super) inbox: VecDeque<u8>,
    /// The peer will send no more.
    pub(super) is_at_end: bool,
    /// This end will send no more.
    pub(super) is_shut: bool,
    /// Totals in bytes: of this end's data, what was sent, what the peer got, what its task took;
    /// of the peer's data, what arrived, what the task here took.
    pub(super) sent: u64,
    pub(super) acked: u64,
    pub(super) released: u64,
    pub(super) arrived: u64,
    pub(super) taken: u64,
    /// Nothing of this end arrives before what it sent earlier.
    pub(super) last_arrival: u64,
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
}

impl End {
    pub(super) fn new(host: HostId, peer_host: HostId, local: Address, remote: Address) -> End {
        End {
            host,
            peer_host,
            peer: None,
            local,
            remote,
            phase: Phase::Connecting,
            inbox: VecDeque::new(),
            is_at_end: false,
            is_shut: false,
            sent: 0,
            acked: 0,
            released: 0,
            arrived: 0,
            taken: 0,
            last_arrival: 0,
            reader: None,
            writer: None,
        }
    }

    /// Ends the connection, and gives out who waits for it.
    pub(super) fn fail(&mut self, kind: NetErrorKind) -> impl Iterator<Item = Waker> + use<> {
        if !matches!(self.phase, Phase::Broken(_)) {
            self.phase = Phase::Broken(kind);
        }
        self.reader.take().into_iter().chain(self.writer.take())
    }
}
