//! Reads of a file whose data is cached: out of the core's cache, or into it.
//!
//! ```text
//! read ── every block is held ──> done, copied
//!      ── it is being fetched ──> parked until the fetch is back
//!      ── whole blocks ──> a work, whose bytes are kept when it ends
//!      ── parts of blocks ──> a fetch of the whole ones; the read is parked
//! ```
//!
//! A fetch is a work of the channel itself, into memory of its own. What was parked once reads the
//! device where its blocks are not there after all, so that nothing waits twice.

use std::ops::Range;
use std::rc::Rc;

use byway_engine::block::{Completion, Io, Op, Payload};
use byway_engine::core::Core;

use super::channel::{BLOCK, State, blocks_of};
use super::policy::REGION_BLOCKS;
use super::pool::CoreCache;
use super::work::Keep;
use crate::cache::{BlockKey, ReadAhead};

/// Fetches of one channel at a time.
pub(super) const FETCHES_MAX: u32 = 4;
/// Blocks of one fetch: 256 KiB.
const FETCH_BLOCKS: u64 = 64;

/// What a channel has for reads that are cached.
pub(super) struct Reader {
    core: Rc<Core>,
    /// None before the first such read, and where there is no memory.
    cache: Option<Rc<CoreCache>>,
    has_tried: bool,
    ahead: ReadAhead,
    /// Blocks on their way into the cache.
    fetching: Vec<Range<u64>>,
    /// Requests that wait for them.
    pub(super) parked: Vec<Io>,
}

impl Reader {
    pub(super) fn new(core: Rc<Core>) -> Reader {
        let (fetching, parked) = (Vec::new(), Vec::new());
        let ahead = ReadAhead::default();
        Reader { core, cache: None, has_tried: false, ahead, fetching, parked }
    }

    fn is_fetching(&self, blocks: &Range<u64>) -> bool {
        self.fetching.iter().any(|other| other.start < blocks.end && blocks.start < other.end)
    }
}

impl State {
    fn key(&self, block: u64) -> BlockKey {
        BlockKey { file: self.shared.file, block }
    }

    /// A read of a file whose data is cached.
    pub(super) fn submit_cached(&mut self, mut io: Io) -> Result<(), Io> {
        if self.in_flight() >= self.shared.depth() {
            return Err(io);
        }
        if io.len == 0 || self.refusal(&io).is_some() || !self.has_cache() {
            return self.submit_rare(io);
        }
        let blocks = io.offset / BLOCK..(io.offset + io.len).div_ceil(BLOCK);
        let end = self.shared.device_size().div_ceil(BLOCK);
        let ahead = self.reader.ahead.on_read(blocks.clone(), end);
        if self.copy_held(&mut io) {
            self.done.push(io.done());
        } else if self.reader.is_fetching(&blocks) {
            self.reader.parked.push(io);
        } else if self.covers_whole(io.offset, io.len) {
            self.begin_kept(io);
        } else {
            // A fetch of nothing but holes is over at once.
            self.fetch(blocks.clone());
            if self.reader.is_fetching(&blocks) {
                self.reader.parked.push(io);
            } else if self.copy_held(&mut io) {
                self.done.push(io.done());
            } else {
                self.begin_kept(io);
            }
        }
        if let Some(blocks) = ahead {
            self.fetch_ahead(blocks);
        }
        Ok(())
    }

    #[inline]
    fn has_cache(&mut self) -> bool {
        if !self.reader.has_tried {
            self.reader.has_tried = true;
            self.reader.cache = self.shared.pool.cache_of(&self.reader.core);
        }
        self.reader.cache.is_some()
    }

    /// Copies a request out of the cache; false where a block is not there.
    #[inline]
    fn copy_held(&self, io: &mut Io) -> bool {
        let Some(cache) = &self.reader.cache else { return false };
        let (start, end) = (io.offset, io.offset + io.len);
        let mut at = start;
        while at < end {
            let block = at / BLOCK;
            let next = end.min((block + 1) * BLOCK);
            let part = (at % BLOCK) as usize..(at % BLOCK + next - at) as usize;
            let payload = &mut io.payload;
            let take = |bytes: &[u8]| payload.copy_from(at - start, &bytes[part]);
            let stamp = self.shared.facts.stamps.of(block);
            if !stamp.is_some_and(|stamp| cache.get(self.key(block), stamp, take)) {
                return false;
            }
            at = next;
        }
        true
    }

