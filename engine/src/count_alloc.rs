//! An allocator that counts: the proof that the data path does not allocate.
//!
//! It hands everything to the system's allocator, and counts the blocks that the calling thread took
//! and the bytes that it has not given back.
//! A program installs it with `#[global_allocator]`; where it is not installed the count stays 0.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static LIVE: Cell<i64> = const { Cell::new(0) };
}

/// The system's allocator, with a count per thread.
#[derive(Debug, Default)]
pub struct CountingAllocator;

/// Allocations of the calling thread so far (growing a block counts as one).
pub fn allocations() -> u64 {
    ALLOCATIONS.try_with(Cell::get).unwrap_or(0)
}

/// Bytes that the calling thread took and did not give back. What another thread gives back counts
/// there, so the number of a thread may be negative.
pub fn live_bytes() -> i64 {
    LIVE.try_with(Cell::get).unwrap_or(0)
}

fn count(bytes: usize) {
    // A thread that is ending has no counter any more; nobody reads it either.
    let _thread_is_ending = ALLOCATIONS.try_with(|n| n.set(n.get() + 1));
    grew(bytes, 0);
}

fn grew(taken: usize, given: usize) {
    // Blocks are shorter than half of the address space.
    let (taken, given) = (taken as i64, given as i64);
    let _thread_is_ending = LIVE.try_with(|n| n.set(n.get() + taken - given));
}

// SAFETY: every call goes to the system's allocator unchanged; the counter does not allocate.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promises are those of the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        grew(0, layout.size());
        // SAFETY: as above: `ptr` came from the system's allocator with this layout.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as for `alloc`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        grew(0, layout.size());
        // SAFETY: as for `dealloc`, and the caller promises a size that is not zero.
        unsafe { System.realloc(ptr, layout, size) }
    }
}
