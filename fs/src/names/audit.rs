//! What must hold of all names and inodes of a volume at any moment, for stories.

use std::collections::BTreeMap;

use super::readdir;
use crate::dir::Entry;
use crate::inode::{self, InodeRef};
use crate::store::{Op, Stop};

/// What names say of one inode.
#[derive(Default)]
struct Seen {
    names: u32,
    subdirectories: u32,
    entries: u64,
    parent: u64,
}

/// Walks all directories from the root: every link count, parent and count of entries is exact.
/// Gives out the inodes that have names, with the number of blocks that each owns.
pub(super) fn audit(op: &Op<'_>, root: InodeRef) -> Result<BTreeMap<InodeRef, u64>, Stop> {
    let mut seen: BTreeMap<InodeRef, Seen> = BTreeMap::new();
    seen.entry(root).or_default().parent = root.ino;
    let mut todo = vec![root];
    while let Some(dir) = todo.pop() {
        for entry in entries(op, dir)? {
            let directory = inode::read(op, entry.target)?.is_directory();
            let above = seen.entry(dir).or_default();
            above.entries += 1;
            above.subdirectories += u32::from(directory);
            let below = seen.entry(entry.target).or_default();
            below.names += 1;
            below.parent = dir.ino;
            if directory {
                assert_eq!(below.names, 1, "a directory has one name");
                todo.push(entry.target);
            }
        }
    }
    let mut blocks = BTreeMap::new();
    for (at, seen) in &seen {
        blocks.insert(*at, check(op, *at, seen)?);
    }
    Ok(blocks)
}

fn check(op: &Op<'_>, at: InodeRef, seen: &Seen) -> Result<u64, Stop> {
    let inode = inode::read(op, at)?;
    let core = inode.core();
    if inode.is_directory() {
        assert_eq!(core.nlink.get(), 2 + seen.subdirectories, "links of directory {at:?}");
        assert_eq!(core.parent.get(), seen.parent, "parent of {at:?}");
        assert_eq!(core.entries.get(), seen.entries, "entries of {at:?}");
    } else {
        assert_eq!(core.nlink.get(), seen.names, "links of {at:?}");
    }
    Ok(core.blocks.get())
}

fn entries(op: &Op<'_>, dir: InodeRef) -> Result<Vec<Entry>, Stop> {
    let mut entries = Vec::new();
    let mut after = 0;
    loop {
        let part = readdir(op, dir, after, 100)?;
        entries.extend(part.iter().map(|listed| listed.entry));
        match part.last_cookie() {
            Some(cookie) => after = cookie,
            None => return Ok(entries),
        }
    }
}

/// All orphans of a slot.
pub(super) fn orphans(op: &Op<'_>, slot: u16) -> Result<Vec<InodeRef>, Stop> {
    let mut orphans = Vec::new();
    while let Some(next) =
        inode::next_orphan(op, slot, orphans.last().map_or(0, |at: &InodeRef| at.ino))?
    {
        orphans.push(next);
    }
    Ok(orphans)
}
