//! The stall detector: one thread of the process that looks at every core's pulse.
//!
//! A turn that runs tasks for longer than the core's limit is reported, with the core, the task
//! that runs, its class, and where the kernel sees the thread. The pulse is a counter that is odd
//! while tasks run; reading it disturbs nobody. The thread ends with the last watched core.

use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::core::Core;
use crate::cross::remote::Remote;
use crate::exec::CoreId;

/// The shortest time between two looks: half of the shortest limit that makes sense.
const LOOK_EVERY_MIN: Duration = Duration::from_millis(5);
/// The shortest time between two reports of one core.
const REPORT_EVERY: Duration = Duration::from_secs(12);

struct Watched {
    core: CoreId,
    remote: &'static Remote,
    limit: Duration,
    seen: u64,
    since: Instant,
    reported: Option<Instant>,
}

static WATCHED: Mutex<Vec<Watched>> = Mutex::new(Vec::new());

/// Watches a core until it is dropped.
pub(super) struct Watch {
    core: Option<CoreId>,
}

/// Starts to watch `core`, where its configuration sets a limit.
pub(super) fn watch(core: &Rc<Core>) -> Watch {
    let limit = core.config().stall_ns;
    if limit == 0 {
        return Watch { core: None };
    }
    let remote = core.remote();
    remote.pulse.set_thread();
    let entry = Watched {
        core: core.id(),
        remote,
        limit: Duration::from_nanos(limit),
        seen: 0,
        since: Instant::now(),
        reported: None,
    };
    let mut watched = lock();
    watched.push(entry);
    if watched.len() == 1 {
        let thread = std::thread::Builder::new().name("watchdog".into()).spawn(look_until_alone);
        if let Err(error) = thread {
            tracing::warn!(%error, "no stall detector: its thread does not start");
        }
    }
    Watch { core: Some(core.id()) }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(core) = self.core {
            lock().retain(|watched| watched.core != core);
        }
    }
}

fn lock() -> std::sync::MutexGuard<'static, Vec<Watched>> {
    // The list stays whole whatever panicked while holding it: every change is one call.
    WATCHED.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn look_until_alone() {
    loop {
        let mut watched = lock();
        let Some(shortest) = watched.iter().map(|w| w.limit).min() else {
            return;
        };
        let now = Instant::now();
        watched.iter_mut().for_each(|w| w.look(now));
        drop(watched);
        std::thread::sleep((shortest / 2).max(LOOK_EVERY_MIN));
    }
}

impl Watched {
    fn look(&mut self, now: Instant) {
        let turns = self.remote.pulse.turns.load(Ordering::Relaxed);
        if turns != self.seen || turns.is_multiple_of(2) {
            (self.seen, self.since) = (turns, now);
            return;
        }
        let stuck = now.duration_since(self.since);
        let recent = self.reported.is_some_and(|at| now.duration_since(at) < REPORT_EVERY);
        if stuck > self.limit && !recent {
            self.reported = Some(now);
            self.report(stuck);
        }
    }

    fn report(&self, stuck: Duration) {
        let (task, class) = self.remote.pulse.running();
        let thread = self.remote.pulse.thread.load(Ordering::Relaxed);
        let at = std::fs::read_to_string(format!("/proc/self/task/{thread}/wchan"));
        let at = at.ok().filter(|wchan| wchan != "0").unwrap_or_else(|| "user space".into());
        let stuck_ms = stuck.as_millis() as u64;
        tracing::warn!(core = self.core.index(), task, class, stuck_ms, thread, at, "stall");
    }
}