    /// True for whole blocks; the file's last one ends with the file.
    fn covers_whole(&self, offset: u64, len: u64) -> bool {
        let end = offset + len;
        let is_end = end.is_multiple_of(BLOCK) || end == self.shared.device_size();
        offset.is_multiple_of(BLOCK) && is_end
    }

    /// Reads the device; whole blocks are kept.
    fn begin_kept(&mut self, io: Io) {
        let blocks = io.offset / BLOCK..(io.offset + io.len).div_ceil(BLOCK);
        let is_whole = self.covers_whole(io.offset, io.len);
        let number = self.begin(io);
        if is_whole {
            self.note_stamps(number, blocks, Keep::Copy);
        }
        self.drive(number);
    }

    /// Writes down the stamps under which what a work reads may be kept.
    fn note_stamps(&mut self, number: u32, blocks: Range<u64>, keep: Keep) {
        let State { works, shared, .. } = self;
        let work = works.get_mut(number).expect("a number names a work until its end");
        work.keep = keep;
        let regions = blocks.start / REGION_BLOCKS..blocks.end.div_ceil(REGION_BLOCKS);
        work.stamps.extend(regions.map(|region| shared.facts.stamps.of(region * REGION_BLOCKS)));
    }

    /// Fetches what a reader will want next, but for what is held at its ends.
    fn fetch_ahead(&mut self, blocks: Range<u64>) {
        let is_held = |state: &State, block: u64| {
            let stamp = state.shared.facts.stamps.of(block);
            let cache = state.reader.cache.as_ref();
            cache.zip(stamp).is_some_and(|(cache, stamp)| cache.holds(state.key(block), stamp))
        };
        let Some(first) = blocks.clone().find(|block| !is_held(self, *block)) else { return };
        let last = blocks.rev().find(|block| !is_held(self, *block)).unwrap_or(first);
        let mut at = first;
        while at <= last {
            let end = (last + 1).min(at + FETCH_BLOCKS);
            if !self.fetch(at..end) {
                return;
            }
            at = end;
        }
    }

    /// Begins to fetch blocks; false where there is no room for it.
    fn fetch(&mut self, blocks: Range<u64>) -> bool {
        if self.beside.works >= FETCHES_MAX
            || self.is_closing
            || blocks.end - blocks.start > FETCH_BLOCKS
        {
            return false;
        }
        let start = blocks.start * BLOCK;
        let len = (blocks.end * BLOCK).min(self.shared.device_size()).saturating_sub(start);
        let lease = if len > 0 { self.reader.core.lease(len as u32) } else { None };
        let Some(lease) = lease else { return false };
        self.beside.works += 1;
        // The file may have become shorter.
        let blocks = blocks_of(start, len);
        self.reader.fetching.push(blocks.clone());
        let number = self.begin(Io::read(start, lease));
        self.note_stamps(number, blocks, Keep::Fetch);
        self.drive(number);
        true
    }

    /// Keeps what a work has read.
    pub(super) fn keep(&self, offset: u64, stamps: &[Option<u64>], payload: &Payload) {
        let Some(cache) = &self.reader.cache else { return };
        let first = offset / BLOCK;
        for block in first..(offset + payload.len()).div_ceil(BLOCK) {
            let region = (block / REGION_BLOCKS - first / REGION_BLOCKS) as usize;
            let now = self.shared.facts.stamps.of(block);
            let Some(stamp) = stamps[region].filter(|stamp| Some(*stamp) == now) else { continue };
            let at = (block - first) * BLOCK;
            let len = BLOCK.min(payload.len() - at) as usize;
            cache.put(self.key(block), stamp, |to| {
                payload.copy_to(at, &mut to[..len]);
                to[len..].fill(0);
            });
        }
    }

    /// A fetch is back, whatever came of it: who waited for it goes on.
    pub(super) fn fetched(&mut self, blocks: Range<u64>, fetch: Completion) {
        drop(fetch);
        self.beside.works -= 1;
        self.reader.fetching.retain(|other| *other != blocks);
        let mut at = 0;
        while at < self.reader.parked.len() {
            let io = &self.reader.parked[at];
            let theirs = io.offset / BLOCK..(io.offset + io.len).div_ceil(BLOCK);
            let is_theirs = theirs.start < blocks.end && blocks.start < theirs.end;
            if !is_theirs || self.reader.is_fetching(&theirs) {
                at += 1;
                continue;
            }
            let mut io = self.reader.parked.swap_remove(at);
            if self.shared.facts.stamps.is_on() && self.copy_held(&mut io) {
                self.done.push(io.done());
            } else {
                debug_assert_eq!(io.op, Op::Read, "only reads are parked");
                self.begin_kept(io);
            }
        }
    }
}
