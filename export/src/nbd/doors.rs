//! One server on several cores: whoever comes in at a listener of one core is served by the core that
//! has the fewest connections.
//!
//! Invariants: a connection is counted at its core from the moment it is given there until its end, so
//! that many who come at once are spread like many who come one by one; the count is that of all servers
//! together. A core that has closed its door gets nobody.

use std::sync::Arc;

use byway_engine::cross::Mailbox;
use byway_engine::net::Parked;

use super::guests::{Guest, Guests, Seat};

/// Connections on their way to one core; more stay where they came in.
const HANDED_MAX: usize = 256;

/// The way into one core's part of a server, and from there to the others.
#[derive(Clone, Debug)]
pub struct Door {
    entrances: Arc<[Mailbox<Handed>]>,
    guests: Arc<Guests>,
    me: usize,
}

/// A connection that was accepted by another core.
#[derive(Debug)]
pub(crate) struct Handed {
    pub(crate) connection: Parked,
    pub(crate) guest: Guest,
    pub(crate) seat: Seat,
}

impl Door {
    /// Doors of a server, one for each of so many cores. Servers with the same guests, which are those of
    /// as many cores, share the cores fairly.
    #[must_use]
    pub fn of_cores(cores: usize, guests: &Arc<Guests>) -> Vec<Door> {
        let entrances: Arc<[_]> = (0..cores).map(|_| Mailbox::new(HANDED_MAX)).collect();
        let door = |me| Door { entrances: Arc::clone(&entrances), guests: Arc::clone(guests), me };
        (0..cores).map(door).collect()
    }

    /// Who comes in here is counted there.
    pub(crate) fn guests(&self) -> &Arc<Guests> {
        &self.guests
    }

    /// A place at the core with the fewest connections; here where all doors are closed.
    pub(crate) fn choose(&self) -> Seat {
        let is_open = |core: usize| !self.entrances[core].is_closed();
        self.guests.choose(is_open).unwrap_or_else(|| self.own_seat())
    }

    /// A place at this core.
    pub(crate) fn own_seat(&self) -> Seat {
        self.guests.seat(self.me)
    }

    pub(crate) fn is_own(&self, seat: &Seat) -> bool {
        seat.core == self.me
    }

    /// Gives a connection to the core where it has its seat; back where that takes no more.
    pub(crate) fn hand_over(&self, handed: Handed) -> Result<(), Handed> {
        self.entrances[handed.seat.core].put(handed)
    }

    /// The next connection for this core; nothing where its door is closed.
    pub(crate) async fn next(&self) -> Option<Handed> {
        self.entrances[self.me].next().await
    }

    /// Nobody else is given to this core; who is on the way is turned away.
    pub(crate) fn close(&self) {
        let entrance = &self.entrances[self.me];
        entrance.close();
        while entrance.try_next().is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_come_are_spread_and_a_closed_door_gets_nobody() {
        let guests = Guests::new(100, 3);
        let doors = Door::of_cores(3, &guests);
        let mut seats: Vec<_> = (0..6).map(|_| doors[0].choose()).collect();
        assert_eq!(seats.iter().map(|seat| seat.core).collect::<Vec<_>>(), [0, 1, 2, 0, 1, 2]);
        drop(seats.remove(1));
        assert_eq!(doors[2].choose().core, 1, "the fewest are there");
        let others = Door::of_cores(3, &guests);
        assert_eq!(others[0].choose().core, 1, "also for another server");
        doors[0].close();
        assert_ne!(doors[1].choose().core, 0);
        doors[1].close();
        doors[2].close();
        assert_eq!(doors[1].choose().core, 1, "where it came in, where all are closed");
    }
}
