//! Probes of connections that are quiet, as TCP's keep-alive sends them.
//!
//! Invariant: an end that asked for probes learns in bounded time that its peer is gone, or that
//! nothing reaches it, also where it has nothing to send.

use super::end::{End, Phase};
use super::packet::EndId;
use super::{Event, Net};
use crate::net::NetErrorKind;

/// Probes in vain after which a connection counts as lost.
const PROBES_MAX: u32 = 3;

impl Net {
    /// Probes the connection every `ns` nanoseconds from now on.
    pub(super) fn keep_alive(&mut self, id: EndId, ns: u64) {
        let at = self.clock.now().saturating_add(ns);
        self.at(at, Event::Probe { end: id, ns, unanswered: 0 });
    }

    /// One probe; `unanswered` ones came before it.
    pub(super) fn probe(&mut self, id: EndId, ns: u64, unanswered: u32) {
        let Some(end) = self.ends.get(&id).filter(|end| end.phase == Phase::Open) else { return };
        let (is_heard, peer) = (self.is_heard(id, end), end.peer);
        let is_there =
            |peer: EndId| self.ends.get(&peer).is_some_and(|end| end.phase == Phase::Open);
        if is_heard && !peer.is_some_and(is_there) {
            return self.break_end(id, NetErrorKind::Reset);
        }
        let unanswered = if is_heard { 0 } else { unanswered + 1 };
        if unanswered > PROBES_MAX {
            self.trace.note(self.clock.now(), "unheard", id.0, [0, 0]);
            return self.break_end(id, NetErrorKind::TimedOut);
        }
        let at = self.clock.now().saturating_add(ns);
        self.at(at, Event::Probe { end: id, ns, unanswered });
    }

    /// True where a probe and its answer arrive.
    fn is_heard(&self, id: EndId, end: &End) -> bool {
        let is_lost = |id: EndId| self.lost.contains(&id);
        let (there, back) = ((end.host, end.peer_host), (end.peer_host, end.host));
        let is_up = !self.down.contains(&there) && !self.down.contains(&back);
        is_up
            && self.lives.contains_key(&end.peer_host)
            && !is_lost(id)
            && !end.peer.is_some_and(is_lost)
    }
}
