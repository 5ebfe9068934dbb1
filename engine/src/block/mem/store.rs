//! The bytes of a `mem:` device, and which of its blocks were ever written.
//!
//! Invariants: a reference to bytes of a block exists only while the block's stripe is held, so
//! references on several cores never overlap; a block whose bit is clear holds zeroes and takes no
//! page; bytes behind the size are zero, as writers check the size under the stripe. The map covers
//! the limit and is never moved; it lives as long as what is lent of it, whose pages may be freed.

use std::fmt;
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use memmap2::{Advice, MmapOptions, MmapRaw, UncheckedAdvice};

use super::stripes::{STRIPES, Stripes};
use super::{BLOCK_LEN, BLOCK_SHIFT, LazyWords};
use crate::memory::{Region, Segment};

/// Blocks that are freed under one hold of their stripes: one huge page.
const FREE_BLOCKS_MAX: u64 = (2 << 20) >> BLOCK_SHIFT;
const _: () = assert!(FREE_BLOCKS_MAX <= STRIPES);
const CACHE_LINE_LEN: usize = 64;
/// Cache lines that are fetched ahead of a copy.
const PREFETCH_LINES: usize = 16;

pub(super) struct Store {
    map: Arc<MmapRaw>,
    /// The map as what is lent: it holds the map, too.
    lent: Arc<Region>,
    stripes: Stripes,
    /// One bit per block.
    written: LazyWords,
    size: AtomicU64,
    limit: u64,
    resizing: Mutex<()>,
}

impl Store {
    pub(super) fn new(size: u64, limit: u64) -> io::Result<Store> {
        let blocks = limit.div_ceil(BLOCK_LEN);
        let bytes = blocks.checked_mul(BLOCK_LEN).and_then(|bytes| usize::try_from(bytes).ok());
        let bytes = bytes.ok_or(io::ErrorKind::OutOfMemory)?;
        let map = MmapOptions::new().len(bytes).no_reserve_swap().map_anon()?;
        if let Err(cause) = map.advise(Advice::HugePage) {
            tracing::debug!(%cause, "mem: no transparent huge pages");
        }
        let map = Arc::new(MmapRaw::from(map));
        let base = NonNull::new(map.as_mut_ptr()).expect("a map is somewhere");
        // SAFETY: the bytes stay mapped as long as the map, which the region keeps.
        let lent = unsafe { Region::foreign_shared(base, map.len(), Box::new(Arc::clone(&map))) };
        Ok(Store {
            map,
            lent,
            stripes: Stripes::new(),
            written: LazyWords::new(blocks.div_ceil(64))?,
            size: AtomicU64::new(size),
            limit,
            resizing: Mutex::new(()),
        })
    }

    /// The size in bytes as of now.
    #[inline]
    pub(super) fn size(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }

    /// Starts to bring the first lines of the memory at `offset` into the cache; the processor goes on
    /// from there by itself.
    #[inline]
    pub(super) fn prefetch(&self, offset: u64) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        if offset >= self.limit {
            return;
        }
        let start = self.map.as_ptr().wrapping_add(offset as usize);
        for line in 0..PREFETCH_LINES {
            let at = start.wrapping_add(line * CACHE_LINE_LEN).cast();
            // SAFETY: a prefetch reads nothing and never faults, whatever the address.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(at) };
        }
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    /// Shows the bytes of a block, whole as of one moment; nothing where it was never written.
    #[inline]
    pub(super) fn read(&self, block: u64, copy: impl FnOnce(Option<&[u8]>)) {
        let _guard = self.stripes.lock(block);
        if self.is_written(block) {
            // SAFETY: this core holds the block's stripe until `_guard` is dropped.
            copy(Some(unsafe { self.bytes(block, block + 1) }));
        } else {
            copy(None);
        }
    }

    /// The memory of `len` bytes at `offset`, where all of them were written; see
    /// [`Channel::lend`](crate::block::Channel::lend).
    pub(super) fn lend(&self, offset: u64, len: u32) -> Option<Segment> {
        let end = offset.checked_add(u64::from(len)).filter(|end| *end <= self.size())?;
        let (first, last) = (offset >> BLOCK_SHIFT, end.div_ceil(BLOCK_LEN));
        let is_all_written = self.next_change(first, last, true) == last;
        if is_all_written { self.lent.segment(offset as usize, len) } else { None }
    }

    /// Changes bytes of a block, whole as of one moment. `end` is the last byte's end on the
    /// device: false, and no change, where the device ends before it by now.
    #[inline]
    pub(super) fn write(&self, block: u64, end: u64, change: impl FnOnce(&mut [u8])) -> bool {
        let _guard = self.stripes.lock(block);
        if end > self.size() {
            return false;
        }
        self.set_written(block);
        // SAFETY: this core holds the block's stripe until `_guard` is dropped.
        change(unsafe { self.bytes(block, block + 1) });
        true
    }

