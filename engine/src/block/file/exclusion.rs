//! Keeping whole-block writes away from a read-modify-write of the same blocks, across cores.
//!
//! Every write publishes its range on its channel's board before it is sent, and looks at a count
//! of exclusive ranges. An exclusive range (an unaligned write, a compare-and-write) first enters
//! the list, then waits until no board shows an overlapping write. Each side has a full fence
//! between its store and its load, so at least one sees the other. The common write pays two plain
//! stores, and one fence a batch; the lock is taken by exclusive ranges alone and by writes that
//! meet one.

use std::ops::Range;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard};

/// The ranges that one channel is writing, by slot. An empty range is no write.
pub(super) struct Board {
    ranges: Box<[(AtomicU64, AtomicU64)]>,
}

impl Board {
    fn new(slots: u32) -> Board {
        let ranges = (0..slots).map(|_| (AtomicU64::new(0), AtomicU64::new(0)));
        Board { ranges: ranges.collect() }
    }

    /// Shows a write. `Exclusion::fence` must follow before the write is sent.
    #[inline]
    pub(super) fn publish(&self, slot: u32, range: &Range<u64>) {
        let (start, end) = &self.ranges[slot as usize];
        start.store(range.start, Ordering::Relaxed);
        end.store(range.end, Ordering::Release);
    }

    /// The write is over.
    #[inline]
    pub(super) fn withdraw(&self, slot: u32) {
        self.ranges[slot as usize].1.store(0, Ordering::Release);
    }

    fn overlaps(&self, range: &Range<u64>) -> bool {
        self.ranges.iter().any(|(start, end)| {
            let end = end.load(Ordering::Acquire);
            end > range.start && start.load(Ordering::Relaxed) < range.end
        })
    }
}

struct Claim {
    number: u64,
    range: Range<u64>,
}

#[derive(Default)]
struct Claims {
    next: u64,
    list: Vec<Claim>,
    boards: Vec<Arc<Board>>,
}

/// The exclusive ranges of a device.
pub(super) struct Exclusion {
    count: AtomicU32,
    claims: Mutex<Claims>,
}

impl Exclusion {
    pub(super) fn new() -> Exclusion {
        Exclusion { count: AtomicU32::new(0), claims: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Claims> {
        // Every change below is whole before anything can panic.
        self.claims.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// A board for a new channel of `slots` requests.
    pub(super) fn add_board(&self, slots: u32) -> Arc<Board> {
        let board = Arc::new(Board::new(slots));
        self.lock().boards.push(Arc::clone(&board));
        board
    }

    pub(super) fn remove_board(&self, board: &Arc<Board>) {
        self.lock().boards.retain(|other| !Arc::ptr_eq(other, board));
    }

    /// Orders the publications of a batch before the look at the count.
    #[inline]
    pub(super) fn any_claim(&self) -> bool {
        fence(Ordering::SeqCst);
        self.count.load(Ordering::Relaxed) != 0
    }

    /// True where an exclusive range is in the way of a write.
    pub(super) fn blocks(&self, range: &Range<u64>) -> bool {
        self.lock().list.iter().any(|claim| overlap(&claim.range, range))
    }

    /// Claims a range, unless another claim overlaps. New writes to it wait from now on; those
    /// already out are awaited by `is_clear`.
    pub(super) fn claim(&self, range: Range<u64>) -> Option<u64> {
        let mut claims = self.lock();
        if claims.list.iter().any(|claim| overlap(&claim.range, &range)) {
            return None;
        }
        let number = claims.next;
        claims.next += 1;
        claims.list.push(Claim { number, range });
        self.count.fetch_add(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        Some(number)
    }

    /// True once no write overlaps the claimed range.
    pub(super) fn is_clear(&self, range: &Range<u64>) -> bool {
        !self.lock().boards.iter().any(|board| board.overlaps(range))
    }

    /// Gives a claim up.
    pub(super) fn release(&self, number: u64) {
        let mut claims = self.lock();
        claims.list.retain(|claim| claim.number != number);
        self.count.fetch_sub(1, Ordering::SeqCst);
    }
}

fn overlap(a: &Range<u64>, b: &Range<u64>) -> bool {
    a.start < b.end && b.start < a.end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_waits_for_writes_that_are_out() {
        let exclusion = Exclusion::new();
        let board = exclusion.add_board(4);
        board.publish(2, &(4096..8192));
        assert!(!exclusion.any_claim());
        let claim = exclusion.claim(0..4608).unwrap();
        assert!(!exclusion.is_clear(&(0..4608)));
        assert!(exclusion.is_clear(&(0..4096)));
        board.withdraw(2);
        assert!(exclusion.is_clear(&(0..4608)));
        exclusion.release(claim);
    }

    #[test]
    fn a_write_waits_for_a_claim() {
        let exclusion = Exclusion::new();
        let claim = exclusion.claim(512..1024).unwrap();
        assert!(exclusion.any_claim() && exclusion.blocks(&(0..513)));
        assert!(!exclusion.blocks(&(1024..2048)));
        assert!(exclusion.claim(1000..1001).is_none(), "claims exclude each other");
        exclusion.release(claim);
        assert!(!exclusion.any_claim() && !exclusion.blocks(&(0..513)));
    }

    #[test]
    fn a_closed_channel_blocks_nobody() {
        let exclusion = Exclusion::new();
        let board = exclusion.add_board(1);
        board.publish(0, &(0..512));
        exclusion.remove_board(&board);
        assert!(exclusion.is_clear(&(0..512)));
    }
}
