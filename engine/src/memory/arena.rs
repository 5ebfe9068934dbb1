//! The arena: one region per reactor, cut into power-of-two slots of 512 bytes to 2 MiB.
//!
//! Invariants: a chunk of 2 MiB belongs to one slot class for good once it is cut; a slot is on
//! its class's free list exactly when its part count is zero; taking and freeing a lease never
//! allocates, never makes a system call, and works from any thread.

use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, Ordering};

use memmap2::{Advice, MmapMut, MmapOptions, MmapRaw};

use super::free_list::FreeList;
use super::{Lease, Region, Segment};
use crate::error::SetupError;

/// The smallest slot in bytes: one sector, one PDU header with its address vector.
pub const LEASE_LEN_MIN: u32 = 512;
/// The largest slot in bytes: one chunk, one huge page.
pub const LEASE_LEN_MAX: u32 = CHUNK_LEN as u32;

const CHUNK_SHIFT: u32 = 21;
const CHUNK_LEN: usize = 1 << CHUNK_SHIFT;
const CLASS_SHIFT_MIN: u32 = 9;
const CLASSES: usize = (CHUNK_SHIFT - CLASS_SHIFT_MIN + 1) as usize;
const SLOTS_PER_CHUNK: usize = CHUNK_LEN >> CLASS_SHIFT_MIN;
/// Keeps slot numbers within 32 bits.
const CHUNKS_MAX: usize = 1 << 16;

/// What an arena is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageKind {
    /// Huge pages of 2 MiB reserved by the administrator.
    Huge,
    /// Plain pages that the kernel was asked to merge.
    Transparent,
    /// Plain pages.
    Plain,
}

/// How large an arena is and what it may be made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArenaConfig {
    /// Size in bytes, rounded up to 2 MiB.
    pub len: usize,
    /// Try reserved huge pages first.
    pub huge: bool,
}

impl Default for ArenaConfig {
    fn default() -> Self {
        ArenaConfig { len: 32 << 20, huge: true }
    }
}

/// Counters of an arena, for status lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArenaStats {
    /// Size in bytes.
    pub len: usize,
    /// Bytes of chunks already cut into slots.
    pub cut: usize,
    /// What the memory is made of.
    pub pages: PageKind,
}

/// Memory for I/O, cut into leases. A handle: clones name the same arena.
#[derive(Clone, Debug)]
pub struct Arena {
    region: Arc<Region>,
    pages: PageKind,
}

impl Arena {
    /// Maps an arena; the pages are touched when first used.
    pub fn new(config: ArenaConfig) -> Result<Arena, SetupError> {
        let chunks = config.len.div_ceil(CHUNK_LEN).max(1);
        if chunks > CHUNKS_MAX {
            let thing = format!("arena of {} bytes", config.len);
            let most = CHUNKS_MAX * CHUNK_LEN;
            return Err(SetupError::new(thing, "too large", format!("use at most {most} bytes")));
        }
        let (map, pages) = map_pages(chunks * CHUNK_LEN, config.huge)?;
        Ok(Arena::over(map, chunks, pages))
    }

    fn over(map: MmapMut, chunks: usize, pages: PageKind) -> Arena {
        let map = MmapRaw::from(map);
        let (base, skipped) = align_to_chunk(map.as_mut_ptr(), map.len() - chunks * CHUNK_LEN);
        debug_assert!(skipped + chunks * CHUNK_LEN <= map.len());
        let slots = Slots::new(chunks);
        let region = Region::new(base, chunks * CHUNK_LEN, Some(slots), Box::new(map));
        Arena { region: Arc::new(region), pages }
    }

    /// A lease of `len` bytes (1 to [`LEASE_LEN_MAX`]), aligned to its size rounded up to a power
    /// of two; `None` when the arena is used up or `len` is out of bounds.
    ///
    /// The bytes are those that the slot's last user left, and zero before.
    pub fn lease(&self, len: u32) -> Option<Lease> {
        if len == 0 || len > LEASE_LEN_MAX {
            return None;
        }
        let slots = self.slots();
        let class = class_of(len);
        let slot = (class..CLASSES).find_map(|class| slots.take(class))?;
        Some(self.lease_slot(slot, len))
    }

    fn lease_slot(&self, slot: u32, len: u32) -> Lease {
        let slots = self.slots();
        slots.parts[slot as usize].store(1, Ordering::Relaxed);
        let cap = slots.slot_len(slot);
        // SAFETY: slot numbers count steps of 512 bytes from the region's base, inside of it.
        let ptr = unsafe { self.region.base().add((slot as usize) << CLASS_SHIFT_MIN) };
        Lease::from_segment(Segment::leased(ptr, len, cap, Arc::clone(&self.region)))
    }

    /// The region behind the arena, for registration with a ring or a device.
    pub fn region(&self) -> &Arc<Region> {
        &self.region
    }

    /// Size and make of the arena.
    pub fn stats(&self) -> ArenaStats {
        let cut = self.slots().cut.load(Ordering::Relaxed) as usize * CHUNK_LEN;
        ArenaStats { len: self.region.len(), cut, pages: self.pages }
    }

