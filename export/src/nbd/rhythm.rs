//! Whether a client asks one thing at a time, so that the core is woken when it reads the answer.
//!
//! Invariant: the watch is there only while every batch is one short answer and nothing else is in
//! flight; a batch of another kind ends it at once. See [`ReadWatch`] for what it brings and costs.

use byway_engine::net::ReadWatch;

/// So many lone answers in a row make a rhythm.
const LONE_MIN: u32 = 64;
/// Bytes of a short answer at most: more of them are read in parts.
const SHORT_MAX: u64 = 32 << 10;

/// The rhythm of one connection.
#[derive(Default)]
pub(crate) struct Rhythm {
    lone: u32,
    watch: Option<ReadWatch>,
}

impl Rhythm {
    /// A batch of `len` bytes has been sent, after which `in_flight` requests are left. A watch comes
    /// from `start`.
    #[inline]
    pub(crate) fn sent(
        &mut self,
        len: u64,
        in_flight: u16,
        start: impl FnOnce() -> Option<ReadWatch>,
    ) {
        if in_flight > 0 || len > SHORT_MAX {
            return self.end();
        }
        self.lone = (self.lone + 1).min(LONE_MIN + 1);
        if self.lone == LONE_MIN {
            self.watch = start();
        }
        if let Some(watch) = &mut self.watch {
            watch.drain();
        }
    }

    /// There is no rhythm, or no traffic.
    pub(crate) fn end(&mut self) {
        self.lone = 0;
        self.watch = None;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn lone_short_answers_in_a_row_make_a_rhythm() {
        let (mut rhythm, starts) = (Rhythm::default(), Cell::new(0));
        let mut send = |len, in_flight| {
            rhythm.sent(len, in_flight, || {
                starts.set(starts.get() + 1);
                None
            });
            starts.get()
        };
        for breach in [(4112, 1), (SHORT_MAX + 1, 0)] {
            let before = starts.get();
            (1..LONE_MIN).for_each(|_| assert_eq!(send(4112, 0), before));
            assert_eq!(send(breach.0, breach.1), before, "one short of a rhythm");
            (1..LONE_MIN).for_each(|_| assert_eq!(send(4112, 0), before));
            assert_eq!(send(4112, 0), before + 1);
            (0..1000).for_each(|_| assert_eq!(send(4112, 0), before + 1, "it is asked for once"));
            send(4112, 2);
        }
    }
}
