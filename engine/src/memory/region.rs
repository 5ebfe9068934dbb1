//! A span of memory that I/O may touch, with an identity that rings remember.
//!
//! Invariants: `base..base+len` stays mapped as long as the region lives; ids are never reused
//! in a process, so a ring's table of registered regions cannot confuse two of them.

use std::any::Any;
use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::Segment;
use super::arena::Slots;

/// Names a region for the life of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RegionId(pub(crate) u32);

/// A span of memory: the arena of a reactor, or foreign memory such as a guest's RAM.
pub struct Region {
    id: RegionId,
    base: NonNull<u8>,
    len: usize,
    /// The slot table where leases are cut from this region; none for foreign memory.
    pub(super) slots: Option<Slots>,
    /// Others change the bytes while segments name them: only the kernel may look.
    pub(super) is_shared: bool,
    /// Whoever owns the memory: dropped with the region, after the last segment.
    _keeper: Box<dyn Any + Send + Sync>,
}

// SAFETY: the bytes are reached only through leases (exclusive, see `lease.rs`) and raw copies of
// segments; everything else in a region is immutable or atomic, and the keeper is Send + Sync.
unsafe impl Send for Region {}
// SAFETY: as above: shared access to a `Region` gives no access to its bytes.
unsafe impl Sync for Region {}

impl Region {
    /// Makes foreign memory known to the engine, for instance the RAM of a virtual machine.
    ///
    /// The region holds `keeper` and drops it after the last segment on it is gone, so that memory
    /// under I/O in flight is never unmapped: hand in what unmaps the memory.
    ///
    /// # Safety
    /// `base..base+len` must stay valid for reads and writes until `keeper` is dropped, and no
    /// Rust reference may exist to any part of it while a segment on that part is in flight.
    pub unsafe fn foreign(
        base: NonNull<u8>,
        len: usize,
        keeper: Box<dyn Any + Send + Sync>,
    ) -> Arc<Region> {
        Arc::new(Region::new(base, len, None, keeper))
    }

    /// As [`Region::foreign`], for memory that Rust code goes on to use while segments name it. Such
    /// segments are for the kernel alone, to whom bytes that change are no trouble: a copy by this
    /// program, in or out, panics.
    ///
    /// # Safety
    /// `base..base+len` must stay valid for reads and writes until `keeper` is dropped.
    pub unsafe fn foreign_shared(
        base: NonNull<u8>,
        len: usize,
        keeper: Box<dyn Any + Send + Sync>,
    ) -> Arc<Region> {
        Arc::new(Region { is_shared: true, ..Region::new(base, len, None, keeper) })
    }

    pub(super) fn new(
        base: NonNull<u8>,
        len: usize,
        slots: Option<Slots>,
        keeper: Box<dyn Any + Send + Sync>,
    ) -> Region {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let id = RegionId(NEXT.fetch_add(1, Ordering::Relaxed));
        assert!(id.0 < u32::MAX, "region ids are used up");
        Region { id, base, len, slots, is_shared: false, _keeper: keeper }
    }

    /// This region's identity.
    pub fn id(&self) -> RegionId {
        self.id
    }

    /// First byte of the region.
    pub fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True for a region of no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A segment of `len` bytes at `offset` of a foreign region; `None` outside of it, and for an
    /// arena's region, whose bytes are reached by leases alone.
    pub fn segment(self: &Arc<Self>, offset: usize, len: u32) -> Option<Segment> {
        let end = offset.checked_add(len as usize)?;
        if self.slots.is_some() || end > self.len {
            return None;
        }
        // SAFETY: offset + len lies inside the region, so the pointer stays in its allocation.
        let ptr = unsafe { self.base.add(offset) };
        Some(Segment::foreign(ptr, len, Arc::clone(self)))
    }

    /// How many segments and leases hold this region now, apart from the callers' own handles
    /// when those number `handles`.
    pub fn in_use(self: &Arc<Self>, handles: usize) -> usize {
        Arc::strong_count(self).saturating_sub(handles)
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Region").field("id", &self.id.0).field("len", &self.len).finish()
    }
}
