//! A map from numbers to things, for looking up only: its order is never seen.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Multiplies: block numbers are even enough.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(26);
    }
}

/// The map. Nothing walks over it: hash order differs between programs.
pub(crate) struct Table<V>(HashMap<u64, V, BuildHasherDefault<NumberHasher>>);

impl<V> Default for Table<V> {
    fn default() -> Table<V> {
        Table(HashMap::default())
    }
}

impl<V> Table<V> {
    /// What is kept under `number`.
    #[inline]
    pub(crate) fn get(&self, number: u64) -> Option<&V> {
        self.0.get(&number)
    }

    /// What is kept under `number`, to be changed.
    #[inline]
    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut V> {
        self.0.get_mut(&number)
    }

    /// Keeps `value`; gives out what was there.
    pub(crate) fn insert(&mut self, number: u64, value: V) -> Option<V> {
        self.0.insert(number, value)
    }

    /// Takes out what was kept.
    pub(crate) fn remove(&mut self, number: u64) -> Option<V> {
        self.0.remove(&number)
    }

    /// How many are kept.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}
