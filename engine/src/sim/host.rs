//! A host of a simulated world, as the core that runs on it sees it.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use super::net::Net;

/// Names a host of a world, across its crashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub(super) usize);

impl HostId {
    /// The number, in the order in which hosts were added.
    pub fn index(self) -> usize {
        self.0
    }
}

impl fmt::Display for HostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "host {}", self.0)
    }
}

/// One life of a host: what its core's driver is until it crashes.
pub struct SimHost {
    id: HostId,
    /// Rises with every restart: what an earlier life opened is not this one's.
    life: u64,
    net: Rc<RefCell<Net>>,
}

impl SimHost {
    pub(super) fn new(id: HostId, life: u64, net: Rc<RefCell<Net>>) -> SimHost {
        SimHost { id, life, net }
    }

    /// The host.
    pub fn id(&self) -> HostId {
        self.id
    }

    /// How often it was restarted.
    pub fn life(&self) -> u64 {
        self.life
    }

    /// Random bytes, as the seed decides.
    pub(crate) fn random(&self, bytes: &mut [u8]) {
        self.net.borrow_mut().random(bytes);
    }

    pub(super) fn net(&self) -> &RefCell<Net> {
        &self.net
    }
}
