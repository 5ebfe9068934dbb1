//! How many commands a path has in flight: less when the target says that it is busy, slowly more
//! when it is not (additive increase, multiplicative decrease).

use byway_proto::scsi::Status;

/// The wait before a refused command is sent again, in nanoseconds; doubled with each refusal.
const PAUSE_NS_MIN: u64 = 1_000_000;
/// The longest such wait.
const PAUSE_NS_MAX: u64 = 1_000_000_000;

/// The depth of one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Depth {
    limit: u16,
    max: u16,
    /// Commands that went well since the limit was raised.
    good: u16,
    pause_ns: u64,
    /// Nothing is sent before.
    until_ns: u64,
}

impl Depth {
    pub(crate) fn new(max: u16) -> Depth {
        Depth { limit: max, max, good: 0, pause_ns: PAUSE_NS_MIN, until_ns: 0 }
    }

    /// True where another command may go while `in_flight` are there.
    #[inline]
    pub(crate) fn has_room(&self, in_flight: u16, now_ns: u64) -> bool {
        in_flight < self.limit && (self.until_ns == 0 || now_ns >= self.until_ns)
    }

    /// When something may be sent again, where that is a matter of time.
    pub(crate) fn pause_end(&self, now_ns: u64) -> Option<u64> {
        (self.until_ns > now_ns).then_some(self.until_ns)
    }

    /// A command went well.
    #[inline]
    pub(crate) fn went_well(&mut self) {
        if self.limit == self.max && self.until_ns == 0 {
            return;
        }
        (self.pause_ns, self.until_ns) = (PAUSE_NS_MIN, 0);
        self.good += 1;
        if self.good >= self.limit && self.limit < self.max {
            (self.limit, self.good) = (self.limit + 1, 0);
        }
    }

    /// The target refused a command as it is full or busy; `in_flight` others are with it. A full
    /// target asks for less, a busy one for a pause as well.
    pub(crate) fn was_refused(&mut self, status: Status, in_flight: u16, now_ns: u64) {
        self.good = 0;
        self.limit = (self.limit.min(in_flight.max(1)) / 2).max(1);
        if status == Status::Busy || in_flight == 0 {
            self.until_ns = now_ns + self.pause_ns;
            self.pause_ns = (self.pause_ns * 2).min(PAUSE_NS_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_target_gets_half_and_slowly_more() {
        let mut depth = Depth::new(64);
        depth.was_refused(Status::TaskSetFull, 40, 0);
        assert!(depth.has_room(19, 0) && !depth.has_room(20, 0));
        (0..20).for_each(|_| depth.went_well());
        assert!(depth.has_room(20, 0) && !depth.has_room(21, 0));
        (0..100_000).for_each(|_| depth.went_well());
        assert!(depth.has_room(63, 0) && !depth.has_room(64, 0));
    }

    #[test]
    fn a_busy_target_gets_pauses_that_grow_and_end_with_success() {
        let mut depth = Depth::new(4);
        depth.was_refused(Status::Busy, 0, 100);
        assert_eq!(depth.pause_end(100), Some(100 + PAUSE_NS_MIN));
        assert!(!depth.has_room(0, 100));
        depth.was_refused(Status::Busy, 0, 100 + PAUSE_NS_MIN);
        assert_eq!(depth.pause_end(200), Some(100 + 3 * PAUSE_NS_MIN));
        depth.went_well();
        assert!(depth.has_room(0, 200));
        (0..40).for_each(|_| depth.was_refused(Status::Busy, 0, 0));
        assert_eq!(depth.pause_end(0), Some(PAUSE_NS_MAX));
    }

    #[test]
    fn one_command_is_always_allowed() {
        let mut depth = Depth::new(8);
        (0..20).for_each(|_| depth.was_refused(Status::TaskSetFull, 1, 0));
        assert!(depth.has_room(0, 0));
    }
}
