//! The links of a world: cut and healed, one direction at a time or both.

use super::super::{HostId, World};
use super::packet::EndId;
use super::{Net, address_of};
use crate::net::Address;

impl Net {
    fn set_link(&mut self, from: HostId, to: HostId, is_up: bool) {
        let (now, link) = (self.clock.now(), (from, to));
        let was_down = if is_up { self.down.remove(&link) } else { !self.down.insert(link) };
        let word = if is_up { "link-up" } else { "link-down" };
        self.trace.note(now, word, from.0 as u64, [to.0 as u64, 0]);
        if is_up && was_down {
            self.release(link);
        }
    }
}

impl World {
    /// The address of a port of a host.
    pub fn address(&self, host: HostId, port: u16) -> Address {
        address_of(host, port)
    }

    /// Nothing that `from` sends reaches `to`; the other direction stays as it is.
    pub fn cut_link(&mut self, from: HostId, to: HostId) {
        self.net().borrow_mut().set_link(from, to, false);
    }

    /// What `from` sends reaches `to` again, first what was sent in vain before.
    pub fn heal_link(&mut self, from: HostId, to: HostId) {
        self.net().borrow_mut().set_link(from, to, true);
    }

    /// Two hosts do not reach each other.
    pub fn partition(&mut self, a: HostId, b: HostId) {
        self.cut_link(a, b);
        self.cut_link(b, a);
    }

    /// Two hosts reach each other again.
    pub fn heal(&mut self, a: HostId, b: HostId) {
        self.heal_link(a, b);
        self.heal_link(b, a);
    }

    /// Every connection between two hosts ends at once, at both ends.
    pub fn reset_connections(&mut self, a: HostId, b: HostId) {
        let mut net = self.net().borrow_mut();
        let between = |end: &super::end::End| end.host == a && end.peer_host == b;
        let ends: Vec<EndId> =
            net.ends.iter().filter(|(_, end)| between(end)).map(|(id, _)| *id).collect();
        ends.into_iter().for_each(|end| net.cut(end));
    }

    /// Of one connection of `a` to `b` nothing arrives any more at either end, as where something
    /// between them forgot it; others go on. `nth` picks it, counted around; without one nothing
    /// happens.
    pub fn lose_connection(&mut self, a: HostId, b: HostId, nth: usize) {
        let mut net = self.net().borrow_mut();
        let is_open = |end: &super::end::End| {
            end.host == a && end.peer_host == b && end.phase == super::end::Phase::Open
        };
        let ends: Vec<(EndId, Option<EndId>)> = net
            .ends
            .iter()
            .filter(|(_, end)| is_open(end))
            .map(|(id, end)| (*id, end.peer))
            .collect();
        let Some((end, peer)) = ends.get(nth % ends.len().max(1)).copied() else { return };
        let now = net.clock.now();
        net.trace.note(now, "lose", end.0, [0, 0]);
        net.lost.extend([Some(end), peer].into_iter().flatten());
    }
}
