//! A bounded ring from one core to one other, without atomics beyond two indices.
//!
//! Invariants: `head` is written by the consumer alone, `tail` by the producer alone; slots in
//! `head..tail` are filled; both sides keep a copy of the other's index and look at the shared one
//! only when the copy says full or empty, so a busy ring moves no cache line per message.

use std::mem::MaybeUninit;

use super::sync::{Arc, AtomicUsize, Ordering, UnsafeCell};

/// An index on a cache line of its own (two lines: processors fetch them in pairs).
#[repr(align(128))]
struct Index(AtomicUsize);

struct Shared<T> {
    head: Index,
    tail: Index,
    slots: Box<[UnsafeCell<MaybeUninit<T>>]>,
}

// SAFETY: a slot is touched by one side at a time, handed over by the release store of an index.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<T> {}

/// The sending end.
pub struct Producer<T> {
    shared: Arc<Shared<T>>,
    tail: usize,
    head_seen: usize,
}

/// The receiving end.
pub struct Consumer<T> {
    shared: Arc<Shared<T>>,
    head: usize,
    tail_seen: usize,
}

/// A ring for `capacity` messages, rounded up to a power of two.
pub fn ring<T: Send>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    let slots = (0..capacity.max(1).next_power_of_two())
        .map(|_| UnsafeCell::new(MaybeUninit::uninit()))
        .collect();
    let (head, tail) = (Index(AtomicUsize::new(0)), Index(AtomicUsize::new(0)));
    let shared = Arc::new(Shared { head, tail, slots });
    let producer = Producer { shared: Arc::clone(&shared), tail: 0, head_seen: 0 };
    (producer, Consumer { shared, head: 0, tail_seen: 0 })
}

impl<T> Shared<T> {
    fn slot(&self, index: usize) -> &UnsafeCell<MaybeUninit<T>> {
        &self.slots[index & (self.slots.len() - 1)]
    }
}

impl<T: Send> Producer<T> {
    /// Sends a message, or gives it back when the ring is full.
    #[inline]
    pub fn push(&mut self, message: T) -> Result<(), T> {
        if self.tail.wrapping_sub(self.head_seen) == self.shared.slots.len() {
            self.head_seen = self.shared.head.0.load(Ordering::Acquire);
            if self.tail.wrapping_sub(self.head_seen) == self.shared.slots.len() {
                return Err(message);
            }
        }
        self.shared.slot(self.tail).with_mut(|slot| {
            // SAFETY: the slot is outside of head..tail, so the consumer does not touch it.
            let slot = unsafe { &mut *slot };
            slot.write(message);
        });
        self.tail = self.tail.wrapping_add(1);
        self.shared.tail.0.store(self.tail, Ordering::Release);
        Ok(())
    }
}

impl<T: Send> Consumer<T> {
    /// Takes the oldest message.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        if self.is_empty() {
            return None;
        }
        let message = self.shared.slot(self.head).with_mut(|slot| {
            // SAFETY: the slot is inside head..tail, so the producer does not touch it.
            let slot = unsafe { &*slot };
            // SAFETY: slots inside head..tail are filled, and this one leaves it below.
            unsafe { slot.assume_init_read() }
        });
        self.head = self.head.wrapping_add(1);
        self.shared.head.0.store(self.head, Ordering::Release);
        Some(message)
    }

    /// True where nothing is there at this moment.
    #[inline]
    pub fn is_empty(&mut self) -> bool {
        if self.head == self.tail_seen {
            self.tail_seen = self.shared.tail.0.load(Ordering::Acquire);
        }
        self.head == self.tail_seen
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        let (head, tail) =
            (self.head.0.load(Ordering::Relaxed), self.tail.0.load(Ordering::Relaxed));
        let mut index = head;
        while index != tail {
            self.slot(index).with_mut(|slot| {
                // SAFETY: both ends are gone: nobody else touches the slots.
                let slot = unsafe { &mut *slot };
                // SAFETY: slots in head..tail are filled, and each is visited once.
                unsafe { slot.assume_init_drop() };
            });
            index = index.wrapping_add(1);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::rc::Rc;

    use super::*;

    #[test]
    fn a_full_ring_gives_the_message_back() {
        let (mut to, mut from) = ring(2);
        to.push(1).unwrap();
        to.push(2).unwrap();
        assert_eq!(to.push(3), Err(3));
        assert_eq!((from.pop(), from.pop(), from.pop()), (Some(1), Some(2), None));
        to.push(3).unwrap();
        assert_eq!(from.pop(), Some(3));
    }

    #[test]
    fn messages_left_in_the_ring_are_dropped() {
        let counted = std::sync::Arc::new(());
        let (mut to, from) = ring(4);
        to.push(std::sync::Arc::clone(&counted)).unwrap();
        drop((to, from));
        assert_eq!(std::sync::Arc::strong_count(&counted), 1);
        let _not_send_is_fine_elsewhere = Rc::new(());
    }

    #[test]
    fn order_holds_across_threads() {
        let (mut to, mut from) = ring(8);
        let sender = std::thread::spawn(move || {
            for n in 0..20_000u32 {
                let mut message = n;
                while let Err(back) = to.push(message) {
                    message = back;
                    std::thread::yield_now();
                }
            }
        });
        for expected in 0..20_000 {
            let got = loop {
                match from.pop() {
                    Some(got) => break got,
                    None => std::thread::yield_now(),
                }
            };
            assert_eq!(got, expected);
        }
        sender.join().unwrap();
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use loom::thread;

    use super::*;
    use crate::cross::doorbell::Doorbell;

    #[test]
    fn loom_messages_arrive_once_in_order() {
        loom::model(|| {
            let (mut to, mut from) = ring(2);
            let sender = thread::spawn(move || {
                for n in 0..3 {
                    let mut message = n;
                    while let Err(back) = to.push(message) {
                        message = back;
                        thread::yield_now();
                    }
                }
            });
            let mut expected = 0;
            while expected < 3 {
                match from.pop() {
                    Some(got) => {
                        assert_eq!(got, expected);
                        expected += 1;
                    }
                    None => thread::yield_now(),
                }
            }
            sender.join().unwrap();
            assert_eq!(from.pop(), None);
        });
    }

    #[test]
    fn loom_a_sleeper_is_never_left_with_a_message() {
        loom::model(|| {
            let bell = Arc::new(Doorbell::new());
            let (mut to, mut from) = ring(2);
            let theirs = Arc::clone(&bell);
            let sender = thread::spawn(move || {
                to.push(1).unwrap();
                theirs.must_wake()
            });
            bell.announce_sleep();
            let found = from.pop().is_some();
            let woken = sender.join().unwrap();
            assert!(found || woken, "asleep with a message in the ring and nobody to wake it");
        });
    }
}
