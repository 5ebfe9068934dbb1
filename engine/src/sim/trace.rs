//! What happened in a simulated run, in order: a hash of it always, every line of it on request.
//!
//! Invariant: equal hashes of two runs mean equal runs, so everything that the seed decides and a
//! task can see is noted: turns of hosts, ends of requests with their bytes, arrivals.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

/// One thing that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceLine {
    /// Virtual time in nanoseconds.
    pub at_ns: u64,
    /// What it was: `turn`, `write`, `power-loss`, `arrive`.
    pub what: &'static str,
    /// Whose it was: a host's, a disk's or a connection's number.
    pub who: u64,
    /// Two numbers that the word explains: offset and length, or port and bytes.
    pub numbers: [u64; 2],
    /// The check of the bytes that moved, zero for none.
    pub crc: u32,
}

impl fmt::Display for TraceLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b] = self.numbers;
        write!(f, "{:>14} {:<14} {:>3} {a:>12} {b:>8}", self.at_ns, self.what, self.who)?;
        if self.crc == 0 { Ok(()) } else { write!(f, " {:08x}", self.crc) }
    }
}

/// Sees every line as it happens.
pub type Observer = Box<dyn FnMut(&TraceLine) + Send>;

/// The trace of one world, shared by everything in it.
#[derive(Clone)]
pub(super) struct Trace(Arc<Mutex<Inner>>);

struct Inner {
    hash: u64,
    observer: Option<Observer>,
}

/// The offset basis of FNV-1a.
const HASH_START: u64 = 0xcbf2_9ce4_8422_2325;
/// The prime of FNV-1a.
const HASH_PRIME: u64 = 0x0000_0100_0000_01b3;

impl Trace {
    pub(super) fn new(observer: Option<Observer>) -> Trace {
        Trace(Arc::new(Mutex::new(Inner { hash: HASH_START, observer })))
    }

    pub(super) fn note(&self, at_ns: u64, what: &'static str, who: u64, numbers: [u64; 2]) {
        self.note_bytes(at_ns, what, who, numbers, 0);
    }

    pub(super) fn note_bytes(
        &self,
        at_ns: u64,
        what: &'static str,
        who: u64,
        numbers: [u64; 2],
        crc: u32,
    ) {
        let line = TraceLine { at_ns, what, who, numbers, crc };
        let mut inner = self.lock();
        what.bytes().for_each(|byte| inner.mix(u64::from(byte)));
        let words = [at_ns, who, numbers[0], numbers[1], u64::from(crc)];
        words.into_iter().for_each(|word| inner.mix(word));
        if let Some(observer) = &mut inner.observer {
            observer(&line);
        }
    }

    pub(super) fn hash(&self) -> u64 {
        self.lock().hash
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Whole after every note, whoever panicked: the hash is one word.
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Inner {
    /// FNV-1a over words, with a rotation so that high bits reach the low ones.
    fn mix(&mut self, word: u64) {
        self.hash = (self.hash ^ word).wrapping_mul(HASH_PRIME).rotate_left(29);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_line_counts_and_so_does_the_order() {
        let hash = |lines: &[(u64, &'static str, u64)]| {
            let trace = Trace::new(None);
            lines.iter().for_each(|&(at, what, who)| trace.note(at, what, who, [0, 0]));
            trace.hash()
        };
        let a = hash(&[(1, "turn", 0), (2, "turn", 1)]);
        assert_eq!(a, hash(&[(1, "turn", 0), (2, "turn", 1)]));
        assert_ne!(a, hash(&[(1, "turn", 1), (2, "turn", 0)]));
        assert_ne!(a, hash(&[(1, "turn", 0), (2, "read", 1)]));
        assert_ne!(a, hash(&[(1, "turn", 0)]));
    }
}
