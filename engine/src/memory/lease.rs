//! A lease: exclusive, safe access to a piece of an arena.
//!
//! Invariant: no other lease or segment covers the same bytes, so references to them are sound.
//! An operation takes the lease by value (as a [`Segment`]) and gives it back when it completes.

use std::fmt;
use std::ops::{Deref, DerefMut};

use super::Segment;

/// Exclusive access to bytes of an arena. Its memory is registered with the kernel where possible.
pub struct Lease(Segment);

impl Lease {
    /// Wraps a leased segment; the caller has checked that it is one.
    pub(super) fn from_segment(segment: Segment) -> Lease {
        debug_assert!(segment.is_lease(), "foreign memory is not a lease");
        Lease(segment)
    }

    /// Bytes that the lease owns, at least its length.
    pub fn capacity(&self) -> u32 {
        self.0.capacity()
    }

    /// Sets the length, within the capacity; the bytes are whatever was there before.
    pub fn set_len(&mut self, len: u32) {
        self.0.set_len(len);
    }

    /// Cuts the first `at` bytes off into a lease of their own; see [`Segment::split_to`].
    pub fn split_to(&mut self, at: u32) -> Lease {
        Lease(self.0.split_to(at))
    }

    /// Joins the part that follows; gives it back where it is not adjacent.
    pub fn rejoin(&mut self, tail: Lease) -> Result<(), Lease> {
        self.0.rejoin(tail.0).map_err(Lease)
    }
}

impl From<Lease> for Segment {
    fn from(lease: Lease) -> Segment {
        lease.0
    }
}

impl Deref for Lease {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the part is inside its region, initialised (arenas start zeroed) and exclusive.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr(), self.0.len() as usize) }
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for `deref`; `&mut self` is the only way to the only lease on these bytes.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_ptr(), self.0.len() as usize) }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lease({:?})", self.0)
    }
}
