//! The bytes of a small device, as shared sectors: a crash state is a base and what differs.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes that are written whole or not at all.
pub(crate) const SECTOR: usize = 512;

/// One sector.
pub(crate) type Sector = [u8; SECTOR];

/// A device of zeroes but for some sectors. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Image {
    /// By number; what is None or not there is zeroes.
    base: Arc<Vec<Option<Arc<Sector>>>>,
    top: BTreeMap<u64, Arc<Sector>>,
}

impl Image {
    /// Writes whole sectors from the byte `offset` on.
    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) {
        let first = offset / SECTOR as u64;
        for (number, chunk) in (first..).zip(bytes.chunks_exact(SECTOR)) {
            let sector = Arc::new(chunk.try_into().expect("a chunk is a sector"));
            self.top.insert(number, sector);
        }
    }

    /// Forgets whole sectors: they read as zeroes.
    pub(crate) fn clear(&mut self, offset: u64, len: u64) {
        let zero = Arc::new([0; SECTOR]);
        let first = offset / SECTOR as u64;
        (first..first + len / SECTOR as u64).for_each(|number| {
            self.top.insert(number, Arc::clone(&zero));
        });
    }

    /// Reads whole sectors.
    pub(crate) fn read(&self, offset: u64, into: &mut [u8]) {
        let first = offset / SECTOR as u64;
        let end = first + (into.len() / SECTOR) as u64;
        let mut newer = self.top.range(first..end).peekable();
        for (number, chunk) in (first..).zip(into.chunks_exact_mut(SECTOR)) {
            let newer = newer.next_if(|(at, _)| **at == number).map(|(_, sector)| sector);
            match newer.or_else(|| self.base.get(number as usize)?.as_ref()) {
                Some(sector) => chunk.copy_from_slice(&sector[..]),
                None => chunk.fill(0),
            }
        }
    }

    /// Makes what differs part of the base, so that clones are cheap.
    pub(crate) fn settle(&mut self) {
        let Some((last, _)) = self.top.last_key_value() else { return };
        let base = Arc::make_mut(&mut self.base);
        base.resize(base.len().max(*last as usize + 1), None);
        for (number, sector) in std::mem::take(&mut self.top) {
            base[number as usize] = Some(sector);
        }
    }
}
