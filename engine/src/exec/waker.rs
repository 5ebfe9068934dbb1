//! Wakers that are plain numbers: core, generation and slot in 64 bits.
//!
//! Cloning copies a number, dropping does nothing, and waking a task of the running core pushes to
//! a thread-local list: no atomics, no allocation. Waking from elsewhere goes through the core's
//! mailbox. A stale number wakes nothing (generations of 20 bits; a wrap gives a spurious wake-up,
//! which a future must bear anyway).

use std::cell::{Cell, RefCell};
use std::ptr;
use std::task::{RawWaker, RawWakerVTable, Waker};

use crate::cross::remote;

/// Cores alive in one process at once (12 bits of a waker).
pub const CORES_MAX: usize = 1 << 12;
const GENERATION_BITS: u32 = 20;
pub(super) const GENERATION_MASK: u32 = (1 << GENERATION_BITS) - 1;

/// Names a core of this process while it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CoreId(pub(crate) u16);

impl CoreId {
    /// The number, below [`CORES_MAX`].
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// Names a task of a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TaskId {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

const NO_CORE: u16 = u16::MAX;

thread_local! {
    /// The core whose turn runs on this thread.
    static CURRENT: Cell<u16> = const { Cell::new(NO_CORE) };
    /// Tasks woken on this thread, for whichever core ran then.
    static WOKEN: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
    /// Tasks to end, likewise.
    static ABORTED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// Makes `core` the one that runs on this thread until the guard is dropped.
pub(crate) fn enter_core(core: CoreId) -> CurrentGuard {
    CurrentGuard { before: CURRENT.replace(core.0) }
}

pub(crate) struct CurrentGuard {
    before: u16,
}

impl Drop for CurrentGuard {
    fn drop(&mut self) {
        CURRENT.set(self.before);
    }
}

fn pack(core: CoreId, id: TaskId) -> u64 {
    let generation = u64::from(id.generation & GENERATION_MASK);
    u64::from(core.0) << 52 | generation << 32 | u64::from(id.slot)
}

pub(crate) fn unpack(word: u64) -> (CoreId, TaskId) {
    let generation = (word >> 32) as u32 & GENERATION_MASK;
    (CoreId((word >> 52) as u16), TaskId { slot: word as u32, generation })
}

/// Hands the tasks of `core` that were woken on this thread to `ready`, which wakes nothing.
#[inline]
pub(super) fn take_local(core: CoreId, mut ready: impl FnMut(TaskId)) {
    WOKEN.with_borrow_mut(|woken| {
        woken.retain(|&word| {
            let (owner, id) = unpack(word);
            if owner == core {
                ready(id);
            }
            owner != core
        });
    });
}

/// Takes the tasks of `core` that are to be ended; allocates nothing where there are none.
pub(super) fn take_aborted(core: CoreId) -> Vec<TaskId> {
    let of_core = |word: &mut u64| unpack(*word).0 == core;
    ABORTED.with_borrow_mut(|aborted| {
        aborted.extract_if(.., of_core).map(|word| unpack(word).1).collect()
    })
}

#[inline]
pub(super) fn has_local(core: CoreId) -> bool {
    let of_core = |words: &Vec<u64>| words.iter().any(|&word| unpack(word).0 == core);
    WOKEN.with_borrow(of_core) || ABORTED.with_borrow(of_core)
}

/// Ends a task at its core's next turn. Called on the core's own thread (handles are not `Send`).
pub(super) fn request_abort(core: CoreId, id: TaskId) {
    ABORTED.with_borrow_mut(|aborted| aborted.push(pack(core, id)));
}

#[inline]
fn wake(word: u64) {
    let (core, _) = unpack(word);
    if CURRENT.get() == core.0 {
        WOKEN.with_borrow_mut(|woken| woken.push(word));
    } else {
        remote::wake_task(core, word);
    }
}

/// A waker for a task of a core.
#[inline]
pub(super) fn waker(core: CoreId, id: TaskId) -> Waker {
    let word = pack(core, id) as usize;
    // SAFETY: the table's functions treat the pointer as a number, never as an address; they are
    // thread-safe, as the number is copied and both ways to wake take it by value.
    unsafe { Waker::from_raw(RawWaker::new(ptr::without_provenance(word), &VTABLE)) }
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(
    |data| RawWaker::new(data, &VTABLE),
    |data| wake(data.addr() as u64),
    |data| wake(data.addr() as u64),
    |_| {},
);

const _: () = assert!(usize::BITS == 64, "wakers pack core, generation and slot into 64 bits");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_task_comes_back_whole() {
        let id = TaskId { slot: u32::MAX, generation: GENERATION_MASK };
        assert_eq!(unpack(pack(CoreId(0xffe), id)), (CoreId(0xffe), id));
    }

    #[test]
    fn a_local_wake_reaches_its_core_alone() {
        let (core, other) = (CoreId(77), CoreId(78));
        let id = TaskId { slot: 3, generation: 9 };
        let guard = enter_core(core);
        waker(core, id).wake_by_ref();
        drop(guard);
        let mut got = Vec::new();
        take_local(other, |id| got.push(id));
        assert!(got.is_empty() && has_local(core));
        take_local(core, |id| got.push(id));
        assert_eq!(got, [id]);
    }
}
