//! First come, first served: tasks that do something one after the other.

use std::cell::Cell;

use crate::watch::Watch;

/// A queue of tasks.
#[derive(Default)]
pub(crate) struct Turns {
    given: Cell<u64>,
    over: Cell<u64>,
    watch: Watch,
}

impl Turns {
    /// A number for the queue.
    pub(crate) fn next(&self) -> u64 {
        self.given.replace(self.given.get() + 1)
    }

    /// Waits until all before that number are over.
    pub(crate) async fn turn_of(&self, number: u64) {
        self.watch.until(|| (self.over.get() == number).then_some(())).await;
    }

    /// The turn is over.
    pub(crate) fn ended(&self) {
        self.over.set(self.over.get() + 1);
        self.watch.changed();
    }
}
