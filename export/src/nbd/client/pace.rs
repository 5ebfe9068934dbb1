//! For how long a sleeping core leaves the replies of a busy server alone.
//!
//! Waking for every reply costs both sides context switches. Where replies come fast and many are
//! owed, the next receive waits a little, so that it brings several. A Unix socket knows no low-water
//! mark, so this is a matter of time. Where receives bring many without that, they are left alone; of
//! [`ROUND`] receives the first [`PROBE`] are, to know what they bring. Invariant: at most half of what is owed is due within a pause, so
//! that the server always has work; few requests are never delayed.

/// How late the kernel's timers are, in nanoseconds (prctl(2), PR_SET_TIMERSLACK).
const SLACK_NS: u64 = 50_000;
/// The shortest pause that is worth its timer, in nanoseconds.
const PAUSE_NS_MIN: u64 = 10_000;
/// The longest pause, in nanoseconds.
const PAUSE_NS_MAX: u64 = 200_000;
/// A gap between replies beyond this says nothing about their pace, in nanoseconds.
const GAP_NS_MAX: u64 = 1_000_000;
/// The weight of the newest pace in the moving average: 1/8.
const PACE_SHIFT: u32 = 3;
/// Bytes of replies that may gather: what a socket holds beside what is about to be sent.
const BYTES_MAX: u64 = 64 << 10;
/// Receives after which it is looked again how many replies come without pauses.
const ROUND: u32 = 128;
/// Receives of a round without a pause.
const PROBE: u32 = 16;
/// Replies in units of the average of what a receive without a pause brings.
const UNITS: u64 = 16;

/// What is known of the pace of replies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pace {
    reply_ns: u64,
    reply_len: u64,
    last_ns: u64,
    receives: u32,
    has_paused: bool,
    /// Replies of a receive without a pause, in [`UNITS`].
    by_itself: u64,
}

impl Pace {
    /// `count` replies of `len` bytes in all came by `now`.
    pub(crate) fn replied(&mut self, count: u16, len: u64, now: u64) {
        if count == 0 {
            return;
        }
        let since = now.saturating_sub(std::mem::replace(&mut self.last_ns, now));
        let newest = (since / u64::from(count)).min(GAP_NS_MAX);
        self.reply_ns = self.reply_ns - (self.reply_ns >> PACE_SHIFT) + (newest >> PACE_SHIFT);
        self.reply_len = len / u64::from(count);
        if !std::mem::take(&mut self.has_paused) {
            let newest = u64::from(count) * UNITS;
            self.by_itself =
                self.by_itself - (self.by_itself >> PACE_SHIFT) + (newest >> PACE_SHIFT);
        }
    }

    /// How long to wait before the next receive while `owed` replies are due, in nanoseconds.
    pub(crate) fn pause_ns(&mut self, owed: u16) -> Option<u64> {
        self.receives = (self.receives + 1) % ROUND;
        let fitting = BYTES_MAX / self.reply_len.max(1);
        let wanted = u64::from(owed / 2).min(fitting);
        let pause = (wanted * self.reply_ns).saturating_sub(SLACK_NS).min(PAUSE_NS_MAX);
        let brings = (pause + SLACK_NS) / self.reply_ns.max(1);
        let is_worth_it = pause >= PAUSE_NS_MIN && brings * UNITS >= 2 * self.by_itself;
        let is_slow = self.reply_ns > PAUSE_NS_MAX;
        self.has_paused = is_worth_it && !is_slow && self.receives >= PROBE;
        self.has_paused.then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_pace(ns: u64, len: u64) -> Pace {
        let mut pace = Pace::default();
        (0..200u64).for_each(|n| pace.replied(1, len, n * ns));
        pace.receives = PROBE;
        pace
    }

    #[test]
    fn many_replies_are_waited_for_together() {
        let pause = at_pace(10_000, 4112).pause_ns(32).unwrap();
        assert!((90_000..=110_000).contains(&pause), "{pause}");
        assert_eq!(at_pace(20_000, 16).pause_ns(256), Some(PAUSE_NS_MAX));
    }

    #[test]
    fn replies_that_come_together_by_themselves_are_left_alone() {
        let mut pace = Pace::default();
        (0..200u64).for_each(|n| pace.replied(20, 20 * 4112, n * 200_000));
        pace.receives = PROBE;
        assert_eq!(pace.pause_ns(32), None);
        let mut pace = at_pace(10_000, 4112);
        let paused = (0..ROUND).filter(|_| pace.pause_ns(32).is_some()).count();
        assert_eq!(paused, (ROUND - PROBE) as usize);
    }

    #[test]
    fn few_fast_or_long_ones_are_not() {
        assert_eq!(at_pace(10_000, 4112).pause_ns(8), None);
        assert_eq!(at_pace(2_000, 4112).pause_ns(32), None);
        assert_eq!(at_pace(10_000, 64 << 10).pause_ns(32), None);
        assert_eq!(at_pace(500_000, 16).pause_ns(32), None);
    }
}
