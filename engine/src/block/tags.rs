//! A table from a channel's own tags to what it remembers of each request.
//!
//! Wrappers and futures give every request below them a tag of their own and put the submitter's
//! tag back when it completes. Fixed size, no allocation after the start, reuse in LIFO order so
//! that the hot entries stay in cache.

const NONE: u32 = u32::MAX;

#[derive(Debug)]
enum Entry<T> {
    Free { next: u32 },
    Used(T),
}

/// A fixed table of `capacity` entries, addressed by small integers.
#[derive(Debug)]
pub struct TagTable<T> {
    entries: Vec<Entry<T>>,
    free: u32,
    used: u32,
}

impl<T> TagTable<T> {
    /// A table of `capacity` free entries.
    pub fn new(capacity: u32) -> Self {
        let next = |i| if i + 1 == capacity { NONE } else { i + 1 };
        let entries = (0..capacity).map(|i| Entry::Free { next: next(i) }).collect();
        TagTable { entries, free: if capacity == 0 { NONE } else { 0 }, used: 0 }
    }

    /// Stores `value` and names it; gives it back when the table is full.
    pub fn insert(&mut self, value: T) -> Result<u32, T> {
        let tag = self.free;
        let Some(entry) = self.entries.get_mut(tag as usize) else {
            return Err(value);
        };
        let Entry::Free { next } = *entry else { unreachable!("the free list names free entries") };
        *entry = Entry::Used(value);
        self.free = next;
        self.used += 1;
        Ok(tag)
    }

    /// Takes the value of `tag` out; `None` where nothing is stored.
    pub fn remove(&mut self, tag: u32) -> Option<T> {
        let entry = self.entries.get_mut(tag as usize)?;
        if matches!(entry, Entry::Free { .. }) {
            return None;
        }
        let old = std::mem::replace(entry, Entry::Free { next: self.free });
        self.free = tag;
        self.used -= 1;
        match old {
            Entry::Used(value) => Some(value),
            Entry::Free { .. } => None,
        }
    }

    /// The value of `tag`.
    pub fn get_mut(&mut self, tag: u32) -> Option<&mut T> {
        match self.entries.get_mut(tag as usize) {
            Some(Entry::Used(value)) => Some(value),
            _ => None,
        }
    }

    /// The value of `tag`.
    pub fn get(&self, tag: u32) -> Option<&T> {
        match self.entries.get(tag as usize) {
            Some(Entry::Used(value)) => Some(value),
            _ => None,
        }
    }

    /// How many entries are used.
    pub fn len(&self) -> u32 {
        self.used
    }

    /// True where none is used.
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// True where no entry is free.
    pub fn is_full(&self) -> bool {
        self.free == NONE
    }

    /// The used entries with their tags, in the order of tags.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut T)> {
        self.entries.iter_mut().enumerate().filter_map(|(tag, entry)| match entry {
            Entry::Used(value) => Some((tag as u32, value)),
            Entry::Free { .. } => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_table_gives_the_value_back() {
        let mut table = TagTable::new(2);
        let a = table.insert("a").unwrap();
        let b = table.insert("b").unwrap();
        assert_ne!(a, b);
        assert_eq!(table.insert("c"), Err("c"));
        assert!(table.is_full());
        assert_eq!(table.remove(a), Some("a"));
        assert_eq!(table.remove(a), None);
        assert_eq!(table.insert("c"), Ok(a));
        assert_eq!((table.get(b).copied(), table.len()), (Some("b"), 2));
    }

    #[test]
    fn a_table_of_nothing_is_full() {
        assert_eq!(TagTable::new(0).insert(1), Err(1));
    }
}
