//! The clients of all servers of a process: how many there may be, how many each core has, and who comes
//! after whom.
//!
//! Servers on several cores share this. It is asked when a connection comes or goes and at no other
//! time, so a lock between cores costs the data path nothing.

use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use super::succession::Names;

/// Who is there, at all servers that share it.
pub struct Guests {
    max: u32,
    here: AtomicU32,
    /// Of them, those that were given to each core.
    at_cores: Vec<AtomicU32>,
    /// The core that got the last one: of equals the next in turn is taken.
    last: AtomicUsize,
    names: Mutex<Names>,
}

impl Guests {
    /// At most so many connections at once, those in their handshake included, on so many cores.
    #[must_use]
    pub fn new(max: u32, cores: usize) -> Arc<Guests> {
        let at_cores = (0..cores).map(|_| AtomicU32::new(0)).collect();
        // The first goes to the first.
        let last = AtomicUsize::new(cores.saturating_sub(1));
        Arc::new(Guests { max, here: AtomicU32::new(0), at_cores, last, names: Mutex::default() })
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

    /// A place at the core with the fewest connections among those that are open, if any is. Two who
    /// choose at the same moment may choose the same one, and the next who come make up for it.
    pub(crate) fn choose(self: &Arc<Self>, is_open: impl Fn(usize) -> bool) -> Option<Seat> {
        let (cores, last) = (self.at_cores.len(), self.last.load(Ordering::Relaxed));
        let in_turn = (1..=cores).map(|n| (last + n) % cores).filter(|&core| is_open(core));
        let fewest = in_turn.min_by_key(|&core| self.at_cores[core].load(Ordering::Relaxed))?;
        self.last.store(fewest, Ordering::Relaxed);
        Some(self.seat(fewest))
    }

    /// A place at that core.
    pub(crate) fn seat(self: &Arc<Self>, core: usize) -> Seat {
        self.at_cores[core].fetch_add(1, Ordering::Relaxed);
        Seat { guests: Arc::clone(self), core }
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

/// A connection's place at a core, counted while this lives.
#[derive(Debug)]
pub(crate) struct Seat {
    guests: Arc<Guests>,
    pub(crate) core: usize,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.guests.at_cores[self.core].fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_its_guest_has_left() {
        let guests = Guests::new(2, 1);
        let (one, two) = (guests.enter(), guests.enter());
        assert!(one.is_some() && two.is_some() && guests.enter().is_none());
        drop(one);
        assert!(guests.enter().is_some());
        assert_eq!(guests.here(), 1);
    }
}
