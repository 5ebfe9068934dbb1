//! What a runner does about every 100 ms and not for each request: sampling costs, looking for an
//! interruption, telling how far it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use byway_engine::core::CoreCounters;
use byway_engine::count_alloc;
use byway_engine::usage::Usage;

use crate::load::{Load, Phase};

/// What a measurement cost, from the start to the end of counting.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// Of the whole process, all threads.
    pub process: Usage,
    /// Of the threads that this cost is about.
    pub threads: Usage,
    /// What their cores counted.
    pub core: CoreCounters,
    /// Heap allocations of these threads; zero too where the program does not count them.
    pub allocations: u64,
}

impl Cost {
    /// Adds the cost of another thread; of the process, the larger one stands for both.
    pub(super) fn add(&mut self, other: &Cost) {
        if other.process.cpu_ns() > self.process.cpu_ns() {
            self.process = other.process;
        }
        self.threads.user_ns += other.threads.user_ns;
        self.threads.system_ns += other.threads.system_ns;
        self.threads.preemptions += other.threads.preemptions;
        self.threads.waits += other.threads.waits;
        self.threads.resident_max = self.threads.resident_max.max(other.threads.resident_max);
        self.core.turns += other.core.turns;
        self.core.syscalls += other.core.syscalls;
        self.core.polls_hit += other.core.polls_hit;
        self.core.polls_empty += other.core.polls_empty;
        self.core.sleeps += other.core.sleeps;
        self.core.task_polls += other.core.task_polls;
        self.allocations += other.allocations;
    }

    fn sample(core: CoreCounters) -> Cost {
        Cost {
            process: Usage::of_process(),
            threads: Usage::of_thread(),
            core,
            allocations: count_alloc::allocations(),
        }
    }

    fn since(&self, before: &Cost) -> Cost {
        let (now, then) = (&self.core, &before.core);
        Cost {
            process: self.process.since(&before.process),
            threads: self.threads.since(&before.threads),
            core: CoreCounters {
                turns: now.turns - then.turns,
                syscalls: now.syscalls - then.syscalls,
                polls_hit: now.polls_hit - then.polls_hit,
                polls_empty: now.polls_empty - then.polls_empty,
                sleeps: now.sleeps - then.sleeps,
                task_polls: now.task_polls - then.task_polls,
            },
            allocations: self.allocations - before.allocations,
        }
    }
}

/// What the threads of a run share.
#[derive(Debug)]
pub(super) struct Shared {
    /// Set from outside when the run is to end early.
    stop: Arc<AtomicBool>,
    /// Operations done, for the progress line.
    done: AtomicU64,
    /// A thread could not be set up.
    pub(super) failed: AtomicBool,
}

impl Shared {
    pub(super) fn new(stop: Arc<AtomicBool>) -> Shared {
        Shared { stop, done: AtomicU64::new(0), failed: AtomicBool::new(false) }
    }

    /// Operations done so far by all threads.
    pub(super) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }
}

/// The housekeeping of one thread.
pub(super) struct House {
    shared: Arc<Shared>,
    phase: Phase,
    told: u64,
    before: Option<Cost>,
    cost: Cost,
}

impl House {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        House { shared, phase: Phase::Warmup, told: 0, before: None, cost: Cost::default() }
    }

    /// Called whenever [`Load::begin`] says so; `counters` reads those of the thread's core.
    #[cold]
    pub(super) fn keep(&mut self, load: &mut Load, counters: impl FnOnce() -> CoreCounters) {
        if self.shared.stop.load(Ordering::Relaxed) {
            load.stop();
        }
        let done = load.done();
        self.shared.done.fetch_add(done - self.told, Ordering::Relaxed);
        self.told = done;
        let phase = load.phase();
        if phase == self.phase {
            return;
        }
        self.phase = phase;
        let sample = Cost::sample(counters());
        match &self.before {
            None if phase == Phase::Counting => self.before = Some(sample),
            Some(before) if phase != Phase::Counting => {
                self.cost = sample.since(before);
                self.before = None;
            }
            _ => {}
        }
    }

    /// What the counted time cost; all zero where nothing was counted.
    pub(super) fn cost(self) -> Cost {
        self.cost
    }
}
