//! A table of atomic words that costs address space only, until a word of it is written.

use std::fmt;
use std::io;
use std::ops::Deref;
use std::sync::atomic::AtomicU64;

use memmap2::{MmapOptions, MmapRaw};

/// Words that start as zero; pages of them appear when they are first written.
pub(crate) struct LazyWords {
    map: MmapRaw,
    len: usize,
}

impl LazyWords {
    /// `len` words of zero; fails where there is no address space for them.
    pub(crate) fn new(len: u64) -> io::Result<LazyWords> {
        let bytes = len.checked_mul(8).and_then(|bytes| usize::try_from(bytes).ok());
        let bytes = bytes.ok_or(io::ErrorKind::OutOfMemory)?.max(8);
        let map = MmapOptions::new().len(bytes).no_reserve_swap().map_anon()?;
        Ok(LazyWords { map: MmapRaw::from(map), len: len as usize })
    }
}

impl Deref for LazyWords {
    type Target = [AtomicU64];

    #[inline]
    fn deref(&self) -> &[AtomicU64] {
        let words = self.map.as_ptr().cast();
        // SAFETY: `new` mapped 8 bytes for each word, aligned to a page and zero, which is a valid
        // AtomicU64; the map lives as long as `self` and is reached through this slice alone.
        unsafe { std::slice::from_raw_parts(words, self.len) }
    }
}

impl fmt::Debug for LazyWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LazyWords({})", self.len)
    }
}
