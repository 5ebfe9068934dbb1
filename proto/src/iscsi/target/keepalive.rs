//! Is the peer still there? After a silence it is pinged with a NOP-In; a longer one is told to the
//! shell. Everything that arrives is a sign of life (RFC 7143 section 11.19).

use alloc::vec::Vec;

use super::Session;
use super::config::Config;
use super::control::nop_in;
use super::types::Event;
use crate::iscsi::pdu::{Itt, Ttt};
use crate::scsi::Lun;

/// Set in the tags of pings, never in those of R2Ts, whose slots have 15 bits.
const PING: u32 = 0x8000;

/// The timer of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Keepalive {
    idle_ns: Option<u64>,
    silence_ns: u64,
    heard: u64,
    /// The ping without answer and when it was queued.
    ping: Option<(Ttt, u64)>,
    count: u32,
    is_silent: bool,
}

impl Keepalive {
    pub(super) fn new(config: Config, now: u64) -> Keepalive {
        let (idle_ns, silence_ns) = (config.keepalive_ns, config.silence_ns);
        Keepalive { idle_ns, silence_ns, heard: now, ping: None, count: 0, is_silent: false }
    }

    #[inline]
    pub(super) fn heard(&mut self, now: u64) {
        self.heard = now;
    }

    /// True where `ttt` is the tag of the ping that has no answer yet.
    pub(super) fn answered(&mut self, ttt: Ttt) -> bool {
        let is_ours = self.ping.is_some_and(|(ping, _)| ping == ttt);
        if is_ours {
            self.ping = None;
        }
        is_ours
    }

    /// The tag of the next ping: 16 bits of count above the mark.
    fn start(&mut self, now: u64) -> Ttt {
        self.count = (self.count + 1) & 0x7fff;
        let ttt = Ttt(self.count << 16 | PING);
        self.ping = Some((ttt, now));
        ttt
    }

    fn deadline(&self) -> Option<u64> {
        let idle = self.idle_ns.filter(|_| !self.is_silent)?;
        Some(match self.ping {
            Some((_, since)) => self.heard.max(since).saturating_add(self.silence_ns),
            None => self.heard.saturating_add(idle),
        })
    }
}

impl Session {
    /// When to call [`Session::handle_timeout`], in nanoseconds of the shell's clock.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        let drain = self.management.deadline();
        self.keepalive.deadline().into_iter().chain(drain).min()
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: u64) {
        self.now = now;
        self.end_drains(now);
        if self.keepalive.deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        if self.keepalive.ping.is_some() {
            self.keepalive.is_silent = true;
            self.events.push_back(Event::PeerSilent);
        } else {
            let ttt = self.keepalive.start(now);
            self.push_control(nop_in(Itt::NONE, ttt, Lun::ZERO, 0), Vec::new());
        }
    }
}
