//! What a store knows beside its blocks: how names are hashed, and which inodes are open.

use super::table::Table;
use super::{Op, Store};
use crate::format::name_hash;

/// Beside the blocks.
pub(super) struct Known {
    dir_hash_key: [u8; 16],
    /// Hashes are cut to these bits: tests make names collide with it.
    hash_mask: u64,
    /// Inodes in use: how many times each.
    open: Table<u32>,
    /// Operations that succeeded.
    serial: u64,
}

impl Default for Known {
    fn default() -> Known {
        Known { dir_hash_key: [0; 16], hash_mask: u64::MAX, open: Table::default(), serial: 0 }
    }
}

impl Known {
    pub(super) fn count_operation(&mut self) {
        self.serial += 1;
    }
}

impl Store {
    /// Sets the key of the hashes of names: the superblock holds it.
    pub fn set_dir_hash_key(&mut self, key: [u8; 16]) {
        self.known.dir_hash_key = key;
    }

    /// Cuts the hashes of names, so that many collide.
    #[cfg(test)]
    pub(crate) fn set_hash_mask(&mut self, mask: u64) {
        self.known.hash_mask = mask;
    }

    /// An inode is in use: it stays when its last name goes, until [`Store::close_inode`].
    pub fn open_inode(&mut self, ino: u64) {
        match self.known.open.get_mut(ino) {
            Some(count) => *count += 1,
            None => drop(self.known.open.insert(ino, 1)),
        }
    }

    /// Ends one use of an inode. True if it was the last: an inode without names may be freed then.
    pub fn close_inode(&mut self, ino: u64) -> bool {
        let count = self.known.open.get_mut(ino).expect("what is closed was opened");
        *count -= 1;
        let last = *count == 0;
        if last {
            self.known.open.remove(ino);
        }
        last
    }

    /// True if an inode is in use.
    pub fn is_open(&self, ino: u64) -> bool {
        self.known.open.get(ino).is_some()
    }
}

impl Op<'_> {
    /// The 48-bit hash of a name under this volume's key.
    pub fn name_hash(&self, name: &[u8]) -> u64 {
        let known = &self.store.known;
        name_hash(&known.dir_hash_key, name) & known.hash_mask
    }

    /// True if an inode is in use: it may not be freed.
    pub fn is_open(&self, ino: u64) -> bool {
        self.store.is_open(ino)
    }

    /// A number that no other operation of this mount has, and hardly one of another mount.
    pub fn unique(&self) -> u64 {
        let seed = self.version().rotate_left(32) ^ self.store.known.serial;
        let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
