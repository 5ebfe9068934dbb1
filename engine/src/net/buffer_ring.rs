//! A ring of buffers that the kernel picks from when bytes arrive (io_uring_register_buf_ring).
//!
//! Invariants: a buffer is a lease that is either here (the kernel may write it) or with whoever
//! took it after a completion named it, never both; entries and buffers live until the ring is
//! unregistered, and no request that names the group outlives this value (requests keep it).

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::BufRingEntry;

use crate::memory::{Arena, Lease, Segment};
use crate::ring::Ring;

/// Groups tried for a free number, per ring.
const GROUPS_MAX: u16 = 1024;
const PAGE_LEN: u32 = 4096;

pub(super) struct BufferRing {
    /// Weak: requests keep buffers and the ring keeps requests.
    ring: Weak<Ring>,
    group: u16,
    /// The table that the kernel reads.
    entries: Option<Segment>,
    mask: u16,
    tail: Cell<u16>,
    /// The buffers that are here, by their number.
    buffers: RefCell<Vec<Option<Lease>>>,
}

impl BufferRing {
    /// Registers an empty ring for `count` buffers (a power of two).
    pub(super) fn new(ring: &Rc<Ring>, arena: &Arena, count: u16) -> io::Result<BufferRing> {
        assert!(count.is_power_of_two(), "the kernel counts entries with a mask");
        let len = (u32::from(count) * size_of::<BufRingEntry>() as u32).max(PAGE_LEN);
        let mut entries = Segment::from(
            arena.lease(len).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOBUFS))?,
        );
        entries.fill(0);
        let group = register(ring, &entries, count)?;
        Ok(BufferRing {
            ring: Rc::downgrade(ring),
            group,
            entries: Some(entries),
            mask: count - 1,
            tail: Cell::new(0),
            buffers: RefCell::new((0..count).map(|_| None).collect()),
        })
    }

    pub(super) fn group(&self) -> u16 {
        self.group
    }

    /// Hands a buffer to the kernel, all of its length, under its number.
    ///
    /// # Panics
    /// When the number is out of range or has a buffer: a bug of the pool.
    pub(super) fn provide(&self, index: u16, buffer: Lease) {
        let tail = self.tail.get();
        self.write_entry(tail & self.mask, index, &buffer);
        let before = self.buffers.borrow_mut()[usize::from(index)].replace(buffer);
        assert!(before.is_none(), "a buffer's number is provided once");
        self.tail.set(tail.wrapping_add(1));
        self.publish(tail.wrapping_add(1));
    }

    /// The buffer that a completion named; the kernel is done with it.
    ///
    /// # Panics
    /// When the kernel does not have it: then something gave the same completion out twice.
    pub(super) fn take(&self, index: u16) -> Lease {
        let buffer = self.buffers.borrow_mut()[usize::from(index)].take();
        buffer.expect("a completion names a buffer that the kernel had")
    }

    fn table(&self) -> *mut BufRingEntry {
        let entries = self.entries.as_ref().expect("there until dropped");
        entries.as_ptr().cast()
    }

    fn write_entry(&self, at: u16, index: u16, buffer: &Lease) {
        // SAFETY: `at` is masked, so the entry lies inside of the table.
        let entry = unsafe { self.table().add(usize::from(at)) };
        // SAFETY: the table is page-aligned, zeroed at its start, and the kernel does not read an
        // entry before the tail is published behind it; only this thread writes entries.
        let entry = unsafe { &mut *entry };
        entry.set_addr(buffer.as_ptr() as u64);
        entry.set_len(buffer.len() as u32);
        entry.set_bid(index);
    }

    fn publish(&self, tail: u16) {
        // SAFETY: the table's first entry is initialised; its spare field is the tail.
        let address = unsafe { BufRingEntry::tail(self.table()) };
        // SAFETY: the field is aligned and lives as long as the table; the kernel only reads it.
        let shared = unsafe { AtomicU16::from_ptr(address.cast_mut()) };
        shared.store(tail, Ordering::Release);
    }
}

/// Registers the table under a group number that is free in this ring.
fn register(ring: &Ring, entries: &Segment, count: u16) -> io::Result<u16> {
    for group in 0..GROUPS_MAX {
        // SAFETY: the table holds `count` entries at a page's start (leases of 4 KiB and more are
        // aligned so), and lives until it is unregistered (see `drop`).
        match unsafe { ring.register_buffer_ring(entries.as_ptr() as u64, count, group) } {
            Err(e) if e.raw_os_error() == Some(libc::EEXIST) => continue,
            other => return other.map(|()| group),
        }
    }
    Err(io::Error::from_raw_os_error(libc::ENOBUFS))
}

impl Drop for BufferRing {
    fn drop(&mut self) {
        // A ring that is gone has drained: nothing writes the buffers any more.
        let Some(ring) = self.ring.upgrade() else {
            return;
        };
        if let Err(error) = ring.unregister_buffer_ring(self.group) {
            tracing::error!(%error, "a ring of buffers stays registered: its memory is kept");
            std::mem::forget(self.entries.take());
            std::mem::forget(self.buffers.take());
        }
    }
}
