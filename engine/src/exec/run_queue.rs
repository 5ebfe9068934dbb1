//! Ready tasks by class, chosen by virtual time.
//!
//! Each class has a virtual clock that runs at its used time divided by its share; the ready class
//! that is furthest behind runs next. A class that wakes from idleness starts at the clock of the
//! others, so that sleeping saves up nothing.

use std::collections::VecDeque;

use super::{Class, TaskId, TaskOrder};
use crate::block::wrap::SplitMix64;

pub(super) struct RunQueue {
    ready: [VecDeque<TaskId>; Class::COUNT],
    used: [u64; Class::COUNT],
    /// The class that ran last: nobody else ran since, so it saved nothing up by a short sleep.
    last: Option<Class>,
    /// Decides the order under simulation.
    chance: Option<SplitMix64>,
}

impl RunQueue {
    pub(super) fn new(order: TaskOrder) -> RunQueue {
        let ready = std::array::from_fn(|_| VecDeque::with_capacity(256));
        let chance = match order {
            TaskOrder::Fifo => None,
            TaskOrder::Seeded(seed) => Some(SplitMix64::new(seed)),
        };
        RunQueue { ready, used: [0; Class::COUNT], last: None, chance }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ready.iter().all(VecDeque::is_empty)
    }

    pub(super) fn push(&mut self, class: Class, id: TaskId) {
        let at = class as usize;
        if self.ready[at].is_empty() && self.last != Some(class) {
            self.used[at] = self.used[at].max(self.behind().unwrap_or(self.used[at]));
        }
        self.ready[at].push_back(id);
    }

    /// The clock of the ready class that is furthest behind.
    fn behind(&self) -> Option<u64> {
        let ready = self.ready.iter().zip(self.used).filter(|(queue, _)| !queue.is_empty());
        ready.map(|(_, used)| used).min()
    }

    /// The class to run next, and whether others are ready too.
    #[inline]
    pub(super) fn next_class(&self) -> Option<(Class, bool)> {
        let ready = |class: &Class| !self.ready[*class as usize].is_empty();
        let mut classes = Class::ALL.into_iter().filter(ready);
        let first = classes.next()?;
        let mut best = (first, false);
        for class in classes {
            let behind = self.used[class as usize] < self.used[best.0 as usize];
            best = (if behind { class } else { best.0 }, true);
        }
        Some(best)
    }

    pub(super) fn pop(&mut self, class: Class) -> Option<TaskId> {
        self.last = Some(class);
        let queue = &mut self.ready[class as usize];
        if let Some(chance) = &mut self.chance
            && queue.len() > 1
        {
            let at = (chance.next_u64() % queue.len() as u64) as usize;
            queue.swap(0, at);
        }
        queue.pop_front()
    }

    /// Charges `ns` of core time to a class.
    pub(super) fn charge(&mut self, class: Class, ns: u64) {
        let scaled = ns.saturating_mul(1024) / class.shares();
        self.used[class as usize] = self.used[class as usize].saturating_add(scaled.max(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u32) -> TaskId {
        TaskId { slot: n, generation: 0 }
    }

    /// Every class always has work, and every batch takes the same time.
    fn batches_of(rounds: usize) -> [usize; Class::COUNT] {
        let mut queue = RunQueue::new(TaskOrder::Fifo);
        Class::ALL.into_iter().for_each(|c| queue.push(c, id(0)));
        let mut batches = [0; Class::COUNT];
        for _ in 0..rounds {
            let (class, _) = queue.next_class().unwrap();
            batches[class as usize] += 1;
            queue.charge(class, 10_000);
        }
        batches
    }

    #[test]
    fn classes_get_their_shares() {
        let batches = batches_of(1450);
        for class in Class::ALL {
            let share = class.shares() as usize;
            assert!(batches[class as usize].abs_diff(share) <= 2, "{class:?}: {batches:?}");
        }
    }

    #[test]
    fn a_class_that_slept_saved_nothing_up() {
        let mut queue = RunQueue::new(TaskOrder::Fifo);
        queue.push(Class::Foreground, id(1));
        queue.charge(Class::Foreground, 1_000_000_000);
        queue.push(Class::Background, id(2));
        queue.charge(Class::Background, 10_000);
        assert_eq!(queue.next_class(), Some((Class::Foreground, true)));
    }

    #[test]
    fn a_seed_decides_the_order() {
        let order = |seed| {
            let mut queue = RunQueue::new(TaskOrder::Seeded(seed));
            (0..8).for_each(|n| queue.push(Class::Foreground, id(n)));
            std::iter::from_fn(|| queue.pop(Class::Foreground)).map(|t| t.slot).collect::<Vec<_>>()
        };
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
    }
}
