//! What happens to a packet: sent, delayed, lost and sent again, held, delivered.

use std::collections::VecDeque;

use super::super::HostId;
use super::end::{End, Phase};
use super::packet::{EndId, Packet, What};
use super::{Event, Net, address_of};
use crate::net::{Address, NetErrorKind};

/// One way from a host to itself, in nanoseconds.
const LOOPBACK_NS: std::ops::Range<u64> = 2_000..10_000;
/// The most times in a row that a packet is lost.
const LOSSES_MAX: u32 = 5;

impl Net {
    /// Sends what an end has for its peer.
    pub(super) fn send(&mut self, sender: EndId, what: What) {
        let Some(end) = self.ends.get(&sender) else { return };
        let Some(receiver) = end.peer else { return };
        let packet = Packet { from: end.host, to: end.peer_host, sender, receiver, what };
        self.send_packet(packet);
    }

    pub(super) fn send_packet(&mut self, packet: Packet) {
        let now = self.clock.now();
        let arrival = self.arrival(&packet);
        let sender = packet.sender;
        let is_kept = packet.what.is_kept();
        let mut at = arrival;
        if let Some(end) = self.ends.get_mut(&sender) {
            if is_kept {
                at = arrival.max(end.last_arrival);
                end.last_arrival = at;
            }
            if matches!(packet.what, What::Data(_) | What::Syn(_)) {
                let sent = end.sent;
                let deadline = now.saturating_add(self.config.timeout_ns);
                self.at(deadline, Event::GiveUp { end: sender, sent });
            }
        }
        self.at(at, Event::Arrive(packet));
    }

    /// When a packet sent now arrives, by bandwidth, latency and loss.
    fn arrival(&mut self, packet: &Packet) -> u64 {
        let now = self.clock.now();
        if packet.from == packet.to {
            return now + self.rng.within(LOOPBACK_NS);
        }
        let free = self.free_at.entry((packet.from, packet.to)).or_default();
        let took = packet.what.len() * 1_000_000_000 / self.config.bytes_per_second.max(1);
        *free = now.max(*free) + took;
        let mut at = *free + self.rng.within(self.config.latency_ns.clone());
        let mut again = self.config.retransmit_ns;
        for _ in 0..LOSSES_MAX {
            if !packet.what.is_kept() || !self.rng.chance(self.config.loss_ppm) {
                break;
            }
            at += again;
            again *= 2;
        }
        at
    }

    pub(super) fn arrive(&mut self, packet: Packet) {
        let link = (packet.from, packet.to);
        if self.lost.contains(&packet.sender) || self.lost.contains(&packet.receiver) {
            return;
        }
        let is_held = self.down.contains(&link) || self.held.contains_key(&link);
        if !is_held {
            return self.deliver(packet);
        }
        if packet.what.is_kept() {
            self.held.entry(link).or_default().push_back(packet);
        }
    }

    /// Lets go what waited at a link that is up again.
    pub(super) fn release(&mut self, link: (HostId, HostId)) {
        let held: VecDeque<Packet> = self.held.remove(&link).unwrap_or_default();
        held.into_iter().for_each(|packet| self.deliver(packet));
        let (from, to) = link;
        let of_link =
            |(id, end): (&EndId, &End)| (end.host == from && end.peer_host == to).then_some(*id);
        let ends: Vec<EndId> = self.ends.iter().filter_map(of_link).collect();
        ends.into_iter().for_each(|end| self.acknowledge(end));
    }

    fn deliver(&mut self, packet: Packet) {
        let Packet { from, to, sender, receiver, what } = packet;
        if !self.lives.contains_key(&to) {
            return;
        }
        self.trace.note(self.clock.now(), what.name(), receiver.0, [sender.0, what.len()]);
        if let What::Syn(address) = what {
            return self.deliver_syn(from, to, sender, &address);
        }
        // An end that is over takes no more: what came before it is all that its task may read.
        let is_over = |end: &End| matches!(end.phase, Phase::Broken(_));
        if self.ends.get(&receiver).is_none_or(is_over) {
            return self.answer_nobody((from, to), sender, receiver, &what);
        }
        if what.len() > 0 && from != to && self.rng.chance(self.config.reset_ppm) {
            return self.cut(receiver);
        }
        match what {
            What::SynAck => self.deliver_syn_ack(receiver, sender),
            What::Refuse => self.break_end(receiver, NetErrorKind::Refused),
            What::Reset => self.break_end(receiver, NetErrorKind::Reset),
            What::Data(bytes) => self.deliver_data(receiver, &bytes),
            What::Fin => self.with_end(receiver, |end| end.is_at_end = true),
            What::Ack { arrived, taken } => self.deliver_ack(receiver, arrived, taken),
            What::Syn(_) => {}
        }
    }

