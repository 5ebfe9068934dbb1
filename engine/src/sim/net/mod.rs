//! Streams between simulated hosts: TCP as its users see it.
//!
//! Invariants: the bytes of a direction arrive in order, or not at all; what is lost is sent again
//! and delays what follows; a peer that vanished is silent, and one that came back answers with a
//! reset; a link that is down holds what is sent again and forgets acknowledgements. Start at
//! [`wire`] for what happens to a packet, at [`stream`] for what a task sees.

mod config;
mod end;
mod keepalive;
mod links;
mod listener;
mod packet;
mod stream;
mod wire;

pub use config::NetConfig;
pub use listener::SimListener;
pub use stream::SimStream;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::task::Waker;

use super::trace::Trace;
use super::{HostId, Rng};
use crate::core::Clock;
use crate::net::Address;
use end::End;
use listener::Backlog;
use packet::{EndId, Packet};

/// The first port of connecting ends.
const EPHEMERAL_PORT: u16 = 49_152;

enum Event {
    Arrive(Packet),
    /// An end gives up if less than this total is acknowledged.
    GiveUp {
        end: EndId,
        sent: u64,
    },
    /// An end looks whether its peer is there; so many looks before were in vain.
    Probe {
        end: EndId,
        ns: u64,
        unanswered: u32,
    },
}

/// The network of one world.
pub(super) struct Net {
    config: NetConfig,
    clock: Clock,
    rng: Rng,
    trace: Trace,
    /// The life of each host that is up.
    lives: BTreeMap<HostId, u64>,
    ends: BTreeMap<EndId, End>,
    backlogs: BTreeMap<(HostId, String), Backlog>,
    events: BTreeMap<(u64, u64), Event>,
    /// Links that carry nothing, by direction.
    down: BTreeSet<(HostId, HostId)>,
    /// Ends of connections of which nothing arrives any more.
    lost: BTreeSet<EndId>,
    /// What waits at a link that is down, in order.
    held: BTreeMap<(HostId, HostId), VecDeque<Packet>>,
    /// When each direction between two hosts is free again.
    free_at: BTreeMap<(HostId, HostId), u64>,
    /// Whoever is to be woken when the borrow is over.
    woken: Vec<Waker>,
    /// Numbers ends, events and ports.
    next: u64,
}

impl Net {
    pub(super) fn random(&mut self, bytes: &mut [u8]) {
        for piece in bytes.chunks_mut(8) {
            piece.copy_from_slice(&self.rng.next_u64().to_le_bytes()[..piece.len()]);
        }
    }

    pub(super) fn new(config: NetConfig, clock: Clock, rng: Rng, trace: Trace) -> Net {
        Net {
            config,
            clock,
            rng,
            trace,
            lives: BTreeMap::new(),
            ends: BTreeMap::new(),
            backlogs: BTreeMap::new(),
            events: BTreeMap::new(),
            down: BTreeSet::new(),
            lost: BTreeSet::new(),
            held: BTreeMap::new(),
            free_at: BTreeMap::new(),
            woken: Vec::new(),
            next: 0,
        }
    }

    fn next_number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn at(&mut self, ns: u64, event: Event) {
        let nth = self.next_number();
        self.events.insert((ns, nth), event);
    }

    /// When the next thing happens by itself.
    pub(super) fn next_event(&self) -> Option<u64> {
        self.events.first_key_value().map(|((at, _), _)| *at)
    }

    /// Lets arrive what is due, and gives out who is to be woken.
    pub(super) fn advance(&mut self, now: u64) -> Vec<Waker> {
        while let Some(entry) = self.events.first_entry()
            && entry.key().0 <= now
        {
            match entry.remove() {
                Event::Arrive(packet) => self.arrive(packet),
                Event::GiveUp { end, sent } => self.give_up(end, sent),
                Event::Probe { end, ns, unanswered } => self.probe(end, ns, unanswered),
            }
        }
        std::mem::take(&mut self.woken)
    }

    pub(super) fn host_up(&mut self, host: HostId, life: u64) {
        self.lives.insert(host, life);
    }

    /// The host is gone, and with it every end and listener; nobody is told.
    pub(super) fn host_down(&mut self, host: HostId) {
        self.lives.remove(&host);
        self.ends.retain(|_, end| end.host != host);
        self.backlogs.retain(|(owner, _), _| *owner != host);
        // What its kernel would have sent again is gone; what is on the wire arrives.
        self.held.retain(|(from, _), _| *from != host);
    }

    /// The host of an address, as `host` sees it.
    fn host_at(&self, address: &Address, host: HostId) -> Option<HostId> {
        match address {
            Address::Unix(_) => Some(host),
            Address::Tcp(at) if at.ip().is_loopback() => Some(host),
            Address::Tcp(at) => host_of(at.ip()),
        }
    }

    fn wake(&mut self, wakers: impl IntoIterator<Item = Waker>) {
        self.woken.extend(wakers);
    }
}

/// The address of a port of a host: `10.77.0.1` for the first host, and so on.
pub(super) fn address_of(host: HostId, port: u16) -> Address {
    let [_, _, high, low] = (host.0 as u32 + 1).to_be_bytes();
    let ip = IpAddr::V4(Ipv4Addr::new(10, 77, high, low));
    Address::Tcp(SocketAddr::new(ip, port))
}

fn host_of(ip: IpAddr) -> Option<HostId> {
    match ip {
        IpAddr::V4(ip) => match ip.octets() {
            [10, 77, high, low] => usize::from(u16::from_be_bytes([high, low])).checked_sub(1),
            _ => None,
        },
        IpAddr::V6(_) => None,
    }
    .map(HostId)
}

#[cfg(test)]
mod tests;
