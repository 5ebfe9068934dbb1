//! The executor of one core: plain futures, four classes with shares, no atomics on the local path.
//!
//! Invariants: a task is polled by its own core alone; it is in the run queue at most once; a wake
//! that comes while it runs makes it run again; a waker of a task that ended does nothing.

mod class;
mod join;
mod run_queue;
mod table;
mod waker;

pub use class::Class;
pub use join::{JoinError, JoinHandle};
pub use waker::{CORES_MAX, CoreId};

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::cross::pulse::Pulse;
use run_queue::RunQueue;
use table::TaskTable;
pub(crate) use waker::{TaskId, enter_core, unpack};

/// Tasks polled in one turn.
pub const TASKS_PER_TURN_MAX: usize = 64;
/// Nanoseconds of task time in one turn, looked at between batches.
pub const TURN_NS_MAX: u64 = 100_000;
/// Tasks of one class polled before the clock is read and the next class is chosen.
const BATCH: usize = 32;

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// The tasks of one core.
pub struct Executor {
    core: CoreId,
    pulse: &'static Pulse,
    /// Labels of names seen on this core, so that spawning takes no lock.
    labels: RefCell<Vec<(&'static str, Class, u32)>>,
    tasks: RefCell<TaskTable>,
    queue: RefCell<RunQueue>,
    polls: Cell<u64>,
}

impl Executor {
    pub(crate) fn new(core: CoreId, pulse: &'static Pulse, order: TaskOrder) -> Executor {
        Executor {
            core,
            pulse,
            labels: RefCell::default(),
            tasks: RefCell::new(TaskTable::new()),
            queue: RefCell::new(RunQueue::new(order)),
            polls: Cell::new(0),
        }
    }

    /// Adds a task; it runs in the next turn. `name` is for the stall detector and for reports.
    pub fn spawn<T: 'static>(
        &self,
        class: Class,
        name: &'static str,
        future: impl Future<Output = T> + 'static,
    ) -> JoinHandle<T> {
        let (handle, completer) = join::pair();
        let task: Task = Box::pin(async move { completer.complete(future.await) });
        let label = self.label(name, class);
        let id = self.tasks.borrow_mut().insert(class, label, task);
        self.queue.borrow_mut().push(class, id);
        handle.with_abort(self.core, id)
    }

    fn label(&self, name: &'static str, class: Class) -> u32 {
        let mut labels = self.labels.borrow_mut();
        if let Some(known) = labels.iter().find(|known| (known.0, known.1) == (name, class)) {
            return known.2;
        }
        let label = self.pulse.label(name, class);
        labels.push((name, class, label));
        label
    }

    /// Puts tasks woken on this thread into the run queue.
    pub(crate) fn gather_woken(&self) {
        waker::take_aborted(self.core).into_iter().for_each(|id| self.abort(id));
        let (mut tasks, mut queue) = (self.tasks.borrow_mut(), self.queue.borrow_mut());
        waker::take_local(self.core, |id| {
            if let Some(class) = tasks.mark_queued(id) {
                queue.push(class, id);
            }
        });
    }

    /// Puts a task into the run queue, unless it ended or is there already.
    pub(crate) fn make_ready(&self, id: TaskId) {
        if let Some(class) = self.tasks.borrow_mut().mark_queued(id) {
            self.queue.borrow_mut().push(class, id);
        }
    }

    /// Wakes every task: after wake-ups were lost to a full queue.
    pub(crate) fn wake_all(&self) {
        let ids = self.tasks.borrow().ids();
        ids.into_iter().for_each(|id| self.make_ready(id));
    }

    /// True where a task is ready to run.
    pub fn has_ready(&self) -> bool {
        !self.queue.borrow().is_empty() || waker::has_local(self.core)
    }

    /// Tasks that have not ended.
    pub fn len(&self) -> usize {
        self.tasks.borrow().len()
    }

    /// True where no task is left.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Polls of tasks so far.
    pub fn polls(&self) -> u64 {
        self.polls.get()
    }

    /// Runs ready tasks within the turn's budget; tells how many were polled. The clock is read
    /// only where it decides something: between classes that compete, and after the first batch.
    pub(crate) fn run(&self, now: impl Fn() -> u64) -> usize {
        self.gather_woken();
        let mut polled = 0;
        let mut began = None;
        while polled < TASKS_PER_TURN_MAX {
            let Some((class, contended)) = self.queue.borrow().next_class() else {
                break;
            };
            let start = if contended || polled > 0 { now() } else { 0 };
            if polled > 0 && start.saturating_sub(*began.get_or_insert(start)) > TURN_NS_MAX {
                break;
            }
            polled += self.run_batch(class);
            self.gather_woken();
            if contended {
                self.queue.borrow_mut().charge(class, now().saturating_sub(start));
            }
        }
        polled
    }

    fn run_batch(&self, class: Class) -> usize {
        for n in 0..BATCH {
            let Some(id) = self.queue.borrow_mut().pop(class) else {
                return n;
            };
            self.poll_task(id);
        }
        BATCH
    }

    fn poll_task(&self, id: TaskId) {
        let Some((mut task, label)) = self.tasks.borrow_mut().take(id) else {
            return;
        };
        self.polls.set(self.polls.get() + 1);
        self.pulse.enter(label);
        let waker = waker::waker(self.core, id);
        let outcome = task.as_mut().poll(&mut Context::from_waker(&waker));
        match outcome {
            Poll::Pending => {
                let aborted = self.tasks.borrow_mut().put_back(id, task);
                drop(aborted);
            }
            Poll::Ready(()) => self.tasks.borrow_mut().remove(id),
        }
    }

    /// Ends a task without running it again; one that runs now ends when it yields.
    pub(crate) fn abort(&self, id: TaskId) {
        let task = self.tasks.borrow_mut().abort(id);
        drop(task);
    }

    /// Forgets wake-ups on this thread, so that a later core of the same number starts without.
    pub(crate) fn forget_woken(&self) {
        drop(waker::take_aborted(self.core));
        waker::take_local(self.core, drop);
    }

    /// Drops every task: the core shuts down or crashes.
    pub(crate) fn clear(&self) {
        loop {
            let tasks = self.tasks.borrow_mut().drain();
            if tasks.is_empty() {
                return;
            }
            drop(tasks);
        }
    }
}

/// In which order ready tasks of one class run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TaskOrder {
    /// First woken, first run.
    Fifo,
    /// As a seed decides, so that a simulation finds orders that nobody thought of.
    Seeded(u64),
}