    /// As `write`, for all blocks up to `end`, at most [`STRIPES`] of them, as one moment; `change`
    /// fails where it has changed nothing.
    pub(super) fn write_range<E>(
        &self,
        first: u64,
        end: u64,
        change: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Option<Result<(), E>> {
        let last = end.div_ceil(BLOCK_LEN);
        let _guard = self.stripes.lock_range(first, last);
        if end > self.size() {
            return None;
        }
        // SAFETY: this core holds the stripes of all these blocks until `_guard` is dropped.
        let outcome = change(unsafe { self.bytes(first, last) });
        if outcome.is_ok() {
            (first..last).for_each(|block| self.set_written(block));
        }
        Some(outcome)
    }

    /// Sets bytes of one block to zero where there are any to set.
    pub(super) fn clear(&self, block: u64, within: std::ops::Range<usize>) {
        let _guard = self.stripes.lock(block);
        if self.is_written(block) {
            // SAFETY: this core holds the block's stripe until `_guard` is dropped.
            let bytes = unsafe { self.bytes(block, block + 1) };
            bytes[within].fill(0);
        }
    }

    /// Gives the memory of the blocks `first..end` back; they read as zeroes.
    pub(super) fn free(&self, mut first: u64, end: u64) {
        while first < end {
            let next = (first / FREE_BLOCKS_MAX + 1) * FREE_BLOCKS_MAX;
            self.free_some(first, next.min(end));
            first = next;
        }
    }

    fn free_some(&self, first: u64, end: u64) {
        if self.next_change(first, end, false) == end {
            return;
        }
        let _guard = self.stripes.lock_range(first, end);
        let (at, len) = ((first << BLOCK_SHIFT) as usize, ((end - first) << BLOCK_SHIFT) as usize);
        // SAFETY: the range is inside the map, whose pages are anonymous (zero when they come back),
        // and no reference to it exists while this core holds its stripes.
        let freed = unsafe { self.map.unchecked_advise_range(UncheckedAdvice::DontNeed, at, len) };
        if freed.is_err() {
            // Locked pages (mlockall) cannot be given back.
            // SAFETY: this core holds the stripes of all these blocks until `_guard` is dropped.
            let bytes = unsafe { self.bytes(first, end) };
            bytes.fill(0);
        }
        for block in first..end {
            self.written[(block / 64) as usize].fetch_and(!(1 << (block % 64)), Ordering::Relaxed);
        }
    }

    /// Changes the size; what lies behind a smaller one is freed.
    pub(super) fn resize(&self, size: u64) {
        let _one = self.resizing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.size.swap(size, Ordering::AcqRel);
        if size < before {
            let within = (size % BLOCK_LEN) as usize;
            if within != 0 {
                self.clear(size >> BLOCK_SHIFT, within..BLOCK_LEN as usize);
            }
            self.free(size.div_ceil(BLOCK_LEN), before.div_ceil(BLOCK_LEN));
        }
    }

    /// True where the block was written since it was last freed.
    #[inline]
    pub(super) fn is_written(&self, block: u64) -> bool {
        let word = self.written[(block / 64) as usize].load(Ordering::Relaxed);
        word >> (block % 64) & 1 == 1
    }

    /// The first block of `first..end` for which `is_written` is not `written`, or `end`.
    pub(super) fn next_change(&self, first: u64, end: u64, written: bool) -> u64 {
        let mut block = first;
        while block < end {
            let word = self.written[(block / 64) as usize].load(Ordering::Relaxed);
            let changed = (if written { !word } else { word }) >> (block % 64);
            if changed != 0 {
                return (block + u64::from(changed.trailing_zeros())).min(end);
            }
            block = (block / 64 + 1) * 64;
        }
        end
    }

    #[inline]
    fn set_written(&self, block: u64) {
        let word = &self.written[(block / 64) as usize];
        let bit = 1 << (block % 64);
        if word.load(Ordering::Relaxed) & bit == 0 {
            word.fetch_or(bit, Ordering::Relaxed);
        }
    }

    /// The bytes of the blocks `first..end`.
    ///
    /// # Safety
    /// The caller holds the stripes of all of them as long as the slice lives.
    #[inline]
    #[expect(clippy::mut_from_ref, reason = "the stripes make the reference exclusive")]
    unsafe fn bytes(&self, first: u64, end: u64) -> &mut [u8] {
        let (at, len) = ((first << BLOCK_SHIFT) as usize, ((end - first) << BLOCK_SHIFT) as usize);
        assert!(at + len <= self.map.len(), "blocks {first}..{end} are outside of the map");
        // SAFETY: at + len lies inside the map, as asserted.
        let start = unsafe { self.map.as_mut_ptr().add(at) };
        // SAFETY: the bytes are mapped and initialised; the caller holds the stripes, and no other
        // reference to a block exists without its stripe.
        unsafe { std::slice::from_raw_parts_mut(start, len) }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("size", &self.size).field("limit", &self.limit).finish()
    }
}
