//! How many completions a sleeping core waits for.
//!
//! Waking for every completion costs two context switches each, and a device that is fed one by one
//! works in small groups. A core that does nothing but block I/O waits for as many completions as
//! come soon at the pace of late ([`RULES`]): half of what is in flight, or three quarters where that
//! takes next to nothing. One request in flight is never delayed, and a slow device is waited for one
//! by one. Where the pace breaks off, the kernel ends the wait for company after [`MIN_WAIT_US`]. That
//! is longer than a tick of the kernel on purpose: a shorter timer has to be programmed for every
//! sleep, which costs 10 microseconds in a virtual machine.
//!
//! Source: io_uring_enter(2), `min_wait_usec` (kernel 6.12).

use std::cell::Cell;

/// A part of what is in flight, in quarters, and for how long it may be gathered, in nanoseconds.
const RULES: [(u32, u64); 2] = [(3, 100_000), (2, 400_000)];
/// After this long one completion is enough, in microseconds.
pub(super) const MIN_WAIT_US: u32 = 5_000;
/// The weight of the newest pace in the moving average: 1/8.
const PACE_SHIFT: u32 = 3;
/// A pace slower than this is as good as none, in nanoseconds for each completion.
const PACE_NS_MAX: u64 = 1_000_000;

/// The pace of completions, as a moving average.
#[derive(Debug)]
pub(super) struct Batch {
    pace_ns: Cell<u64>,
    /// The sleep before: when it began.
    last_ns: Cell<u64>,
    reaped: Cell<u32>,
}

impl Batch {
    pub(super) fn new() -> Batch {
        Batch { pace_ns: Cell::new(PACE_NS_MAX), last_ns: Cell::new(0), reaped: Cell::new(0) }
    }

    /// Counts completions.
    #[inline]
    pub(super) fn reaped(&self, count: usize) {
        self.reaped.set(self.reaped.get().saturating_add(count as u32));
    }

    /// How many completions a sleep that begins at `now_ns` waits for, with `in_flight` requests.
    #[inline]
    pub(super) fn want(&self, now_ns: u64, in_flight: u32) -> u32 {
        let since = now_ns.saturating_sub(self.last_ns.replace(now_ns));
        let newest = since / u64::from(self.reaped.replace(0).max(1));
        let before = self.pace_ns.get();
        let moved = before - (before >> PACE_SHIFT) + (newest >> PACE_SHIFT);
        // A pause says nothing about the pace behind it.
        let pace = if newest < PACE_NS_MAX { moved } else { PACE_NS_MAX };
        self.pace_ns.set(pace);
        let soon = |(quarters, ns): (u32, u64)| {
            let part = u64::from(in_flight) * u64::from(quarters) / 4;
            part.min(ns / pace.max(1)) as u32
        };
        RULES.map(soon).into_iter().fold(1, u32::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wanted after sleeps at a steady pace.
    fn at_pace(ns: u64, in_flight: u32) -> u32 {
        let (batch, mut now) = (Batch::new(), 1 << 40);
        for _ in 0..200 {
            let want = batch.want(now, in_flight);
            now += ns * u64::from(want);
            batch.reaped(want as usize);
        }
        batch.want(now, in_flight)
    }

    #[test]
    fn one_request_is_never_delayed() {
        assert_eq!(at_pace(1_000, 1), 1);
        assert_eq!(Batch::new().want(5, 32), 1);
    }

    #[test]
    fn completions_that_come_fast_are_waited_for_together() {
        assert_eq!(at_pace(1_000, 32), 24);
        assert_eq!(at_pace(10_000, 32), 16);
        assert!((380..=400).contains(&at_pace(1_000, 1_000)));
    }

    #[test]
    fn a_slow_device_is_waited_for_one_by_one() {
        assert!((3..=4).contains(&at_pace(100_000, 32)));
        assert_eq!(at_pace(500_000, 32), 1);
    }

    #[test]
    fn a_pause_ends_the_gathering() {
        let (batch, mut now) = (Batch::new(), 1 << 40);
        for _ in 0..200 {
            now += 1_000;
            batch.reaped(1);
            batch.want(now, 256);
        }
        assert!(batch.want(now + 1_000, 256) > 20);
        assert_eq!(batch.want(now + 1_000_000_000, 256), 1);
    }
}
