//! One server on several cores: whoever comes in at a listener of one core is served by the core that
//! has the fewest connections.
//!
//! Invariants: a connection is counted at its core from the moment it is given there until its end, so
//! that many who come at once are spread like many who come one by one. A core that has closed its
//! door gets nobody.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use byway_engine::cross::Mailbox;
use byway_engine::net::Parked;

use super::guests::Guest;

/// Connections on their way to one core; more stay where they came in.
const HANDED_MAX: usize = 256;

/// The way into one core's server, and from there to the others.
#[derive(Clone, Debug)]
pub struct Door {
    all: Arc<Doors>,
    me: usize,
}

#[derive(Debug)]
struct Doors {
    entrances: Vec<Entrance>,
    /// Who got the last one: of equals the next in turn is taken.
    last: AtomicUsize,
}

struct Entrance {
    handed: Mailbox<Handed>,
    here: AtomicU32,
}

impl fmt::Debug for Entrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entrance({})", self.here.load(Ordering::Relaxed))
    }
}

/// A connection that was accepted by another core.
pub(crate) struct Handed {
    pub(crate) connection: Parked,
    pub(crate) guest: Guest,
    pub(crate) seat: Seat,
}

/// A connection's place at a core, counted while this lives.
pub(crate) struct Seat {
    all: Arc<Doors>,
    pub(crate) at: usize,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.all.entrances[self.at].here.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Door {
    /// Doors of a server on so many cores, one for each.
    #[must_use]
    pub fn of_cores(cores: usize) -> Vec<Door> {
        let entrance = || Entrance { handed: Mailbox::new(HANDED_MAX), here: AtomicU32::new(0) };
        let entrances = (0..cores).map(|_| entrance()).collect();
        // The first goes to the first.
        let last = AtomicUsize::new(cores.saturating_sub(1));
        let all = Arc::new(Doors { entrances, last });
        (0..cores).map(|me| Door { all: Arc::clone(&all), me }).collect()
    }

    /// A place at the core with the fewest connections. Two who choose at the same moment may choose
    /// the same one, and the next who come make up for it.
    pub(crate) fn choose(&self) -> Seat {
        let (entrances, last) = (&self.all.entrances, self.all.last.load(Ordering::Relaxed));
        let in_turn = (1..=entrances.len()).map(|n| (last + n) % entrances.len());
        let open = in_turn.filter(|&at| !entrances[at].handed.is_closed());
        let fewest = open.min_by_key(|&at| entrances[at].here.load(Ordering::Relaxed));
        let at = fewest.unwrap_or(self.me);
        self.all.last.store(at, Ordering::Relaxed);
        self.seat(at)
    }

    /// A place at this core.
    pub(crate) fn own_seat(&self) -> Seat {
        self.seat(self.me)
    }

    fn seat(&self, at: usize) -> Seat {
        self.all.entrances[at].here.fetch_add(1, Ordering::Relaxed);
        Seat { all: Arc::clone(&self.all), at }
    }

    pub(crate) fn is_own(&self, seat: &Seat) -> bool {
        seat.at == self.me
    }

    /// Gives a connection to the core where it has its seat; back where that takes no more.
    pub(crate) fn hand_over(&self, handed: Handed) -> Result<(), Handed> {
        self.all.entrances[handed.seat.at].handed.put(handed)
    }

    /// The next connection for this core; nothing where its door is closed.
    pub(crate) async fn next(&self) -> Option<Handed> {
        self.all.entrances[self.me].handed.next().await
    }

    /// Nobody else is given to this core; who is on the way is turned away.
    pub(crate) fn close(&self) {
        let handed = &self.all.entrances[self.me].handed;
        handed.close();
        while handed.try_next().is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_come_are_spread_and_a_closed_door_gets_nobody() {
        let doors = Door::of_cores(3);
        let seats: Vec<_> = (0..6).map(|_| doors[0].choose()).collect();
        assert_eq!(seats.iter().map(|seat| seat.at).collect::<Vec<_>>(), [0, 1, 2, 0, 1, 2]);
        let mut seats = seats;
        drop(seats.remove(1));
        assert_eq!(doors[2].choose().at, 1, "the fewest are there");
        doors[0].close();
        assert_ne!(doors[1].choose().at, 0);
        doors[1].close();
        doors[2].close();
        assert_eq!(doors[1].choose().at, 1, "where it came in, where all are closed");
    }
}
