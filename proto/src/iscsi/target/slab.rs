//! The task slab: a table of tasks of one session, addressed by small integers with a generation.
//!
//! It grows to what the session really uses, never above its capacity, so an idle session costs
//! nothing and a busy one does not allocate in the steady state.
//! Invariant: a [`TaskId`] names one life of a slot; the id of an earlier life finds nothing.

use alloc::vec::Vec;

/// Slots that a slab may have: with one more, slot and generation could spell a reserved tag.
pub(super) const SLOTS_MAX: u16 = 0x7fff;

/// One task of a session, from its command to its last PDU: generation and slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(u32);

impl TaskId {
    #[inline]
    fn new(slot: u16, generation: u16) -> TaskId {
        TaskId(u32::from(generation) << 16 | u32::from(slot))
    }

    /// The slot, below `Session::slots_max`: an index for what the shell keeps per task.
    #[must_use]
    #[inline]
    pub fn slot(self) -> u16 {
        (self.0 & 0xffff) as u16
    }

    /// How many lives the slot had before, on a circle of 2^16.
    #[must_use]
    #[inline]
    pub fn generation(self) -> u16 {
        (self.0 >> 16) as u16
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Slot<T> {
    generation: u16,
    value: Option<T>,
}

/// A table of at most `capacity` values; the slot freed last is used first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Slab<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u16>,
    capacity: u16,
}

impl<T> Slab<T> {
    pub(super) fn new(capacity: u16) -> Slab<T> {
        assert!(capacity <= SLOTS_MAX, "a slot has 15 bits");
        Slab { slots: Vec::new(), free: Vec::new(), capacity }
    }

    /// The most tasks that can live at once.
    pub(super) fn capacity(&self) -> u16 {
        self.capacity
    }

    /// Stores `value`; nothing where the slab is full.
    #[inline]
    pub(super) fn insert(&mut self, value: T) -> Option<TaskId> {
        let index = match self.free.pop() {
            Some(index) => index,
            None => self.grow()?,
        };
        let slot = &mut self.slots[usize::from(index)];
        slot.value = Some(value);
        Some(TaskId::new(index, slot.generation))
    }

    fn grow(&mut self) -> Option<u16> {
        let index = u16::try_from(self.slots.len()).ok().filter(|index| *index < self.capacity)?;
        self.slots.push(Slot { generation: 0, value: None });
        Some(index)
    }

    #[inline]
    pub(super) fn get(&self, id: TaskId) -> Option<&T> {
        let slot = self.slots.get(usize::from(id.slot()))?;
        slot.value.as_ref().filter(|_| slot.generation == id.generation())
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: TaskId) -> Option<&mut T> {
        let slot = self.slots.get_mut(usize::from(id.slot()))?;
        slot.value.as_mut().filter(|_| slot.generation == id.generation())
    }

    /// The task of `id`, which the caller knows to live.
    #[inline]
    pub(super) fn at(&self, id: TaskId) -> &T {
        self.get(id).expect("the caller names a task that lives")
    }

    /// As [`Slab::at`].
    #[inline]
    pub(super) fn at_mut(&mut self, id: TaskId) -> &mut T {
        self.get_mut(id).expect("the caller names a task that lives")
    }

    /// Ends this life of the slot.
    #[inline]
    pub(super) fn remove(&mut self, id: TaskId) -> T {
        let slot = &mut self.slots[usize::from(id.slot())];
        assert_eq!(slot.generation, id.generation(), "only a living task is removed");
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(id.slot());
        slot.value.take().expect("only a living task is removed")
    }

    /// The living tasks in the order of their slots.
    pub(super) fn iter(&self) -> impl Iterator<Item = (TaskId, &T)> {
        self.slots.iter().enumerate().filter_map(|(index, slot)| {
            let id = TaskId::new(index as u16, slot.generation);
            slot.value.as_ref().map(|value| (id, value))
        })
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_id_finds_nothing_in_the_next_life_of_its_slot() {
        let mut slab = Slab::new(1);
        let old = slab.insert('a').unwrap();
        assert_eq!(slab.insert('b'), None);
        assert_eq!(slab.remove(old), 'a');
        let young = slab.insert('b').unwrap();
        assert_eq!((young.slot(), young.generation()), (old.slot(), 1));
        assert_eq!((slab.get(old), slab.get(young)), (None, Some(&'b')));
        assert_eq!((slab.len(), slab.iter().count()), (1, 1));
    }

    #[test]
    fn a_slab_grows_to_its_capacity_only() {
        let mut slab = Slab::new(3);
        assert_eq!((0..9).filter_map(|n| slab.insert(n)).count(), 3);
        assert_eq!(slab.capacity(), 3);
    }
}
