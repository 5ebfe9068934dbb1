//! A gate in front of the writes of a device that reconnects by itself.
//!
//! A device closes the gate whenever a way to the medium is lost: what it had accepted and cannot
//! prove to be done fails, and nothing is written until the owner has looked at the world and opens
//! the gate again. So a node that was fenced while it was cut off never replays a write.
//!
//! Invariant: an opening names the closing that it answers; one that came too late opens nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The lowest bit: open. Above it the number of closings.
const OPEN: u64 = 1;

/// Shared by the device that closes it and the owner that opens it.
#[derive(Clone, Debug)]
pub struct WriteGate {
    word: Arc<AtomicU64>,
}

/// Names a closing of a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Closing(u64);

impl Default for WriteGate {
    fn default() -> WriteGate {
        WriteGate::new()
    }
}

impl WriteGate {
    /// A closed gate.
    pub fn new() -> WriteGate {
        WriteGate { word: Arc::new(AtomicU64::new(0)) }
    }

    /// True where writes may pass.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.word.load(Ordering::Acquire) & OPEN != 0
    }

    /// Closes the gate, and names this closing.
    pub fn close(&self) -> Closing {
        let step = |word: u64| Some(((word >> 1) + 1) << 1);
        let before = self.word.fetch_update(Ordering::AcqRel, Ordering::Acquire, step);
        Closing((before.unwrap_or_else(|word| word) >> 1) + 1)
    }

    /// The newest closing, to be answered by [`WriteGate::open`] after the world was looked at.
    pub fn closing(&self) -> Closing {
        Closing(self.word.load(Ordering::Acquire) >> 1)
    }

    /// Opens the gate, unless it was closed again after `closing`; tells whether it is open.
    pub fn open(&self, closing: Closing) -> bool {
        let (closed, open) = (closing.0 << 1, closing.0 << 1 | OPEN);
        let swapped = self.word.compare_exchange(closed, open, Ordering::AcqRel, Ordering::Acquire);
        swapped.is_ok() || swapped == Err(open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_opening_opens_nothing() {
        let gate = WriteGate::new();
        assert!(!gate.is_open());
        let first = gate.closing();
        assert!(gate.open(first) && gate.is_open());
        let second = gate.close();
        assert!(!gate.is_open() && second > first);
        assert!(!gate.open(first), "the world was looked at before the second closing");
        assert!(gate.open(second) && gate.open(second));
    }
}
