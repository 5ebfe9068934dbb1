//! The tasks of a session in a table of fixed size, and the queues that run through it.
//!
//! Invariants: a task is in at most one lane; the links of a task in no lane belong to the list of
//! free slots or to nobody. Everything here is O(1) and nothing allocates after the start.

use alloc::vec::Vec;

use super::command::{Command, TaskId};
use super::stage::Stage;
use super::task::Task;

/// No slot.
const NIL: u16 = u16::MAX;

/// What a task waits in line for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(super) enum Lane {
    /// Its command is to be sent.
    Commands = 0,
    /// Its unsolicited data are to be sent, in the order of the commands (RFC 7143 section 4.2.5.3).
    Unsolicited = 1,
    /// Data that an R2T asked for are to be sent.
    Solicited = 2,
}

/// The number of lanes.
pub(super) const LANES: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Ends {
    head: u16,
    tail: u16,
}

/// A task's place in the lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    lane: Option<Lane>,
    prev: u16,
    next: u16,
}

impl Place {
    pub(super) const NOWHERE: Place = Place { lane: None, prev: NIL, next: NIL };
}

/// The table.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Slab {
    tasks: Vec<Task>,
    lanes: [Ends; LANES],
    free: u16,
    used: u16,
}

impl Slab {
    pub(super) fn new(tasks_max: u16) -> Slab {
        let tasks = (0..tasks_max).map(|slot| {
            let next = if slot + 1 == tasks_max { NIL } else { slot + 1 };
            let place = Place { next, ..Place::NOWHERE };
            Task { place, ..Task::FREE }
        });
        let free = if tasks_max == 0 { NIL } else { 0 };
        let lanes = [Ends { head: NIL, tail: NIL }; LANES];
        Slab { tasks: tasks.collect(), lanes, free, used: 0 }
    }

    /// Gives a slot to `command`; nothing where all are used.
    #[inline]
    pub(super) fn insert(&mut self, command: Command, order: u64, now_ns: u64) -> Option<TaskId> {
        let slot = self.free;
        let task = self.tasks.get_mut(usize::from(slot))?;
        self.free = task.place.next;
        self.used += 1;
        let generation = task.generation.wrapping_add(1);
        *task = Task::new(command, generation, order, now_ns);
        Some(TaskId::new(generation, slot))
    }

    /// Takes a task out of its lane and the table.
    #[inline]
    pub(super) fn remove(&mut self, slot: u16) {
        self.leave(slot);
        let free = self.free;
        let task = &mut self[slot];
        assert_ne!(task.stage, Stage::Free, "a slot is freed once");
        task.stage = Stage::Free;
        task.place.next = free;
        self.free = slot;
        self.used -= 1;
    }

    /// The slot of a task that lives; nothing for tags of the past and of nobody.
    #[inline]
    pub(super) fn find(&self, id: TaskId) -> Option<u16> {
        let task = self.tasks.get(usize::from(id.slot()))?;
        let is_it = task.stage != Stage::Free && task.generation == id.generation();
        is_it.then_some(id.slot())
    }

    /// The name of the task in a slot.
    #[inline]
    pub(super) fn id(&self, slot: u16) -> TaskId {
        TaskId::new(self[slot].generation, slot)
    }

    #[inline]
    pub(super) fn used(&self) -> u16 {
        self.used
    }

    /// Tasks that live, by slot.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u16, &Task)> {
        let all = self.tasks.iter().enumerate().map(|(slot, task)| (slot as u16, task));
        all.filter(|(_, task)| task.stage != Stage::Free)
    }

    pub(super) fn capacity(&self) -> u16 {
        self.tasks.len() as u16
    }

    /// The first task of a lane.
    #[inline]
    pub(super) fn front(&self, lane: Lane) -> Option<u16> {
        let head = self.lanes[lane as usize].head;
        (head != NIL).then_some(head)
    }

    /// True where a task waits to send data.
    #[inline]
    pub(super) fn has_data_lanes(&self) -> bool {
        self.front(Lane::Unsolicited).or(self.front(Lane::Solicited)).is_some()
    }

    /// Puts a task at the end of a lane.
    #[inline]
    pub(super) fn join(&mut self, slot: u16, lane: Lane) {
        let tail = self.lanes[lane as usize].tail;
        self.place(slot, Place { lane: Some(lane), prev: tail, next: NIL });
    }

    /// Puts a task before all others of a lane.
    pub(super) fn join_front(&mut self, slot: u16, lane: Lane) {
        let head = self.lanes[lane as usize].head;
        self.place(slot, Place { lane: Some(lane), prev: NIL, next: head });
    }

    #[inline]
    fn place(&mut self, slot: u16, place: Place) {
        let old = core::mem::replace(&mut self[slot].place, place);
        assert_eq!(old.lane, None, "a task is in one lane at a time");
        self.relink(place, slot, slot);
    }

    /// Takes a task out of the lane it is in, if any.
    #[inline]
    pub(super) fn leave(&mut self, slot: u16) {
        let place = core::mem::replace(&mut self[slot].place, Place::NOWHERE);
        if place.lane.is_some() {
            self.relink(place, place.next, place.prev);
        }
    }

    /// What lies before `place` is followed by `after`, and what lies behind it by `before`.
    #[inline]
    fn relink(&mut self, place: Place, after: u16, before: u16) {
        let Some(lane) = place.lane else { return };
        match place.prev {
            NIL => self.lanes[lane as usize].head = after,
            prev => self[prev].place.next = after,
        }
        match place.next {
            NIL => self.lanes[lane as usize].tail = before,
            next => self[next].place.prev = before,
        }
    }

    /// True where the task stands in some lane.
    #[inline]
    pub(super) fn is_in_lane(&self, slot: u16) -> bool {
        self[slot].place.lane.is_some()
    }
}

impl core::ops::Index<u16> for Slab {
    type Output = Task;

    #[inline]
    fn index(&self, slot: u16) -> &Task {
        &self.tasks[usize::from(slot)]
    }
}

impl core::ops::IndexMut<u16> for Slab {
    #[inline]
    fn index_mut(&mut self, slot: u16) -> &mut Task {
        &mut self.tasks[usize::from(slot)]
    }
}
