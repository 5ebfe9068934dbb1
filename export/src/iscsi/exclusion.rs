//! Which writes to a logical unit may be under way together: COMPARE AND WRITE is atomic against
//! every other write (SBC-3 section 5.2).
//!
//! Plain writes do not exclude each other. An exclusive one waits for the plain ones that overlap it
//! and are under way, and holds back what overlaps it and comes later. Pure: ranges in, tickets out.
//! Invariant: an active exclusive ticket overlaps no other active ticket.

/// Names a write until it has ended.
pub(crate) type Ticket = u32;

/// Blocks `start..end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) start: u64,
    pub(crate) end: u64,
}

impl Range {
    pub(crate) fn new(lba: u64, blocks: u64) -> Range {
        Range { start: lba, end: lba.saturating_add(blocks) }
    }

    fn overlaps(self, other: Range) -> bool {
        self.start < other.end && other.start < self.end
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    range: Range,
    is_exclusive: bool,
    is_active: bool,
    /// The order in which they came.
    number: u64,
}

/// The writes of one logical unit.
#[derive(Debug, Default)]
pub(crate) struct Exclusion {
    entries: Vec<Option<Entry>>,
    free: Vec<Ticket>,
    exclusives: u32,
    count: u64,
}

impl Exclusion {
    /// A write arrives: its ticket, and whether it may start at once.
    #[inline]
    pub(crate) fn begin(&mut self, range: Range, is_exclusive: bool) -> (Ticket, bool) {
        let number = self.count;
        self.count += 1;
        let alone = !is_exclusive && self.exclusives == 0;
        let is_active = alone || !self.is_blocked(range, is_exclusive, number);
        self.exclusives += u32::from(is_exclusive);
        let entry = Some(Entry { range, is_exclusive, is_active, number });
        let ticket = match self.free.pop() {
            Some(ticket) => {
                self.entries[ticket as usize] = entry;
                ticket
            }
            None => {
                self.entries.push(entry);
                self.entries.len() as Ticket - 1
            }
        };
        (ticket, is_active)
    }

    /// True where something that came before stands in the way.
    fn is_blocked(&self, range: Range, is_exclusive: bool, number: u64) -> bool {
        let blocks = |other: &Entry| {
            (is_exclusive || other.is_exclusive)
                && other.number < number
                && other.range.overlaps(range)
        };
        self.entries.iter().flatten().any(blocks)
    }

    /// A write has ended, or was given up while it waited. Those that may start by that are added
    /// to `started`.
    ///
    /// # Panics
    /// When the ticket is not under way: a bug of the caller.
    #[inline]
    pub(crate) fn end(&mut self, ticket: Ticket, started: &mut Vec<Ticket>) {
        let entry = self.entries[ticket as usize].take().expect("a write ends once");
        self.free.push(ticket);
        if self.exclusives > 0 {
            self.exclusives -= u32::from(entry.is_exclusive);
            self.start_waiting(started);
        }
    }

    fn start_waiting(&mut self, started: &mut Vec<Ticket>) {
        for at in 0..self.entries.len() {
            let Some(entry) = self.entries[at].filter(|entry| !entry.is_active) else { continue };
            if !self.is_blocked(entry.range, entry.is_exclusive, entry.number) {
                self.entries[at] = Some(Entry { is_active: true, ..entry });
                started.push(at as Ticket);
            }
        }
    }

    /// True where the write may run.
    pub(crate) fn is_active(&self, ticket: Ticket) -> bool {
        self.entries[ticket as usize].is_some_and(|entry| entry.is_active)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn range(start: u64, end: u64) -> Range {
        Range { start, end }
    }

    #[test]
    fn plain_writes_go_together() {
        let mut exclusion = Exclusion::default();
        assert!(exclusion.begin(range(0, 8), false).1);
        assert!(exclusion.begin(range(4, 12), false).1);
    }

    #[test]
    fn an_exclusive_write_waits_for_those_before_and_holds_back_those_after() {
        let mut exclusion = Exclusion::default();
        let mut started = Vec::new();
        let (before, _) = exclusion.begin(range(0, 8), false);
        let (swap, is_active) = exclusion.begin(range(7, 8), true);
        assert!(!is_active);
        let (after, is_active) = exclusion.begin(range(0, 8), false);
        assert!(!is_active);
        assert!(exclusion.begin(range(8, 9), false).1, "elsewhere nothing waits");
        exclusion.end(before, &mut started);
        assert_eq!(started, [swap]);
        started.clear();
        exclusion.end(swap, &mut started);
        assert_eq!(started, [after]);
    }

    #[test]
    fn a_waiting_write_that_is_given_up_lets_the_others_go() {
        let mut exclusion = Exclusion::default();
        let mut started = Vec::new();
        exclusion.begin(range(0, 1), false);
        let (swap, _) = exclusion.begin(range(0, 1), true);
        let (after, _) = exclusion.begin(range(0, 1), false);
        exclusion.end(swap, &mut started);
        assert_eq!(started, [after]);
    }

    proptest! {
        #[test]
        fn everything_runs_and_exclusive_writes_run_alone(
            steps in prop::collection::vec((0u64..20, 1u64..8, any::<bool>(), any::<u8>()), 1..60),
        ) {
            let mut exclusion = Exclusion::default();
            let mut live: Vec<(Ticket, Range, bool)> = Vec::new();
            for (start, len, is_exclusive, pick) in steps {
                let range = Range::new(start, len);
                live.push((exclusion.begin(range, is_exclusive).0, range, is_exclusive));
                let active: Vec<_> =
                    live.iter().filter(|(ticket, ..)| exclusion.is_active(*ticket)).collect();
                for (at, a) in active.iter().enumerate() {
                    for b in &active[at + 1..] {
                        prop_assert!(!(a.2 || b.2) || !a.1.overlaps(b.1));
                    }
                }
                prop_assert!(!active.is_empty(), "the oldest always runs");
                if pick % 2 == 0 {
                    let ticket = active[usize::from(pick) % active.len()].0;
                    exclusion.end(ticket, &mut Vec::new());
                    live.retain(|(other, ..)| *other != ticket);
                }
            }
        }
    }
}
