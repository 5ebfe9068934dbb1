//! The command window as the target keeps it (RFC 7143 section 4.2.2.1): which CmdSN is due, which
//! are welcome, and how far the initiator may go.
//!
//! Invariants: ExpCmdSN and the announced MaxCmdSN never go back. Whoever stays inside the announced
//! window finds a slot, because the window is never announced wider than the slots that are free.

use crate::serial::Serial;

/// What the CmdSN of a request says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Order {
    /// Its turn.
    Due,
    /// Inside the window, and others come before it.
    Early,
    /// Outside the window: ignored in silence.
    Outside,
}

/// ExpCmdSN and MaxCmdSN of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Window {
    expected: Serial,
    announced: Serial,
    limit: u32,
}

impl Window {
    /// A window that has announced nothing yet; `limit` is the most commands it is ever open for.
    pub(super) fn new(expected: Serial, limit: u32) -> Window {
        Window { expected, announced: expected.minus(1), limit }
    }

    /// ExpCmdSN.
    #[inline]
    pub(super) fn expected(&self) -> Serial {
        self.expected
    }

    pub(super) fn limit(&self) -> u32 {
        self.limit
    }

    /// What was announced stays valid; a smaller limit bites as commands arrive.
    pub(super) fn set_limit(&mut self, limit: u32) {
        self.limit = limit;
    }

    /// Judges the CmdSN of a request that is not immediate.
    #[inline]
    pub(super) fn judge(&self, cmd_sn: Serial) -> Order {
        if cmd_sn == self.expected && self.expected.is_at_most(self.announced) {
            Order::Due
        } else if cmd_sn.is_within(self.expected, self.announced) {
            Order::Early
        } else {
            Order::Outside
        }
    }

    /// The request that was due has been delivered.
    #[inline]
    pub(super) fn advance(&mut self) {
        self.expected = self.expected.next();
    }

    /// What MaxCmdSN may be with `free` places.
    #[inline]
    fn reach(&self, free: u32) -> Serial {
        self.expected.minus(1).plus(free)
    }

    /// MaxCmdSN for a PDU that leaves, with `free` places; remembers it as announced.
    #[inline]
    pub(super) fn announce(&mut self, free: u32) -> Serial {
        let reach = self.reach(free);
        if self.announced.is_before(reach) {
            self.announced = reach;
        }
        self.announced
    }

    /// True where the initiator believes the window closed although there are `free` places: only
    /// another PDU can tell it.
    #[inline]
    pub(super) fn owes_update(&self, free: u32) -> bool {
        self.announced.next() == self.expected && free > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_opens_with_what_is_announced() {
        let mut window = Window::new(Serial(u32::MAX), 4);
        assert_eq!(window.judge(Serial(u32::MAX)), Order::Outside);
        assert_eq!(window.announce(2), Serial(0));
        assert_eq!(window.judge(Serial(u32::MAX)), Order::Due);
        assert_eq!(window.judge(Serial(0)), Order::Early);
        assert_eq!(window.judge(Serial(1)), Order::Outside);
        assert_eq!(window.judge(Serial(u32::MAX - 1)), Order::Outside);
    }

    #[test]
    fn what_was_announced_is_never_taken_back() {
        let mut window = Window::new(Serial(10), 4);
        assert_eq!(window.announce(4), Serial(13));
        assert_eq!(window.announce(1), Serial(13));
        (0..4).for_each(|_| window.advance());
        assert_eq!(window.announce(0), Serial(13));
        assert!(!window.owes_update(0));
        assert!(window.owes_update(1));
        assert_eq!(window.announce(1), Serial(14));
        assert!(!window.owes_update(1));
    }
}
