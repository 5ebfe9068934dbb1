//! What a repair does at the end of a pass, when it is known which blocks are free.

use crate::tree::Record;

/// One thing to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Makes a file's extents these.
    Extents {
        /// Which file.
        ino: u64,
        /// In order; they do not overlap.
        records: Vec<Record>,
    },
    /// Makes a directory's names these.
    Names {
        /// Which directory.
        ino: u64,
        /// What it holds.
        names: Vec<Named>,
    },
    /// Gives a name in lost+found to an inode.
    Rescue {
        /// Which inode.
        ino: u64,
        /// Its generation.
        generation: u32,
        /// The file type of its mode, shifted right by 12.
        file_type: u8,
    },
    /// Makes a slot's orphans these: inode and generation.
    Orphans {
        /// Which slot.
        slot: u16,
        /// What it holds.
        orphans: Vec<(u64, u64)>,
    },
    /// Makes a group's refcounts these: first block in the group, length, users.
    Refcounts {
        /// Which group.
        group: u32,
        /// In order.
        runs: Vec<(u32, u32, u32)>,
    },
}

/// A name and what it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    /// The name.
    pub(crate) name: Vec<u8>,
    /// The inode.
    pub(crate) ino: u64,
    /// Its generation.
    pub(crate) generation: u32,
    /// A hint: the file type of its mode, shifted right by 12.
    pub(crate) file_type: u8,
}
