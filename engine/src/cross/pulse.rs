//! A core's pulse: what the watchdog reads to tell a stuck turn from a long sleep.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};

use crate::exec::Class;

/// Written by the core with plain stores, read by the watchdog.
#[derive(Default)]
pub(crate) struct Pulse {
    /// Twice the turns so far; odd while a turn runs tasks.
    pub(crate) turns: AtomicU64,
    /// The kernel's number of the core's thread.
    pub(crate) thread: AtomicI32,
    /// The label of the task that runs: an index into `labels`.
    running: AtomicU32,
    /// Names and classes of tasks, added when a new one is first spawned.
    labels: Mutex<Vec<(&'static str, Class)>>,
}

impl Pulse {
    /// Remembers the calling thread as the core's.
    pub(crate) fn set_thread(&self) {
        // SAFETY: gettid has no arguments and cannot fail.
        let thread = unsafe { libc::gettid() };
        self.thread.store(thread, Ordering::Relaxed);
    }

    /// The label of tasks called `name` in `class`. Labels are never forgotten; names are few.
    pub(crate) fn label(&self, name: &'static str, class: Class) -> u32 {
        let mut labels = self.labels.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let known = labels.iter().position(|&label| label == (name, class));
        known.unwrap_or_else(|| {
            labels.push((name, class));
            labels.len() - 1
        }) as u32
    }

    /// Tasks begin or cease to run. The core is the only writer, so no locked instruction is needed.
    #[inline]
    pub(crate) fn beat(&self) {
        self.turns.store(self.turns.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// A task with this label starts to run.
    #[inline]
    pub(crate) fn enter(&self, label: u32) {
        self.running.store(label, Ordering::Relaxed);
    }

    /// Name and class of the task that runs or ran last.
    pub(crate) fn running(&self) -> (&'static str, &'static str) {
        let labels = self.labels.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let label = labels.get(self.running.load(Ordering::Relaxed) as usize);
        label.map_or(("", ""), |(name, class)| (name, class.name()))
    }
}
