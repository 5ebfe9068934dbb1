//! What a core counts about itself.

use std::cell::Cell;

/// What a core has done since it was set up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CoreCounters {
    /// Turns of the loop.
    pub turns: u64,
    /// System calls for I/O (`io_uring_enter`).
    pub syscalls: u64,
    /// Turns that found something done.
    pub polls_hit: u64,
    /// Turns that found nothing.
    pub polls_empty: u64,
    /// Times the core went to sleep.
    pub sleeps: u64,
    /// Polls of tasks.
    pub task_polls: u64,
}

#[derive(Default)]
pub(super) struct CounterCells {
    pub(super) turns: Cell<u64>,
    pub(super) polls_hit: Cell<u64>,
    pub(super) polls_empty: Cell<u64>,
    pub(super) sleeps: Cell<u64>,
}

impl CounterCells {
    #[inline]
    pub(super) fn turn(&self, hit: bool) {
        self.turns.set(self.turns.get() + 1);
        let counter = if hit { &self.polls_hit } else { &self.polls_empty };
        counter.set(counter.get() + 1);
    }

    pub(super) fn sleep(&self) {
        self.sleeps.set(self.sleeps.get() + 1);
    }

    pub(super) fn read(&self, syscalls: u64, task_polls: u64) -> CoreCounters {
        CoreCounters {
            turns: self.turns.get(),
            syscalls,
            polls_hit: self.polls_hit.get(),
            polls_empty: self.polls_empty.get(),
            sleeps: self.sleeps.get(),
            task_polls,
        }
    }
}
