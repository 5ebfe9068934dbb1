//! Written without I/O, so that AddressSanitizer, valgrind and (where installed) Miri can run it.

use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

fn arena(mib: usize) -> Arena {
    Arena::new(ArenaConfig { len: mib << 20, huge: false }).unwrap()
}

#[test]
fn a_lease_is_zero_aligned_and_exclusive() {
    let arena = arena(2);
    let mut leases: Vec<Lease> = (0..512).map(|_| arena.lease(4096).unwrap()).collect();
    assert!(arena.lease(1).is_none(), "2 MiB hold 512 slots of 4 KiB and nothing else");
    for (i, lease) in leases.iter_mut().enumerate() {
        assert_eq!(lease.as_ptr() as usize % 4096, 0);
        assert!(lease.iter().all(|&b| b == 0));
        lease.fill(i as u8);
    }
    for (i, lease) in leases.iter().enumerate() {
        assert!(lease.iter().all(|&b| b == i as u8), "lease {i} was written by another");
    }
}

#[test]
fn a_dropped_lease_is_taken_again() {
    let arena = arena(2);
    let first = arena.lease(LEASE_LEN_MAX).unwrap();
    assert!(arena.lease(512).is_none());
    drop(first);
    assert_eq!(arena.lease(LEASE_LEN_MAX).unwrap().capacity(), LEASE_LEN_MAX);
}

#[test]
fn a_small_lease_takes_a_larger_slot_when_its_own_class_is_empty() {
    let arena = arena(2);
    drop(arena.lease(1 << 20).unwrap());
    let lease = arena.lease(512).unwrap();
    assert_eq!((lease.len(), lease.capacity()), (512, 1 << 20));
}

#[test]
fn out_of_bounds_lengths_get_nothing() {
    let arena = arena(4);
    assert!(arena.lease(0).is_none());
    assert!(arena.lease(LEASE_LEN_MAX + 1).is_none());
    let too_large = ArenaConfig { len: usize::MAX / 4, huge: false };
    assert!(Arena::new(too_large).unwrap_err().to_string().contains("use at most"));
}

#[test]
fn parts_of_a_lease_are_disjoint_and_free_the_slot_last() {
    let arena = arena(2);
    let mut tail = arena.lease(LEASE_LEN_MAX).unwrap();
    let mut head = tail.split_to(4096);
    head.fill(1);
    tail.fill(2);
    assert!(head.iter().all(|&b| b == 1) && tail.iter().all(|&b| b == 2));
    drop(tail);
    assert!(arena.lease(512).is_none(), "a part is still out");
    drop(head);
    assert!(arena.lease(LEASE_LEN_MAX).is_some());
}

#[test]
fn parts_rejoin_only_in_order() {
    let arena = arena(2);
    let mut c = arena.lease(3 * 512).unwrap();
    let mut a = c.split_to(512);
    let b = c.split_to(512);
    let c = a.rejoin(c).unwrap_err();
    a.rejoin(b).unwrap();
    a.rejoin(c).unwrap();
    assert_eq!((a.len(), a.capacity()), (1536, 2048));
    let other = arena.lease(512).unwrap();
    assert!(a.rejoin(other).is_err());
}

#[test]
#[should_panic(expected = "beyond the segment")]
fn a_length_beyond_the_capacity_is_a_bug() {
    arena(2).lease(512).unwrap().set_len(513);
}

#[test]
fn a_segment_copies_as_a_device_would() {
    let arena = arena(2);
    let mut segment = Segment::from(arena.lease(1024).unwrap());
    segment.fill(7);
    segment.copy_from(10, b"byway");
    let mut out = [0; 7];
    segment.copy_to(9, &mut out);
    assert_eq!(&out, b"\x07byway\x07");
    assert_eq!(&segment.into_lease().unwrap()[10..15], b"byway");
}

struct Keeper(Arc<AtomicBool>, #[expect(dead_code, reason = "holds the memory")] Vec<u64>);

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

#[test]
fn foreign_memory_outlives_its_last_segment() {
    let gone = Arc::new(AtomicBool::new(false));
    let mut memory = vec![0u64; 128];
    let base = NonNull::new(memory.as_mut_ptr().cast()).unwrap();
    let keeper = Box::new(Keeper(Arc::clone(&gone), memory));
    // SAFETY: the keeper owns the vector, whose heap block does not move; no reference to it is used.
    let region = unsafe { Region::foreign(base, 1024, keeper) };
    let mut segment = region.segment(512, 512).unwrap();
    assert!(region.segment(513, 512).is_none());
    assert_eq!(region.in_use(1), 1);
    drop(region);
    segment.fill(3);
    assert!(!gone.load(Ordering::Acquire), "a segment still holds the region");
    assert!(segment.into_lease().is_err(), "foreign memory gives no references");
    assert!(gone.load(Ordering::Acquire));
}

#[test]
fn leases_cross_threads_and_come_home() {
    let arena = arena(2);
    let threads: Vec<_> = (0..4u8)
        .map(|t| {
            let arena = arena.clone();
            std::thread::spawn(move || {
                for i in 0..500u32 {
                    let Some(mut lease) = arena.lease(512 << (i % 4)) else {
                        continue;
                    };
                    lease.fill(t);
                    assert!(lease.iter().all(|&b| b == t));
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|t| t.join().unwrap());
    assert!(arena.region().in_use(1) == 0);
}
