//! How many bytes a sleeping core waits for before it looks at what a target sent.
//!
//! Waking for every answer costs two context switches each. Where answers come fast, the receive
//! waits for about half of what is in flight; one or two commands are never delayed. Answers may be
//! shorter than expected (a busy target says so in 48 bytes), so a wait without progress is ended by
//! [`STALL_NS`], which is longer than a tick of the kernel: shorter timers cost more than they save.

/// The longest wait for company, in nanoseconds.
pub(crate) const STALL_NS: u64 = 5_000_000;
/// For how long answers may be gathered at the pace of late, in nanoseconds.
const SPAN_NS: u64 = 400_000;
/// The weight of the newest pace in the moving average: 1/8.
const PACE_SHIFT: u32 = 3;
/// A pause says nothing about the pace behind it, in nanoseconds.
const PACE_NS_MAX: u64 = 1_000_000;
/// The most that is waited for, in bytes. The kernel clamps the window of a socket whose buffer is less
/// than twice as large as its low-water mark, and buffers start at 128 KiB.
const BYTES_MAX: u64 = 32 << 10;

/// What is known of the pace of answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gather {
    pace_ns: u64,
    last_ns: u64,
    /// What the socket was told.
    told: u32,
}

impl Gather {
    /// `count` answers came by `now`.
    pub(crate) fn answered(&mut self, count: u32, now: u64) {
        if count == 0 {
            return;
        }
        let since = now.saturating_sub(std::mem::replace(&mut self.last_ns, now));
        let newest = since / u64::from(count);
        let moved = self.pace_ns - (self.pace_ns >> PACE_SHIFT) + (newest >> PACE_SHIFT);
        self.pace_ns = if newest < PACE_NS_MAX { moved } else { PACE_NS_MAX };
    }

    /// What the socket is to be told, where that changes: bytes to wait for while `in_flight`
    /// commands will bring `bytes` in all.
    pub(crate) fn next(&mut self, in_flight: u16, bytes: u64) -> Option<u32> {
        let soon = SPAN_NS / self.pace_ns.max(1);
        let wanted = u64::from(in_flight / 2).min(soon);
        let each = bytes / u64::from(in_flight.max(1));
        let low = match wanted {
            0 | 1 => 1,
            wanted => (each * wanted).clamp(1, BYTES_MAX) as u32,
        };
        let is_near = low > 1 && self.told.abs_diff(low) * 4 <= self.told;
        (!is_near && low != self.told).then(|| std::mem::replace(&mut self.told, low)).map(|_| low)
    }

    /// Nothing came for too long: wait for anything. Nothing where the socket does so already.
    pub(crate) fn stalled(&mut self) -> Option<u32> {
        self.pace_ns = PACE_NS_MAX;
        (self.told > 1).then(|| {
            self.told = 1;
            1
        })
    }

    /// True while more than one byte is waited for.
    pub(crate) fn is_waiting(&self) -> bool {
        self.told > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_pace(ns: u64) -> Gather {
        let mut gather = Gather::default();
        (0..100u64).for_each(|n| gather.answered(1, n * ns));
        gather
    }

    #[test]
    fn fast_answers_are_waited_for_together() {
        let mut gather = at_pace(2_000);
        assert_eq!(gather.next(32, 32 * 4144), Some(32 << 10));
        assert_eq!(gather.next(31, 31 * 4144), None, "the same, nearly");
        assert!(gather.is_waiting());
        assert_eq!(gather.next(32, 32 * 48), Some(16 * 48));
    }

    #[test]
    fn slow_or_few_answers_are_not() {
        assert_eq!(at_pace(2_000).next(1, 4144), Some(1));
        assert_eq!(at_pace(2_000).next(3, 3 * 4144), Some(1));
        assert_eq!(at_pace(500_000).next(32, 32 * 4144), Some(1));
        assert_eq!(at_pace(50_000).next(32, 32 * 100), Some(8 * 100));
    }

    #[test]
    fn a_stall_ends_the_wait() {
        let mut gather = at_pace(2_000);
        gather.next(32, 32 * 48);
        assert_eq!(gather.stalled(), Some(1));
        assert_eq!(gather.stalled(), None);
    }
}
