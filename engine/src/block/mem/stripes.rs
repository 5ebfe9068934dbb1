//! Striped spin locks over the blocks of a device.
//!
//! Invariants: block `b` is guarded by stripe `b % STRIPES`; whoever takes several stripes takes
//! them in ascending order and each once, so two cores never wait for each other; a stripe is held
//! for copies and page-table work only, never across a return to the caller.

use std::sync::atomic::{AtomicBool, Ordering};

/// How many locks there are: 64 KiB of them.
pub(super) const STRIPES: u64 = 1024;

/// Tries before the thread lets another one run: the owner may have lost its core.
const SPINS_MAX: u32 = 128;

/// One lock on a cache line of its own, as neighbouring blocks belong to different cores.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Stripe(AtomicBool);

impl Stripe {
    #[inline]
    fn lock(&self) {
        if self.0.swap(true, Ordering::Acquire) {
            self.wait();
        }
    }

    #[cold]
    fn wait(&self) {
        loop {
            for _ in 0..SPINS_MAX {
                if !self.0.load(Ordering::Relaxed) && !self.0.swap(true, Ordering::Acquire) {
                    return;
                }
                std::hint::spin_loop();
            }
            std::thread::yield_now();
        }
    }
}

/// The locks of one device.
#[derive(Debug)]
pub(super) struct Stripes(Box<[Stripe]>);

impl Stripes {
    pub(super) fn new() -> Self {
        Stripes((0..STRIPES).map(|_| Stripe::default()).collect())
    }

    /// Locks one block until the guard is dropped.
    #[inline]
    pub(super) fn lock(&self, block: u64) -> StripeGuard<'_> {
        let stripe = &self.0[(block % STRIPES) as usize];
        stripe.lock();
        StripeGuard(stripe)
    }

    /// Locks the blocks `first..end`, at most [`STRIPES`] of them, until the guard is dropped.
    pub(super) fn lock_range(&self, first: u64, end: u64) -> RangeGuard<'_> {
        assert!(first < end && end - first <= STRIPES, "a range of {first}..{end} blocks");
        let (first, end) = ((first % STRIPES) as usize, ((end - 1) % STRIPES) as usize + 1);
        let (low, high) = if first < end {
            (&self.0[first..end], &self.0[..0])
        } else {
            (&self.0[..end], &self.0[first..])
        };
        low.iter().chain(high).for_each(Stripe::lock);
        RangeGuard { low, high }
    }
}

/// Holds one stripe.
pub(super) struct StripeGuard<'a>(&'a Stripe);

impl Drop for StripeGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.0.store(false, Ordering::Release);
    }
}

/// Holds the stripes of a range of blocks.
pub(super) struct RangeGuard<'a> {
    low: &'a [Stripe],
    high: &'a [Stripe],
}

impl Drop for RangeGuard<'_> {
    fn drop(&mut self) {
        self.low.iter().chain(self.high).for_each(|s| s.0.store(false, Ordering::Release));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(stripes: &Stripes) -> Vec<usize> {
        let is_held = |s: &Stripe| s.0.load(Ordering::Relaxed);
        stripes.0.iter().enumerate().filter(|(_, s)| is_held(s)).map(|(i, _)| i).collect()
    }

    #[test]
    fn a_range_holds_each_of_its_stripes_once_and_lets_them_go() {
        let stripes = Stripes::new();
        let guard = stripes.lock_range(STRIPES * 7 - 2, STRIPES * 7 + 1);
        assert_eq!(held(&stripes), [0, 1022, 1023]);
        drop(guard);
        let all = stripes.lock_range(5, 5 + STRIPES);
        assert_eq!(held(&stripes).len() as u64, STRIPES);
        drop(all);
        drop(stripes.lock(STRIPES + 3));
        assert!(held(&stripes).is_empty());
    }
}