    fn slots(&self) -> &Slots {
        self.region.slots.as_ref().expect("an arena's region has slots")
    }
}

/// The bookkeeping of an arena. A slot's number is its byte offset divided by 512.
pub(super) struct Slots {
    /// Class of each chunk, plus one; zero while it is not cut.
    classes: Box<[AtomicU8]>,
    /// How many chunks are cut; they are cut in order.
    cut: AtomicU32,
    /// Parts that a slot is split into now; zero when it is free.
    parts: Box<[AtomicU16]>,
    links: Box<[AtomicU32]>,
    free: [FreeList; CLASSES],
}

impl Slots {
    fn new(chunks: usize) -> Slots {
        let slots = chunks * SLOTS_PER_CHUNK;
        Slots {
            classes: zeroed(chunks, || AtomicU8::new(0)),
            cut: AtomicU32::new(0),
            parts: zeroed(slots, || AtomicU16::new(0)),
            links: zeroed(slots, || AtomicU32::new(0)),
            free: Default::default(),
        }
    }

    fn take(&self, class: usize) -> Option<u32> {
        self.free[class].pop(&self.links).or_else(|| self.cut_chunk(class))
    }

    /// Cuts the next chunk into slots of `class`; its first slot is the answer.
    fn cut_chunk(&self, class: usize) -> Option<u32> {
        let chunks = self.classes.len() as u32;
        let next = |cut: u32| (cut < chunks).then_some(cut + 1);
        let chunk =
            self.cut.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).ok()? as usize;
        self.classes[chunk].store(class as u8 + 1, Ordering::Release);
        let first = (chunk * SLOTS_PER_CHUNK) as u32;
        let step = 1u32 << class;
        for slot in (first + step..first + SLOTS_PER_CHUNK as u32).step_by(step as usize).rev() {
            self.free[class].push(slot, &self.links);
        }
        Some(first)
    }

    pub(super) fn add_part(&self, offset: usize) {
        let before = self.parts[self.slot_at(offset)].fetch_add(1, Ordering::Relaxed);
        assert!(before > 0 && before < u16::MAX, "slot split while free, or into too many parts");
    }

    pub(super) fn drop_part(&self, offset: usize) {
        let slot = self.slot_at(offset);
        let parts = &self.parts[slot];
        // One part is the common case and needs no read-modify-write: nobody else can see it.
        if parts.load(Ordering::Acquire) != 1 && parts.fetch_sub(1, Ordering::AcqRel) != 1 {
            return;
        }
        parts.store(0, Ordering::Relaxed);
        self.free[self.class_at(slot)].push(slot as u32, &self.links);
    }

    pub(super) fn same_slot(&self, a: usize, b: usize) -> bool {
        self.slot_at(a) == self.slot_at(b)
    }

    fn slot_len(&self, slot: u32) -> u32 {
        1 << (self.class_at(slot as usize) as u32 + CLASS_SHIFT_MIN)
    }

    fn class_at(&self, slot: usize) -> usize {
        let class = self.classes[slot / SLOTS_PER_CHUNK].load(Ordering::Acquire);
        usize::from(class.checked_sub(1).expect("a leased slot lies in a cut chunk"))
    }

    /// The slot that holds the byte at `offset` of the region.
    fn slot_at(&self, offset: usize) -> usize {
        let unit = offset >> CLASS_SHIFT_MIN;
        unit & !((1 << self.class_at(unit)) - 1)
    }
}

fn class_of(len: u32) -> usize {
    (len.max(LEASE_LEN_MIN).next_power_of_two().trailing_zeros() - CLASS_SHIFT_MIN) as usize
}

fn zeroed<T>(n: usize, zero: impl Fn() -> T) -> Box<[T]> {
    (0..n).map(|_| zero()).collect()
}

/// Maps `len` bytes: huge pages where allowed and there, else plain pages with room to align.
fn map_pages(len: usize, huge: bool) -> Result<(MmapMut, PageKind), SetupError> {
    if huge && let Ok(map) = MmapOptions::new().len(len).huge(Some(CHUNK_SHIFT as u8)).map_anon() {
        return Ok((map, PageKind::Huge));
    }
    let map = MmapOptions::new().len(len + CHUNK_LEN).map_anon().map_err(|e| {
        SetupError::new(format!("arena of {len} bytes"), e.to_string(), "use a smaller arena")
    })?;
    let merged = map.advise(Advice::HugePage).is_ok();
    Ok((map, if merged { PageKind::Transparent } else { PageKind::Plain }))
}

fn align_to_chunk(start: *mut u8, spare: usize) -> (NonNull<u8>, usize) {
    let skipped = start.align_offset(CHUNK_LEN).min(spare);
    // SAFETY: `skipped` is at most the spare bytes at the end of the mapping.
    let base = unsafe { start.add(skipped) };
    (NonNull::new(base).expect("a mapping is never at address zero"), skipped)
}
