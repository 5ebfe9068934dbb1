//! What a core looks after in every turn: channels, rings to other threads, device queues.

use std::rc::Rc;

use super::Core;
use crate::block::WaitSource;

/// Something that every turn flushes and polls.
pub trait Polled {
    /// Sends what was gathered since the last turn.
    fn flush(&self);

    /// Handles what is done; tells how much that was.
    fn poll(&self, core: &Rc<Core>) -> usize;

    /// What to wait for, or `None` while nothing is in flight.
    fn wait_source(&self) -> Option<WaitSource>;

    /// The core is about to sleep: arm notifications. False where work is there already.
    fn arm(&self) -> bool {
        true
    }

    /// The core is awake again.
    fn disarm(&self) {}
}
