//! The tasks of one core in a slab, with generations.

use super::waker::GENERATION_MASK;
use super::{Class, Task, TaskId};

enum State {
    /// Waiting, or in the run queue when `queued`.
    Idle(Task),
    /// Its future is being polled right now.
    Running,
    /// Being polled, to be dropped when it yields.
    RunningAborted,
    Free,
}

struct Entry {
    state: State,
    class: Class,
    label: u32,
    generation: u32,
    queued: bool,
}

#[derive(Default)]
pub(super) struct TaskTable {
    entries: Vec<Entry>,
    free: Vec<u32>,
}

impl TaskTable {
    pub(super) fn new() -> TaskTable {
        TaskTable::default()
    }

    /// Stores a task that is about to be queued.
    pub(super) fn insert(&mut self, class: Class, label: u32, task: Task) -> TaskId {
        let slot = self.free.pop().unwrap_or_else(|| self.grow());
        let entry = &mut self.entries[slot as usize];
        (entry.state, entry.class, entry.label) = (State::Idle(task), class, label);
        entry.queued = true;
        TaskId { slot, generation: entry.generation }
    }

    fn grow(&mut self) -> u32 {
        let slot = self.entries.len() as u32;
        self.entries.push(Entry {
            state: State::Free,
            class: Class::Background,
            label: 0,
            generation: 0,
            queued: false,
        });
        slot
    }

    fn entry(&mut self, id: TaskId) -> Option<&mut Entry> {
        let entry = self.entries.get_mut(id.slot as usize)?;
        let alive = entry.generation == id.generation && !matches!(entry.state, State::Free);
        alive.then_some(entry)
    }

    /// Marks a live task as queued; `None` where it ended or is queued already.
    #[inline]
    pub(super) fn mark_queued(&mut self, id: TaskId) -> Option<Class> {
        let entry = self.entry(id)?;
        let newly = !std::mem::replace(&mut entry.queued, true);
        newly.then_some(entry.class)
    }

    /// Takes a task out to run it, with its label.
    #[inline]
    pub(super) fn take(&mut self, id: TaskId) -> Option<(Task, u32)> {
        let entry = self.entry(id)?;
        entry.queued = false;
        match std::mem::replace(&mut entry.state, State::Running) {
            State::Idle(task) => Some((task, entry.label)),
            other => {
                entry.state = other;
                None
            }
        }
    }

    /// Puts a task back that waits again; gives it out where it was aborted meanwhile.
    #[inline]
    pub(super) fn put_back(&mut self, id: TaskId, task: Task) -> Option<Task> {
        let entry = self.entry(id).expect("a running task has its entry");
        if matches!(entry.state, State::RunningAborted) {
            self.remove(id);
            return Some(task);
        }
        entry.state = State::Idle(task);
        None
    }

    /// Frees the entry of a task that ended.
    pub(super) fn remove(&mut self, id: TaskId) {
        let entry = self.entry(id).expect("a task ends once");
        entry.state = State::Free;
        entry.queued = false;
        entry.generation = (entry.generation + 1) & GENERATION_MASK;
        self.free.push(id.slot);
    }

    /// Ends a task from outside; gives its future out to be dropped without any borrow.
    pub(super) fn abort(&mut self, id: TaskId) -> Option<Task> {
        let entry = self.entry(id)?;
        match std::mem::replace(&mut entry.state, State::RunningAborted) {
            State::Idle(task) => {
                self.remove(id);
                Some(task)
            }
            _ => None,
        }
    }

    /// Takes every task that is not running.
    pub(super) fn drain(&mut self) -> Vec<Task> {
        let ids = self.ids();
        ids.into_iter().filter_map(|id| self.abort(id)).collect()
    }

    pub(super) fn ids(&self) -> Vec<TaskId> {
        let live = self.entries.iter().enumerate();
        live.filter(|(_, entry)| !matches!(entry.state, State::Free))
            .map(|(slot, entry)| TaskId { slot: slot as u32, generation: entry.generation })
            .collect()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }
}
