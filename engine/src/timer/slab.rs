//! The timers of a wheel: one vector of nodes, linked into a list per slot.
//!
//! Invariants: a node is either on the free list or in exactly one slot; its generation grows when
//! it is freed, so that a key to an earlier timer finds nothing.

/// Ends a list, and stands for no node.
pub(super) const NONE: u32 = u32::MAX;

/// Names a timer until it expires or is cancelled; afterwards it names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimerKey {
    index: u32,
    generation: u32,
}

/// One timer, or a free node.
#[derive(Debug)]
struct Node<T> {
    value: Option<T>,
    deadline_ns: u64,
    generation: u32,
    next: u32,
    prev: u32,
    slot: u16,
}

/// A list of nodes in the order in which they were linked.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    pub(super) head: u32,
    tail: u32,
}

impl List {
    pub(super) const EMPTY: List = List { head: NONE, tail: NONE };

    pub(super) fn is_empty(&self) -> bool {
        self.head == NONE
    }
}

/// All nodes; grows while there are more timers than ever before, and never shrinks.
#[derive(Debug)]
pub(super) struct Slab<T> {
    nodes: Vec<Node<T>>,
    free: u32,
    used: usize,
}

impl<T> Slab<T> {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Slab { nodes: Vec::with_capacity(capacity), free: NONE, used: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.used
    }

    /// A node for `value`, in no list yet.
    pub(super) fn insert(&mut self, deadline_ns: u64, value: T) -> TimerKey {
        self.used += 1;
        let value = Some(value);
        if let Some(node) = self.nodes.get_mut(self.free as usize) {
            let key = TimerKey { index: self.free, generation: node.generation };
            self.free = node.next;
            (node.value, node.deadline_ns) = (value, deadline_ns);
            return key;
        }
        assert!(self.nodes.len() < NONE as usize, "timers are numbered with 32 bits");
        let index = self.nodes.len() as u32;
        let node = Node { value, deadline_ns, generation: 0, next: NONE, prev: NONE, slot: 0 };
        self.nodes.push(node);
        TimerKey { index, generation: 0 }
    }

    /// Frees a node that is in no list any more.
    pub(super) fn remove(&mut self, index: u32) -> T {
        let node = &mut self.nodes[index as usize];
        let value = node.value.take().expect("a listed node holds a timer");
        node.generation = node.generation.wrapping_add(1);
        node.next = self.free;
        self.free = index;
        self.used -= 1;
        value
    }

    /// The node and slot of a timer that is still running.
    pub(super) fn find(&self, key: TimerKey) -> Option<(u32, u16)> {
        let node = self.nodes.get(key.index as usize)?;
        let is_running = node.generation == key.generation && node.value.is_some();
        is_running.then_some((key.index, node.slot))
    }

    pub(super) fn index_of(key: TimerKey) -> u32 {
        key.index
    }

    pub(super) fn deadline_ns(&self, index: u32) -> u64 {
        self.nodes[index as usize].deadline_ns
    }

    pub(super) fn next(&self, index: u32) -> u32 {
        self.nodes[index as usize].next
    }

    /// Appends a node to the list of `slot`.
    pub(super) fn link(&mut self, list: &mut List, index: u32, slot: u16) {
        let tail = list.tail;
        let node = &mut self.nodes[index as usize];
        (node.prev, node.next, node.slot) = (tail, NONE, slot);
        match self.nodes.get_mut(tail as usize) {
            Some(before) => before.next = index,
            None => list.head = index,
        }
        list.tail = index;
    }

    /// Takes a node out of the list it is in.
    pub(super) fn unlink(&mut self, list: &mut List, index: u32) {
        let Node { prev, next, .. } = self.nodes[index as usize];
        match self.nodes.get_mut(prev as usize) {
            Some(before) => before.next = next,
            None => list.head = next,
        }
        match self.nodes.get_mut(next as usize) {
            Some(after) => after.prev = prev,
            None => list.tail = prev,
        }
    }
}