    /// Tells a sender that its peer's end does not exist (any longer).
    fn answer_nobody(
        &mut self,
        (from, to): (HostId, HostId),
        sender: EndId,
        receiver: EndId,
        what: &What,
    ) {
        if matches!(what, What::Data(_) | What::Fin | What::SynAck) {
            let reset = Packet {
                from: to,
                to: from,
                sender: receiver,
                receiver: sender,
                what: What::Reset,
            };
            self.send_packet(reset);
        }
    }

    fn deliver_syn(&mut self, from: HostId, to: HostId, sender: EndId, address: &Address) {
        let Some(id) = self.admit(from, to, sender, address) else { return };
        let (receiver, what) = (sender, if id.is_some() { What::SynAck } else { What::Refuse });
        let sender = id.unwrap_or(EndId(0));
        self.send_packet(Packet { from: to, to: from, sender, receiver, what });
    }

    /// A new end for a listener; `Some(None)` where nobody listens, `None` where it is too busy.
    fn admit(
        &mut self,
        from: HostId,
        to: HostId,
        peer: EndId,
        address: &Address,
    ) -> Option<Option<EndId>> {
        let key = (to, address.to_string());
        let Some(backlog) = self.backlogs.get(&key) else { return Some(None) };
        if backlog.is_full() {
            return None;
        }
        let remote = self.ends.get(&peer).map(|end| end.local.clone());
        let remote = remote.unwrap_or_else(|| address_of(from, 0));
        let id = EndId(self.next_number());
        let mut end = End::new(to, from, address.clone(), remote);
        (end.peer, end.phase) = (Some(peer), Phase::Open);
        self.ends.insert(id, end);
        let waker = self.backlogs.get_mut(&key).and_then(|backlog| backlog.push(id));
        self.wake(waker);
        Some(Some(id))
    }

    fn deliver_syn_ack(&mut self, receiver: EndId, sender: EndId) {
        self.with_end(receiver, |end| {
            end.peer = Some(sender);
            if end.phase == Phase::Connecting {
                end.phase = Phase::Open;
            }
        });
    }

    fn deliver_data(&mut self, receiver: EndId, bytes: &[u8]) {
        self.with_end(receiver, |end| {
            end.inbox.extend(bytes);
            end.arrived += bytes.len() as u64;
        });
        self.acknowledge(receiver);
    }

    fn deliver_ack(&mut self, receiver: EndId, arrived: u64, taken: u64) {
        self.with_end(receiver, |end| {
            end.acked = end.acked.max(arrived);
            end.released = end.released.max(taken);
        });
    }

    /// Tells the peer what has arrived and what was taken.
    pub(super) fn acknowledge(&mut self, id: EndId) {
        let Some(end) = self.ends.get(&id) else { return };
        let what = What::Ack { arrived: end.arrived, taken: end.taken };
        self.send(id, what);
    }

    /// Changes an end and wakes who waits for it.
    fn with_end(&mut self, id: EndId, change: impl FnOnce(&mut End)) {
        let Some(end) = self.ends.get_mut(&id) else { return };
        change(end);
        let (reader, writer) = (end.reader.take(), end.writer.take());
        self.wake(reader.into_iter().chain(writer));
    }

    pub(super) fn break_end(&mut self, id: EndId, kind: NetErrorKind) {
        let Some(end) = self.ends.get_mut(&id) else { return };
        let wakers = end.fail(kind);
        self.wake(wakers);
    }

    /// Ends a connection at both ends at once.
    pub(super) fn cut(&mut self, id: EndId) {
        let peer = self.ends.get(&id).and_then(|end| end.peer);
        self.trace.note(self.clock.now(), "cut", id.0, [peer.map_or(0, |peer| peer.0), 0]);
        self.break_end(id, NetErrorKind::Reset);
        if let Some(peer) = peer {
            self.break_end(peer, NetErrorKind::Reset);
        }
    }

    pub(super) fn give_up(&mut self, id: EndId, sent: u64) {
        let Some(end) = self.ends.get(&id) else { return };
        let is_stuck = match end.phase {
            Phase::Connecting => true,
            Phase::Open => end.acked < sent,
            Phase::Broken(_) => false,
        };
        if is_stuck {
            self.trace.note(self.clock.now(), "give-up", id.0, [sent, 0]);
            self.break_end(id, NetErrorKind::TimedOut);
        }
    }
}
