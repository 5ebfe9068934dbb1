//! The windows of command and status numbers (RFC 7143 sections 4.2.2.1 and 4.2.2.2).
//!
//! A command has a number from the moment it is sent, never before, so that one which is cancelled in
//! the queue leaves no hole. Immediate delivery shows the next number and does not use it up. All
//! comparisons are those of serial numbers: both circles may wrap at any time.

use crate::serial::Serial;

/// The initiator's side of the command window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CommandWindow {
    next: Serial,
    exp_cmd_sn: Serial,
    max_cmd_sn: Serial,
}

impl CommandWindow {
    /// `next` is the number of the first command; the other two are those of the final Login Response.
    #[must_use]
    pub fn new(next: Serial, exp_cmd_sn: Serial, max_cmd_sn: Serial) -> CommandWindow {
        let mut window = CommandWindow { next, exp_cmd_sn: next, max_cmd_sn: next.minus(1) };
        window.update(exp_cmd_sn, max_cmd_sn);
        window
    }

    /// Takes what a PDU of the target says. A pair with MaxCmdSN below ExpCmdSN - 1 is ignored as a
    /// whole, and each number only ever moves forward (RFC 7143 section 4.2.2.1).
    #[inline]
    pub fn update(&mut self, exp_cmd_sn: Serial, max_cmd_sn: Serial) {
        if max_cmd_sn.is_before(exp_cmd_sn.minus(1)) {
            return;
        }
        if self.exp_cmd_sn.is_before(exp_cmd_sn) {
            self.exp_cmd_sn = exp_cmd_sn;
        }
        if self.max_cmd_sn.is_before(max_cmd_sn) {
            self.max_cmd_sn = max_cmd_sn;
        }
    }

    /// True where the target takes one more command that is not immediate.
    #[must_use]
    #[inline]
    pub fn is_open(&self) -> bool {
        self.next.is_at_most(self.max_cmd_sn)
    }

    /// The number of a command that is sent.
    ///
    /// # Panics
    /// Where the window is closed.
    #[inline]
    pub fn take(&mut self) -> Serial {
        assert!(self.is_open(), "a command is sent into an open window only");
        self.next.take()
    }

    /// The number that the next command will have, and that immediate delivery shows.
    #[must_use]
    #[inline]
    pub fn next(&self) -> Serial {
        self.next
    }

    /// The number that the target waits for.
    #[must_use]
    #[inline]
    pub fn exp_cmd_sn(&self) -> Serial {
        self.exp_cmd_sn
    }

    /// How many commands the target takes at the moment; 0 where the window is closed.
    #[must_use]
    pub fn credit(&self) -> u32 {
        if self.is_open() { self.max_cmd_sn.since(self.next) + 1 } else { 0 }
    }
}

/// What a target makes of a command's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Admission {
    /// It is the one that was waited for.
    Next,
    /// It is within the window and others come first.
    Early {
        /// How many.
        by: u32,
    },
    /// It is for immediate delivery: the window stays as it is.
    Immediate,
    /// It lies outside of the window: the target ignores it silently.
    Outside,
}

/// The target's side of the command window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CommandGate {
    exp_cmd_sn: Serial,
    max_cmd_sn: Serial,
}

impl CommandGate {
    /// Waits for `first` and takes `depth` commands from there on.
    #[must_use]
    pub fn new(first: Serial, depth: u32) -> CommandGate {
        CommandGate { exp_cmd_sn: first, max_cmd_sn: first.plus(depth).minus(1) }
    }

    /// Judges a number; [`Admission::Next`] moves ExpCmdSN on, nothing else does.
    #[inline]
    pub fn admit(&mut self, cmd_sn: Serial, is_immediate: bool) -> Admission {
        if is_immediate {
            return Admission::Immediate;
        }
        if !cmd_sn.is_within(self.exp_cmd_sn, self.max_cmd_sn) {
            return Admission::Outside;
        }
        match cmd_sn.since(self.exp_cmd_sn) {
            0 => {
                self.exp_cmd_sn = cmd_sn.next();
                Admission::Next
            }
            by => Admission::Early { by },
        }
    }

    /// Lets `depth` commands in from ExpCmdSN on. MaxCmdSN never moves back (RFC 7143 section 4.2.2.1),
    /// so a smaller depth takes effect as commands arrive.
    #[inline]
    pub fn open(&mut self, depth: u32) {
        let wanted = self.exp_cmd_sn.plus(depth).minus(1);
        if self.max_cmd_sn.is_before(wanted) {
            self.max_cmd_sn = wanted;
        }
    }

    /// ExpCmdSN as it is written into every PDU.
    #[must_use]
    #[inline]
    pub fn exp_cmd_sn(&self) -> Serial {
        self.exp_cmd_sn
    }

