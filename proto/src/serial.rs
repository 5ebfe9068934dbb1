//! Serial number arithmetic on 32 bits (RFC 1982), as RFC 7143 section 4.2.2 asks of CmdSN, StatSN
//! and the window between ExpCmdSN and MaxCmdSN.
//!
//! Invariant: two numbers that are half the circle apart have no order; `is_before` answers false
//! both ways, so a peer that jumps that far is never believed.

use core::fmt;

/// A number on a circle of 2^32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Serial(pub u32);

impl Serial {
    /// The number `n` steps ahead.
    #[must_use]
    pub fn plus(self, n: u32) -> Serial {
        Serial(self.0.wrapping_add(n))
    }

    /// The number `n` steps behind.
    #[must_use]
    pub fn minus(self, n: u32) -> Serial {
        Serial(self.0.wrapping_sub(n))
    }

    /// The next number.
    #[must_use]
    pub fn next(self) -> Serial {
        self.plus(1)
    }

    /// Takes the number and moves on to the next.
    pub fn take(&mut self) -> Serial {
        let taken = *self;
        *self = taken.next();
        taken
    }

    /// True where `self` comes before `other`.
    pub fn is_before(self, other: Serial) -> bool {
        let ahead = other.0.wrapping_sub(self.0);
        ahead != 0 && ahead < 1 << 31
    }

    /// True where `self` comes before `other` or is the same.
    pub fn is_at_most(self, other: Serial) -> bool {
        self == other || self.is_before(other)
    }

    /// True where `self` lies in the window from `first` to `last`, both included; a window whose
    /// `last` is just before `first` is empty.
    pub fn is_within(self, first: Serial, last: Serial) -> bool {
        self.since(first) < last.next().since(first)
    }

    /// Steps from `earlier` to `self`.
    pub fn since(self, earlier: Serial) -> u32 {
        self.0.wrapping_sub(earlier.0)
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TOP: Serial = Serial(u32::MAX);

    #[test]
    fn the_circle_is_closed() {
        assert_eq!(TOP.next(), Serial(0));
        assert!(TOP.is_before(Serial(0)));
        assert!(!Serial(0).is_before(TOP));
        assert_eq!(Serial(3).since(TOP), 4);
    }

    #[test]
    fn opposite_numbers_have_no_order() {
        let far = Serial(1 << 31);
        assert!(!Serial(0).is_before(far));
        assert!(!far.is_before(Serial(0)));
    }

    #[test]
    fn a_window_may_be_empty_and_may_wrap() {
        assert!(!Serial(5).is_within(Serial(5), Serial(4)));
        assert!(Serial(0).is_within(TOP, Serial(1)));
        assert!(!Serial(2).is_within(TOP, Serial(1)));
    }

    proptest! {
        #[test]
        fn order_is_kept_when_both_move(a: u32, step in 1u32..1 << 31, by: u32) {
            let (a, b) = (Serial(a), Serial(a).plus(step));
            prop_assert!(a.is_before(b) && !b.is_before(a));
            prop_assert!(a.plus(by).is_before(b.plus(by)));
            prop_assert_eq!(b.minus(step), a);
        }
    }
}
