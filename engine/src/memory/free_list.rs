//! A lock-free stack of slot numbers: who frees a lease need not be who took it.
//!
//! Treiber's stack over indices. The links live in a side table, so an entry's bytes are never
//! touched; the head carries a tag that changes at every pop, which defeats the ABA problem.
//! Links of slots that were never freed cost no resident memory (the table is zero pages).

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// A stack of slots that are free. All methods may be called from any thread.
#[derive(Debug, Default)]
pub(crate) struct FreeList {
    /// Tag in the high half, slot plus one in the low half: zeroed memory is an empty list.
    head: AtomicU64,
}

impl FreeList {
    /// Puts `slot` on the list; `links` is the side table shared by all lists of an arena.
    pub(crate) fn push(&self, slot: u32, links: &[AtomicU32]) {
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            links[slot as usize].store(low(head), Ordering::Relaxed);
            let next = pack(high(head), slot + 1);
            match self.head.compare_exchange_weak(head, next, Ordering::Release, Ordering::Relaxed)
            {
                Ok(_) => return,
                Err(seen) => head = seen,
            }
        }
    }

    /// Takes a slot from the list, if there is one.
    pub(crate) fn pop(&self, links: &[AtomicU32]) -> Option<u32> {
        let mut head = self.head.load(Ordering::Acquire);
        loop {
            let slot = low(head).checked_sub(1)?;
            let below = links[slot as usize].load(Ordering::Relaxed);
            let next = pack(high(head).wrapping_add(1), below);
            match self.head.compare_exchange_weak(head, next, Ordering::Acquire, Ordering::Acquire)
            {
                Ok(_) => return Some(slot),
                Err(seen) => head = seen,
            }
        }
    }
}

fn pack(tag: u32, entry: u32) -> u64 {
    u64::from(tag) << 32 | u64::from(entry)
}

fn low(head: u64) -> u32 {
    head as u32
}

fn high(head: u64) -> u32 {
    (head >> 32) as u32
}