    /// MaxCmdSN as it is written into every PDU.
    #[must_use]
    #[inline]
    pub fn max_cmd_sn(&self) -> Serial {
        self.max_cmd_sn
    }
}

/// A StatSN that is not the next one: with one connection and no recovery below the session, nothing
/// can have been lost and nothing comes twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StatusGap {
    /// The number that was due.
    pub expected: Serial,
    /// The number that came.
    pub found: Serial,
}

/// The initiator's side of the status numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StatusWindow {
    expected: Serial,
}

impl StatusWindow {
    /// `expected` is the number of the first status, one above that of the final Login Response.
    #[must_use]
    pub fn new(expected: Serial) -> StatusWindow {
        StatusWindow { expected }
    }

    /// Takes the number of a PDU that advances it.
    ///
    /// # Errors
    /// A gap, or a number that came before.
    #[inline]
    pub fn accept(&mut self, found: Serial) -> Result<(), StatusGap> {
        if found != self.expected {
            return Err(StatusGap { expected: self.expected, found });
        }
        self.expected = found.next();
        Ok(())
    }

    /// ExpStatSN as it is written into every PDU: all before it has arrived.
    #[must_use]
    #[inline]
    pub fn exp_stat_sn(&self) -> Serial {
        self.expected
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn window(next: u32, max: u32) -> CommandWindow {
        CommandWindow::new(Serial(next), Serial(next), Serial(max))
    }

    #[test]
    fn a_window_of_none_of_one_and_of_many() {
        assert!(!window(5, 4).is_open());
        let mut one = window(5, 5);
        assert_eq!((one.credit(), one.take()), (1, Serial(5)));
        assert!(!one.is_open());
        assert_eq!(window(5, 5 + 0x7fff_fffe).credit(), 0x7fff_ffff);
    }

    #[test]
    fn a_pair_that_contradicts_itself_is_ignored_as_a_whole() {
        let mut window = window(10, 12);
        window.update(Serial(20), Serial(18));
        assert_eq!((window.exp_cmd_sn(), window.credit()), (Serial(10), 3));
        window.update(Serial(13), Serial(12));
        assert_eq!((window.exp_cmd_sn(), window.credit()), (Serial(13), 3));
    }

    #[test]
    fn numbers_move_forward_only() {
        let mut window = window(10, 20);
        window.update(Serial(9), Serial(15));
        assert_eq!((window.exp_cmd_sn(), window.credit()), (Serial(10), 11));
    }

    #[test]
    fn the_gate_tells_next_early_and_outside() {
        let mut gate = CommandGate::new(Serial(u32::MAX), 3);
        assert_eq!(gate.admit(Serial(0), false), Admission::Early { by: 1 });
        assert_eq!(gate.admit(Serial(u32::MAX), false), Admission::Next);
        assert_eq!(gate.admit(Serial(2), false), Admission::Outside);
        assert_eq!(gate.admit(Serial(u32::MAX), false), Admission::Outside);
        assert_eq!(gate.admit(Serial(7), true), Admission::Immediate);
        gate.open(3);
        assert_eq!((gate.exp_cmd_sn(), gate.max_cmd_sn()), (Serial(0), Serial(2)));
        gate.open(1);
        assert_eq!(gate.max_cmd_sn(), Serial(2));
    }

    #[test]
    fn status_comes_once_and_in_order() {
        let mut status = StatusWindow::new(Serial(u32::MAX));
        assert_eq!(status.accept(Serial(u32::MAX)), Ok(()));
        assert_eq!(status.accept(Serial(0)), Ok(()));
        let gap = StatusGap { expected: Serial(1), found: Serial(2) };
        assert_eq!(status.accept(Serial(2)), Err(gap));
        let stale = StatusGap { expected: Serial(1), found: Serial(0) };
        assert_eq!(status.accept(Serial(0)), Err(stale));
        assert_eq!(status.exp_stat_sn(), Serial(1));
    }

    proptest! {
        #[test]
        fn a_gate_admits_what_a_window_sends(first: u32, depth in 1u32..100, count in 1usize..300) {
            let first = Serial(first);
            let mut gate = CommandGate::new(first, depth);
            let mut window = CommandWindow::new(first, gate.exp_cmd_sn(), gate.max_cmd_sn());
            for _ in 0..count {
                prop_assert!(window.is_open());
                prop_assert_eq!(gate.admit(window.take(), false), Admission::Next);
                gate.open(depth);
                window.update(gate.exp_cmd_sn(), gate.max_cmd_sn());
                prop_assert_eq!(window.credit(), depth);
            }
        }
    }
}
