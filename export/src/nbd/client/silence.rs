//! A server that owes replies and is silent: NBD has no question that a server at work must answer, so
//! the connection counts as lost.
//!
//! Invariant: while requests are at the server, a connection on which no byte moves for `silence_ns`
//! ends within a quarter of that more. Bytes that leave are a sign of life as those that come.

use std::cell::Cell;

use super::line::Line;

/// Looks in one span of silence.
const LOOKS: u64 = 4;

/// What has moved on a connection.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    beats: Cell<u64>,
    replies: Cell<u64>,
    asked: Cell<bool>,
}

/// What became of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// The server replied.
    Served,
    /// It was never asked.
    Idle,
    /// It was asked and never replied.
    Mute,
}

impl Pulse {
    /// Bytes came.
    #[inline]
    pub(crate) fn received(&self) {
        self.beats.set(self.beats.get() + 1);
        self.replies.set(self.replies.get() + 1);
    }

    /// Bytes left.
    #[inline]
    pub(crate) fn sent(&self) {
        self.beats.set(self.beats.get() + 1);
        self.asked.set(true);
    }

    /// A new connection begins.
    pub(crate) fn restart(&self) {
        self.replies.set(0);
        self.asked.set(false);
    }

    /// What became of the connection since it began.
    pub(crate) fn life(&self) -> Life {
        match (self.asked.get(), self.replies.get()) {
            (_, 1..) => Life::Served,
            (false, 0) => Life::Idle,
            (true, 0) => Life::Mute,
        }
    }
}

impl Line {
    /// Ends the connection where the server is silent for too long; never returns otherwise.
    pub(crate) async fn watch(&self) {
        let silence_ns = self.shared.config.silence_ns;
        if silence_ns == 0 {
            return std::future::pending().await;
        }
        let (mut seen, mut since) = (self.pulse.beats.get(), self.core.now());
        loop {
            self.core.sleep((silence_ns / LOOKS).max(1)).await;
            let (beats, now) = (self.pulse.beats.get(), self.core.now());
            let owes = self.machine.borrow().in_flight() > 0;
            if beats != seen || !owes {
                (seen, since) = (beats, now);
            } else if now - since >= silence_ns {
                return self.end(&format!("no reply in {} ms", (now - since) / 1_000_000));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_replies_are_service() {
        let pulse = Pulse::default();
        assert_eq!(pulse.life(), Life::Idle);
        pulse.sent();
        assert_eq!(pulse.life(), Life::Mute);
        pulse.received();
        assert_eq!(pulse.life(), Life::Served);
        pulse.restart();
        assert_eq!(pulse.life(), Life::Idle);
    }
}
