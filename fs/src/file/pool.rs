//! One cache of file data for each core that reads files of a volume.
//!
//! Invariants: a core finds its cache in its own thread, without a lock; the memory is there as long
//! as a channel of the core uses it, and never more than the bound. Counts are stored plainly by
//! their core, for anybody to read.

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use byway_engine::core::Core;

use crate::cache::{BlockKey, Cache, CacheCounts};

/// The caches of a volume's files.
pub(super) struct Pool {
    /// Bytes for each core.
    len_max: usize,
    next_file: AtomicU64,
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    open: Vec<Arc<Counts>>,
    closed: CacheCounts,
}

/// What one core has counted.
#[derive(Default)]
struct Counts([AtomicU64; 6]);

impl Counts {
    fn store(&self, c: &CacheCounts) {
        let values = [c.hits, c.misses, c.stale, c.evictions, c.bytes, c.bound];
        for (place, value) in self.0.iter().zip(values) {
            place.store(value, Ordering::Relaxed);
        }
    }

    fn load(&self) -> CacheCounts {
        let [hits, misses, stale, evictions, bytes, bound] =
            self.0.each_ref().map(|count| count.load(Ordering::Relaxed));
        CacheCounts { hits, misses, stale, evictions, bytes, bound }
    }
}

fn add(to: &mut CacheCounts, other: &CacheCounts) {
    to.hits += other.hits;
    to.misses += other.misses;
    to.stale += other.stale;
    to.evictions += other.evictions;
    to.bytes += other.bytes;
    to.bound += other.bound;
}

/// A cache in its thread's list: the volume's pool and the core that it is for.
struct Known {
    pool: *const Pool,
    core: *const Core,
    cache: Weak<CoreCache>,
}

thread_local! {
    static CACHES: RefCell<Vec<Known>> = const { RefCell::new(Vec::new()) };
}

impl Pool {
    pub(super) fn new(len_max: usize) -> Arc<Pool> {
        Arc::new(Pool { len_max, next_file: 1.into(), books: Mutex::default() })
    }

    /// A number that no file of this pool had before.
    pub(super) fn new_file(&self) -> u64 {
        self.next_file.fetch_add(1, Ordering::Relaxed)
    }

    /// The cache of a core; none where there is no memory for one.
    pub(super) fn cache_of(self: &Arc<Pool>, core: &Rc<Core>) -> Option<Rc<CoreCache>> {
        CACHES.with_borrow_mut(|known| {
            // An address may be used again only when nothing holds what was there.
            known.retain(|one| one.cache.strong_count() > 0);
            let mine = (Arc::as_ptr(self), Rc::as_ptr(core));
            if let Some(one) = known.iter().find(|one| (one.pool, one.core) == mine) {
                return one.cache.upgrade();
            }
            let cache = Rc::new(CoreCache::new(self, core)?);
            known.push(Known { pool: mine.0, core: mine.1, cache: Rc::downgrade(&cache) });
            Some(cache)
        })
    }

    /// The sums over all cores; what is held and its bound are of the caches that are in use now.
    pub(super) fn counts(&self) -> CacheCounts {
        let books = self.books();
        let mut sum = books.closed;
        books.open.iter().for_each(|counts| add(&mut sum, &counts.load()));
        sum
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        // Every change below is whole before anything can panic.
        self.books.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// One core's cache.
pub(super) struct CoreCache {
    cache: RefCell<Cache>,
    counts: Arc<Counts>,
    pool: Arc<Pool>,
    _core: Rc<Core>,
}

impl CoreCache {
    fn new(pool: &Arc<Pool>, core: &Rc<Core>) -> Option<CoreCache> {
        let cache = match Cache::new(pool.len_max) {
            Ok(cache) => RefCell::new(cache),
            Err(error) => {
                tracing::warn!(%error, "files are read without a cache");
                return None;
            }
        };
        let counts = Arc::<Counts>::default();
        counts.store(&cache.borrow().counts());
        pool.books().open.push(Arc::clone(&counts));
        Some(CoreCache { cache, counts, pool: Arc::clone(pool), _core: Rc::clone(core) })
    }

    /// Gives the bytes of a block to `take`, where they are held under this stamp.
    #[inline]
    pub(super) fn get(&self, key: BlockKey, stamp: u64, take: impl FnOnce(&[u8])) -> bool {
        let mut cache = self.cache.borrow_mut();
        let found = cache.get(key, stamp).map(take).is_some();
        self.counts.store(&cache.counts());
        found
    }

    pub(super) fn holds(&self, key: BlockKey, stamp: u64) -> bool {
        self.cache.borrow().holds(key, stamp)
    }

    pub(super) fn put(&self, key: BlockKey, stamp: u64, fill: impl FnOnce(&mut [u8])) {
        let mut cache = self.cache.borrow_mut();
        cache.put(key, stamp, fill);
        self.counts.store(&cache.counts());
    }
}

impl Drop for CoreCache {
    fn drop(&mut self) {
        let mut books = self.pool.books();
        books.open.retain(|counts| !Arc::ptr_eq(counts, &self.counts));
        let last = CacheCounts { bytes: 0, bound: 0, ..self.counts.load() };
        add(&mut books.closed, &last);
    }
}
