//! A hierarchical timing wheel (Varghese and Lauck, SOSP 1987, scheme 7).
//!
//! Invariants: a timer lies at the level of the highest group of six bits in which its tick
//! differs from the current tick, so every timer of a level is due before every timer of the level
//! above, and no slot is ever behind the current tick; timers of the current tick are compared by
//! the nanosecond, so the wheel is never early and never late; timers of one tick expire in the
//! order in which they were inserted.

use super::slab::{List, NONE, Slab, TimerKey};

/// Width of a slot of the lowest level in nanoseconds.
pub const TICK_NS: u64 = 1 << TICK_SHIFT;

const TICK_SHIFT: u32 = 12;
const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;
/// Enough for every 64-bit number of nanoseconds.
const LEVELS: usize = (u64::BITS - TICK_SHIFT).div_ceil(SLOT_BITS) as usize;

/// Timers that carry a `T` each. It has no clock: the time comes with every call.
///
/// Memory grows with the number of timers that run at once; insert, cancel and expiry do not
/// allocate below the highest number so far.
#[derive(Debug)]
pub struct TimerWheel<T> {
    slab: Slab<T>,
    lists: Box<[List; LEVELS * SLOTS]>,
    /// One bit per slot that holds timers.
    occupied: [u64; LEVELS],
    /// Not later than the earliest deadline of each occupied slot of level 0.
    earliest_ns: [u64; SLOTS],
    /// The tick of the last `advance`.
    tick: u64,
}

impl<T> Default for TimerWheel<T> {
    fn default() -> Self {
        TimerWheel::new()
    }
}

impl<T> TimerWheel<T> {
    /// An empty wheel at time zero.
    pub fn new() -> Self {
        TimerWheel::with_capacity(0)
    }

    /// An empty wheel that allocates nothing up to `timers` timers at once.
    pub fn with_capacity(timers: usize) -> Self {
        TimerWheel {
            slab: Slab::with_capacity(timers),
            lists: Box::new([List::EMPTY; LEVELS * SLOTS]),
            occupied: [0; LEVELS],
            earliest_ns: [u64::MAX; SLOTS],
            tick: 0,
        }
    }

    /// How many timers run.
    pub fn len(&self) -> usize {
        self.slab.len()
    }

    /// True where no timer runs.
    pub fn is_empty(&self) -> bool {
        self.slab.len() == 0
    }

    /// Starts a timer; a deadline in the past expires at the next [`advance`](Self::advance).
    pub fn insert(&mut self, deadline_ns: u64, value: T) -> TimerKey {
        let key = self.slab.insert(deadline_ns, value);
        self.place(Slab::<T>::index_of(key), deadline_ns);
        key
    }

    /// Stops a timer and gives its value back; `None` where it has expired or was cancelled.
    pub fn cancel(&mut self, key: TimerKey) -> Option<T> {
        let (index, slot) = self.slab.find(key)?;
        self.unlink(index, usize::from(slot));
        Some(self.slab.remove(index))
    }

    /// A time until which nothing expires, for a sleep: never later than the earliest deadline,
    /// and later than the last `advance` unless a timer is due already. `None` where none runs.
    pub fn next_deadline(&self) -> Option<u64> {
        let (level, slot) = self.first_slot()?;
        Some(match level {
            0 => self.earliest_ns[slot],
            _ => self.start_tick(level, slot) << TICK_SHIFT,
        })
    }

    /// Appends the values of all timers with a deadline of at most `now_ns`, in the order of their
    /// ticks. A time before the last one expires what is due at it and turns nothing back.
    pub fn advance(&mut self, now_ns: u64, expired: &mut Vec<T>) {
        let target = (now_ns >> TICK_SHIFT).max(self.tick);
        while let Some((level, slot)) = self.first_slot() {
            let start = self.start_tick(level, slot);
            if start > target {
                break;
            }
            self.tick = start;
            match level {
                0 if start == target => {
                    self.expire_due(slot, now_ns, expired);
                    break;
                }
                0 => self.expire_due(slot, u64::MAX, expired),
                _ => self.cascade(level * SLOTS + slot),
            }
        }
        self.tick = target;
    }

    /// The slot that comes first: the lowest one of the lowest level that has any.
    fn first_slot(&self) -> Option<(usize, usize)> {
        let level = self.occupied.iter().position(|bits| *bits != 0)?;
        Some((level, self.occupied[level].trailing_zeros() as usize))
    }

    fn start_tick(&self, level: usize, slot: usize) -> u64 {
        let shift = level as u32 * SLOT_BITS;
        let above = shift + SLOT_BITS;
        (self.tick >> above << above) | (slot as u64) << shift
    }

    /// Puts a node into the slot of its deadline, as seen from the current tick.
    fn place(&mut self, index: u32, deadline_ns: u64) {
        let tick = (deadline_ns >> TICK_SHIFT).max(self.tick);
        let level = level_of(tick ^ self.tick);
        let slot = (tick >> (level as u32 * SLOT_BITS)) as usize % SLOTS;
        let at = level * SLOTS + slot;
        let is_first = self.lists[at].is_empty();
        self.slab.link(&mut self.lists[at], index, at as u16);
        self.occupied[level] |= 1 << slot;
        if level == 0 {
            let before = if is_first { u64::MAX } else { self.earliest_ns[slot] };
            self.earliest_ns[slot] = before.min(deadline_ns);
        }
    }

    fn unlink(&mut self, index: u32, at: usize) {
        self.slab.unlink(&mut self.lists[at], index);
        if self.lists[at].is_empty() {
            self.occupied[at / SLOTS] &= !(1 << (at % SLOTS));
        }
    }

    /// Spreads a slot whose time has come over the levels below.
    fn cascade(&mut self, at: usize) {
        let mut index = self.lists[at].head;
        self.lists[at] = List::EMPTY;
        self.occupied[at / SLOTS] &= !(1 << (at % SLOTS));
        while index != NONE {
            let next = self.slab.next(index);
            self.place(index, self.slab.deadline_ns(index));
            index = next;
        }
    }

    /// Expires what is due in a slot of level 0 and notes the earliest of what stays.
    fn expire_due(&mut self, slot: usize, now_ns: u64, expired: &mut Vec<T>) {
        if self.earliest_ns[slot] > now_ns {
            return;
        }
        let mut earliest_ns = u64::MAX;
        let mut index = self.lists[slot].head;
        while index != NONE {
            let (next, deadline_ns) = (self.slab.next(index), self.slab.deadline_ns(index));
            if deadline_ns <= now_ns {
                self.unlink(index, slot);
                expired.push(self.slab.remove(index));
            } else {
                earliest_ns = earliest_ns.min(deadline_ns);
            }
            index = next;
        }
        self.earliest_ns[slot] = earliest_ns;
    }
}

/// The level at which two ticks differ: the highest group with a bit set in `difference`.
fn level_of(difference: u64) -> usize {
    let highest = u64::BITS - 1 - (difference | 1).leading_zeros();
    (highest / SLOT_BITS) as usize
}
