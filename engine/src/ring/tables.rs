//! The ring's tables of registered files and buffers.
//!
//! Invariant: an index is handed out only after the kernel took the registration; where it takes
//! none (old kernel, locked-memory limit, forced off), callers get `None` and use the plain way.

use std::os::fd::RawFd;
use std::sync::Weak;

use io_uring::Submitter;

use crate::memory::{Region, RegionId};

/// Files registered with one ring at once.
pub const FILES_MAX: u32 = 256;
/// Regions registered with one ring at once.
pub const BUFFERS_MAX: u32 = 64;
/// The kernel's limit for one registered buffer.
const BUFFER_LEN_MAX: usize = 1 << 30;

/// Registered files: which table entries are free.
pub(super) struct FileTable {
    free: Vec<u32>,
}

impl FileTable {
    /// Registers an empty table; without one, every `add` answers `None`.
    pub(super) fn new(submitter: &Submitter<'_>, wanted: bool) -> (FileTable, bool) {
        let there = wanted && submitter.register_files_sparse(FILES_MAX).is_ok();
        let free = if there { (0..FILES_MAX).rev().collect() } else { Vec::new() };
        (FileTable { free }, there)
    }

    pub(super) fn add(&mut self, submitter: &Submitter<'_>, fd: RawFd) -> Option<u32> {
        let index = self.free.pop()?;
        match submitter.register_files_update(index, &[fd]) {
            Ok(1) => Some(index),
            _ => {
                self.free.push(index);
                None
            }
        }
    }

    pub(super) fn remove(&mut self, submitter: &Submitter<'_>, index: u32) {
        // An entry that the kernel does not let go of is not used again: a leak of one index.
        if submitter.register_files_update(index, &[-1]).is_ok() {
            self.free.push(index);
        }
    }
}

struct BufferEntry {
    id: RegionId,
    region: Weak<Region>,
}

/// Registered regions, found by their identity.
pub(super) struct BufferTable {
    entries: Vec<Option<BufferEntry>>,
}

impl BufferTable {
    pub(super) fn new(submitter: &Submitter<'_>, wanted: bool) -> (BufferTable, bool) {
        let there = wanted && submitter.register_buffers_sparse(BUFFERS_MAX).is_ok();
        let n = if there { BUFFERS_MAX } else { 0 };
        (BufferTable { entries: (0..n).map(|_| None).collect() }, there)
    }

    /// The index of a registered region. The arena is entry 0, found at the first look.
    #[inline]
    pub(super) fn index_of(&self, id: RegionId) -> Option<u16> {
        let mut entries = self.entries.iter().take_while(|e| e.is_some()).flatten();
        entries.position(|entry| entry.id == id).map(|index| index as u16)
    }

    /// Registers `region`; false where the kernel refuses.
    pub(super) fn add(
        &mut self,
        submitter: &Submitter<'_>,
        region: &std::sync::Arc<Region>,
    ) -> bool {
        if region.len() > BUFFER_LEN_MAX {
            return false;
        }
        let dead = |e: &Option<BufferEntry>| {
            e.as_ref().is_none_or(|entry| entry.region.strong_count() == 0)
        };
        let Some(index) = self.entries.iter().position(dead) else {
            return false;
        };
        let iov = libc::iovec { iov_base: region.base().as_ptr().cast(), iov_len: region.len() };
        // SAFETY: the region is mapped now, and the kernel pins its pages, so that the entry stays
        // harmless even after the region is unmapped.
        let done = unsafe { submitter.register_buffers_update(index as u32, &[iov], None) };
        if done.is_ok() {
            let entry = BufferEntry { id: region.id(), region: std::sync::Arc::downgrade(region) };
            self.entries[index] = Some(entry);
        }
        done.is_ok()
    }
}
