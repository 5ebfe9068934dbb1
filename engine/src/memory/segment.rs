//! One contiguous piece of I/O memory, as an operation carries it.
//!
//! Invariants: a segment lies inside its region; a leased segment is the only one on its bytes
//! (splitting hands out disjoint parts); the slot of a lease returns to the arena when the last
//! part of it is dropped.

use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;

use super::{Lease, Region};

/// A piece of a region: a lease on its way through a device, or a slice of foreign memory.
pub struct Segment {
    ptr: NonNull<u8>,
    len: u32,
    /// Bytes from `ptr` to the end of what this part owns; `len <= cap`.
    cap: u32,
    region: Arc<Region>,
}

// SAFETY: a segment is the exclusive owner of its bytes (leases) or promises nothing about them
// (foreign memory, copied raw); the region behind it is Send + Sync.
unsafe impl Send for Segment {}
// SAFETY: `&Segment` gives only addresses and raw copies, never a reference to the bytes.
unsafe impl Sync for Segment {}

impl Segment {
    pub(super) fn foreign(ptr: NonNull<u8>, len: u32, region: Arc<Region>) -> Segment {
        Segment { ptr, len, cap: len, region }
    }

    /// The first part of a slot; the caller has set the slot's part count to one.
    pub(super) fn leased(ptr: NonNull<u8>, len: u32, cap: u32, region: Arc<Region>) -> Segment {
        Segment { ptr, len, cap, region }
    }

    /// Length in bytes.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// True for no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that this part owns, at least `len`.
    pub fn capacity(&self) -> u32 {
        self.cap
    }

    /// Where the bytes are. Reading or writing through it is up to the caller's promises.
    pub fn as_ptr(&self) -> *mut u8 {
        self.ptr.as_ptr()
    }

    /// The region that holds the bytes.
    pub fn region(&self) -> &Arc<Region> {
        &self.region
    }

    /// True where the bytes belong to an arena and so to nobody else.
    pub fn is_lease(&self) -> bool {
        self.region.slots.is_some()
    }

    /// The lease again, or the segment where it is foreign memory.
    pub fn into_lease(self) -> Result<Lease, Segment> {
        if self.is_lease() { Ok(Lease::from_segment(self)) } else { Err(self) }
    }

    /// Sets the length, within the capacity.
    ///
    /// # Panics
    /// When `len` exceeds the capacity: a bug of the caller.
    pub fn set_len(&mut self, len: u32) {
        assert!(len <= self.cap, "length {len} beyond the segment's {} bytes", self.cap);
        self.len = len;
    }

    /// Cuts the first `at` bytes off into a segment of their own; `self` keeps the rest.
    ///
    /// # Panics
    /// When `at` is zero, beyond the length or the whole capacity: no part may own nothing, since
    /// an empty part at a border could not tell which slot it belongs to.
    pub fn split_to(&mut self, at: u32) -> Segment {
        assert!(at > 0 && at <= self.len && at < self.cap, "split at {at} of {} bytes", self.len);
        if let Some(slots) = &self.region.slots {
            slots.add_part(self.ptr_offset());
        }
        let head = Segment { ptr: self.ptr, len: at, cap: at, region: Arc::clone(&self.region) };
        // SAFETY: at < cap, so the pointer stays inside this part.
        self.ptr = unsafe { self.ptr.add(at as usize) };
        self.len -= at;
        self.cap -= at;
        head
    }

    /// Joins `tail` behind `self` where it is the part that follows; gives it back where not.
    pub fn rejoin(&mut self, tail: Segment) -> Result<(), Segment> {
        let adjacent = self.ptr.as_ptr().wrapping_add(self.cap as usize) == tail.ptr.as_ptr();
        let one_slot = self.region.id() == tail.region.id() && self.shares_slot(&tail);
        if self.len != self.cap || !adjacent || !one_slot {
            return Err(tail);
        }
        self.len += tail.len;
        self.cap += tail.cap;
        Ok(())
    }

    /// Copies `from` into the start of the segment, as a device writes memory.
    ///
    /// # Panics
    /// When `from` is longer than the segment: a bug of the caller.
    pub fn copy_from(&mut self, at: u32, from: &[u8]) {
        assert!(at as usize + from.len() <= self.len as usize, "copy beyond the segment");
        self.assert_unshared();
        // SAFETY: the range lies inside this part, which nobody else refers to (see the header).
        unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), self.byte(at), from.len()) }
    }

    /// Copies bytes at `at` into `to`, as a device reads memory.
    ///
    /// # Panics
    /// When the range ends beyond the segment: a bug of the caller.
    pub fn copy_to(&self, at: u32, to: &mut [u8]) {
        assert!(at as usize + to.len() <= self.len as usize, "copy beyond the segment");
        self.assert_unshared();
        // SAFETY: the range lies inside this part, which nobody writes meanwhile (see the header).
        unsafe { std::ptr::copy_nonoverlapping(self.byte(at), to.as_mut_ptr(), to.len()) }
    }

    /// Sets every byte to `value`.
    pub fn fill(&mut self, value: u8) {
        self.assert_unshared();
        // SAFETY: ptr..ptr+len lies inside this part, which nobody else refers to.
        unsafe { std::ptr::write_bytes(self.ptr.as_ptr(), value, self.len as usize) }
    }

    /// Byte offset of this part in its region.
    pub fn ptr_offset(&self) -> usize {
        self.ptr.as_ptr() as usize - self.region.base().as_ptr() as usize
    }

    /// What others change meanwhile is not looked at by Rust code.
    #[inline]
    fn assert_unshared(&self) {
        assert!(!self.region.is_shared, "lent memory is for the kernel alone");
    }

    /// The address of the byte at `at`, which the caller has checked to be inside.
    fn byte(&self, at: u32) -> *mut u8 {
        self.ptr.as_ptr().wrapping_add(at as usize)
    }

    fn shares_slot(&self, other: &Segment) -> bool {
        match &self.region.slots {
            Some(slots) => slots.same_slot(self.ptr_offset(), other.ptr_offset()),
            None => true,
        }
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        if let Some(slots) = &self.region.slots {
            slots.drop_part(self.ptr_offset());
        }
    }
}

impl fmt::Debug for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Segment(region {}, {}+{})", self.region.id().0, self.ptr_offset(), self.len)
    }
}
