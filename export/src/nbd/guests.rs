//! The clients of all servers of a process: how many there may be, and who comes after whom.
//!
//! Servers on several cores share this. It is asked when a connection comes or goes and at no other
//! time, so a lock between cores costs the data path nothing.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use super::succession::Names;

/// Who is there, at all servers that share it.
pub struct Guests {
    max: u32,
    here: AtomicU32,
    names: Mutex<Names>,
}

impl Guests {
    /// At most so many connections at once, those in their handshake included.
    #[must_use]
    pub fn new(max: u32) -> Arc<Guests> {
        Arc::new(Guests { max, here: AtomicU32::new(0), names: Mutex::default() })
    }

    /// Connections at this moment.
    #[must_use]
    pub fn here(&self) -> u32 {
        self.here.load(Ordering::Relaxed)
    }

    /// Lets one more in, where there is room.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<Guest> {
        let more = |here: u32| (here < self.max).then_some(here + 1);
        let entered = self.here.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        entered.ok().map(|_| Guest(Arc::clone(self)))
    }

    /// The names of clients. Nothing is called that could panic while they are held.
    pub(crate) fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the names, and wakes whoever waits for a change.
    pub(crate) fn change_names<T>(&self, change: impl FnOnce(&mut Names) -> T) -> T {
        let mut names = self.names();
        let value = change(&mut names);
        let waiting = names.take_waiting();
        drop(names);
        waiting.into_iter().for_each(Waker::wake);
        value
    }
}

impl fmt::Debug for Guests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guests({} of {})", self.here(), self.max)
    }
}

/// One connection, counted while this lives.
#[derive(Debug)]
pub(crate) struct Guest(Arc<Guests>);

impl Drop for Guest {
    fn drop(&mut self) {
        self.0.here.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_its_guest_has_left() {
        let guests = Guests::new(2);
        let (one, two) = (guests.enter(), guests.enter());
        assert!(one.is_some() && two.is_some() && guests.enter().is_none());
        drop(one);
        assert!(guests.enter().is_some());
        assert_eq!(guests.here(), 1);
    }
}
