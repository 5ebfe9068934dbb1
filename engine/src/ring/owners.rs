//! Who a completion belongs to: owners of requests, and how their number travels in `user_data`.
//!
//! Invariants: an owner's number is not reused before its last completion is reaped; memory of a
//! closed owner is kept until then, so that dropping a channel never frees what the kernel may
//! still write.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// A completion as an owner sees it: which of its slots, and what the kernel said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The owner's slot.
    pub slot: u32,
    /// Bytes or a negative errno.
    pub result: i32,
    /// Flags of the completion (MORE, BUFFER, …).
    pub flags: u32,
}

/// Where the completions of one owner gather until it looks.
#[derive(Debug, Default)]
pub struct Inbox {
    arrivals: RefCell<Vec<Arrival>>,
    in_flight: Cell<u32>,
}

impl Inbox {
    /// Moves the arrivals into `to` (which is empty), so that handlers run outside of any borrow.
    pub fn take(&self, to: &mut Vec<Arrival>) {
        debug_assert!(to.is_empty());
        std::mem::swap(&mut *self.arrivals.borrow_mut(), to);
    }

    /// True where nothing has arrived.
    pub fn is_empty(&self) -> bool {
        self.arrivals.borrow().is_empty()
    }

    /// Requests whose last completion is not reaped yet.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.get()
    }
}

struct Owner {
    inbox: Rc<Inbox>,
    /// Set when the owner is gone: what must live until its last completion.
    kept: Option<Box<dyn Any>>,
    open: bool,
}

/// The owners of one ring.
#[derive(Default)]
pub(super) struct Owners {
    list: Vec<Option<Owner>>,
}

/// Owners of one ring at once: the number must fit 16 bits of `user_data`.
const OWNERS_MAX: usize = (1 << 16) - 1;

/// The `user_data` of a message from another ring: it wakes, and belongs to nobody.
pub(super) const WAKE_UP: u64 = u64::MAX;

pub(super) fn encode(owner: u16, slot: u32) -> u64 {
    u64::from(owner) << 48 | u64::from(slot)
}

pub(super) fn decode(user_data: u64) -> (u16, u32) {
    ((user_data >> 48) as u16, user_data as u32)
}

impl Owners {
    pub(super) fn open(&mut self) -> Option<(u16, Rc<Inbox>)> {
        let inbox = Rc::new(Inbox::default());
        let owner = Owner { inbox: Rc::clone(&inbox), kept: None, open: true };
        let free = self.list.iter().position(Option::is_none);
        let number = free.unwrap_or(self.list.len());
        if number == OWNERS_MAX {
            return None;
        }
        match free {
            Some(free) => self.list[free] = Some(owner),
            None => self.list.push(Some(owner)),
        }
        Some((number as u16, inbox))
    }

    /// The owner is gone; `kept` lives until the last of its requests has completed.
    pub(super) fn close(&mut self, number: u16, kept: Box<dyn Any>) {
        let entry = &mut self.list[usize::from(number)];
        let owner = entry.as_mut().expect("an owner is closed once");
        owner.open = false;
        if owner.inbox.in_flight.get() == 0 {
            *entry = None;
        } else {
            owner.kept = Some(kept);
        }
    }

    pub(super) fn submitted(&self, number: u16) {
        let owner = self.list[usize::from(number)].as_ref().expect("only open owners submit");
        owner.inbox.in_flight.set(owner.inbox.in_flight.get() + 1);
    }

    /// Delivers an arrival; gives back what a closed owner left, once nothing is in flight.
    pub(super) fn deliver(
        &mut self,
        user_data: u64,
        result: i32,
        flags: u32,
    ) -> Option<Box<dyn Any>> {
        if user_data == WAKE_UP {
            return None;
        }
        let (number, slot) = decode(user_data);
        let entry = &mut self.list[usize::from(number)];
        let owner = entry.as_mut().expect("an owner outlives its requests");
        if !io_uring::cqueue::more(flags) {
            owner.inbox.in_flight.set(owner.inbox.in_flight.get() - 1);
        }
        if owner.open {
            owner.inbox.arrivals.borrow_mut().push(Arrival { slot, result, flags });
            return None;
        }
        if owner.inbox.in_flight.get() > 0 {
            return None;
        }
        entry.take().and_then(|owner| owner.kept)
    }

    /// What closed owners left and the kernel may still write.
    pub(super) fn take_kept(&mut self) -> Vec<Box<dyn Any>> {
        self.list.iter_mut().flatten().filter_map(|owner| owner.kept.take()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Marked(Rc<Cell<bool>>);

    impl Drop for Marked {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }

    #[test]
    fn memory_of_a_closed_owner_lives_until_its_last_completion() {
        let mut owners = Owners::default();
        let (number, _inbox) = owners.open().unwrap();
        owners.submitted(number);
        owners.submitted(number);
        let freed = Rc::new(Cell::new(false));
        owners.close(number, Box::new(Marked(Rc::clone(&freed))));
        assert!(owners.deliver(encode(number, 1), 0, 0).is_none());
        assert!(!freed.get());
        drop(owners.deliver(encode(number, 0), 0, 0));
        assert!(freed.get());
        assert_eq!(owners.open().unwrap().0, number, "the number is free again");
    }

    #[test]
    fn arrivals_reach_their_owner_alone() {
        let mut owners = Owners::default();
        let (a, inbox_a) = owners.open().unwrap();
        let (b, inbox_b) = owners.open().unwrap();
        owners.submitted(b);
        owners.deliver(encode(b, 7), 512, 0);
        assert!(inbox_a.is_empty() && a != b);
        let mut got = Vec::new();
        inbox_b.take(&mut got);
        assert_eq!(got, [Arrival { slot: 7, result: 512, flags: 0 }]);
        assert_eq!(inbox_b.in_flight(), 0);
    }
}
