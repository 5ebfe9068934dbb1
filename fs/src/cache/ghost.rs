//! What left the small queue lately: fingerprints without blocks.
//!
//! A hint: two keys may share a place, then the later one is remembered. An entry counts for as
//! many departures as the main queue has blocks.

#[derive(Clone, Copy)]
struct Entry {
    fingerprint: u32,
    /// The count of departures at its own, from 1 on; 0: empty.
    at: u32,
}

/// The table.
pub(super) struct Ghost {
    /// A power of two.
    entries: Vec<Entry>,
    departures: u32,
    lasts: u32,
}

impl Ghost {
    /// Bytes for each slot of the cache.
    pub(super) const LEN: usize = size_of::<Entry>();

    pub(super) fn new(slots: usize) -> Ghost {
        let entries = vec![Entry { fingerprint: 0, at: 0 }; slots.next_power_of_two()];
        Ghost { entries, departures: 0, lasts: slots as u32 }
    }

    fn place(&self, hash: u64) -> (usize, u32) {
        (hash as usize & (self.entries.len() - 1), (hash >> 32) as u32)
    }

    pub(super) fn remember(&mut self, hash: u64) {
        self.departures = self.departures.wrapping_add(1).max(1);
        let (place, fingerprint) = self.place(hash);
        self.entries[place] = Entry { fingerprint, at: self.departures };
    }

    pub(super) fn remembers(&self, hash: u64) -> bool {
        let (place, fingerprint) = self.place(hash);
        let entry = self.entries[place];
        let age = self.departures.wrapping_sub(entry.at);
        entry.at != 0 && entry.fingerprint == fingerprint && age < self.lasts
    }
}
