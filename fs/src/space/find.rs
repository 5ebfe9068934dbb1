//! Searching a group's bitmap: for one block, for an empty chunk of dinodes, for a run of data.
//! Blocks that were freed by what is not durable yet are passed over.

use super::group::bit_place;
use crate::format::{BITS_PER_BLOCK, BitmapHead, Bits, Geometry, bitmap_want};
use crate::store::{Op, Run, Stop};

const BITS: u32 = BITS_PER_BLOCK as u32;
/// Dinodes come together in aligned chunks of so many blocks: a word of the bitmap.
pub(super) const CHUNK: u32 = 64;

/// What run is looked for.
#[derive(Clone, Copy)]
pub(super) struct Wish {
    pub(super) min: u32,
    pub(super) max: u32,
    pub(super) align: u32,
}

/// Calls `search` for the bitmap blocks of a group, from the one of `from` on and around, until it
/// is content; the first is looked at once more at the end, from its start.
fn around(
    op: &Op<'_>,
    group: u32,
    from: u32,
    mut search: impl FnMut(&BitmapHead, &Bits, Part) -> bool,
) -> Result<(), Stop> {
    let geometry: &Geometry = op.geometry();
    let blocks = geometry.bitmap_blocks();
    for step in 0..=blocks {
        let index = (from / BITS + step) % blocks;
        let block = op.read(bit_place(geometry, group, index * BITS).0, bitmap_want(group))?;
        let part = Part {
            first: if step == 0 { from % BITS } else { 0 },
            base: index * BITS,
            start: geometry.group_start(group) + u64::from(index * BITS),
        };
        if search(BitmapHead::of(&block), Bits::of(&block), part) {
            break;
        }
    }
    Ok(())
}

/// One bitmap block of a search.
#[derive(Clone, Copy)]
struct Part {
    /// The search begins at this bit.
    first: u32,
    /// The group's bit that is the block's first.
    base: u32,
    /// The volume's block that is the first bit.
    start: u64,
}

impl Part {
    /// Where the search goes on when blocks are busy; None when `len` blocks from `at` on are not.
    fn after_busy(&self, op: &Op<'_>, at: u32, len: u32) -> Option<u32> {
        let run = Run { start: self.start + u64::from(at), len: u64::from(len) };
        let busy = op.busy_within(run)?;
        Some((busy.start + busy.len).saturating_sub(self.start).min(BITS_PER_BLOCK) as u32)
    }
}

/// A free block at or after `from`, or else any; not in the chunk at `avoid`.
pub(super) fn block(
    op: &Op<'_>,
    group: u32,
    from: u32,
    avoid: Option<u32>,
) -> Result<Option<u32>, Stop> {
    let mut found = None;
    around(op, group, from, |head, bits, part| {
        if head.free.get() == 0 {
            return false;
        }
        let mut at = part.first.max(head.first_free.get());
        while let Some(clear) = bits.next_clear(at, head.bits.get()) {
            let chunk = (part.base + clear) & !(CHUNK - 1);
            if avoid == Some(chunk) {
                at = chunk - part.base + CHUNK;
            } else if let Some(after) = part.after_busy(op, clear, 1) {
                at = after;
            } else {
                found = Some(part.base + clear);
                return true;
            }
        }
        false
    })?;
    Ok(found)
}

/// A free block in the chunk at `chunk`.
pub(super) fn block_in_chunk(op: &Op<'_>, group: u32, chunk: u32) -> Result<Option<u32>, Stop> {
    let mut found = None;
    around(op, group, chunk, |head, bits, part| {
        let end = head.bits.get().min(part.first + CHUNK);
        let mut at = part.first;
        while let Some(clear) = bits.next_clear(at, end) {
            match part.after_busy(op, clear, 1) {
                Some(after) => at = after,
                None => {
                    found = Some(part.base + clear);
                    break;
                }
            }
        }
        true
    })?;
    Ok(found)
}

/// A chunk that is all free.
pub(super) fn empty_chunk(op: &Op<'_>, group: u32, from: u32) -> Result<Option<u32>, Stop> {
    let wish = Wish { min: CHUNK, max: CHUNK, align: CHUNK };
    Ok(run(op, group, from, wish)?.map(|(bit, _)| bit))
}

/// The first run that is as long as it may be, or else the longest: its first bit and its length.
pub(super) fn run(
    op: &Op<'_>,
    group: u32,
    from: u32,
    wish: Wish,
) -> Result<Option<(u32, u32)>, Stop> {
    let mut best = None;
    around(op, group, from, |head, bits, part| {
        let needed = best.map_or(wish.min, |(_, len)| len + 1);
        if head.free.get() >= needed && head.largest_run.get() >= needed {
            longest(op, bits, head.bits.get(), part, wish, &mut best);
        }
        best.is_some_and(|(_, len)| len >= wish.max)
    })?;
    Ok(best)
}

fn longest(
    op: &Op<'_>,
    bits: &Bits,
    end: u32,
    part: Part,
    wish: Wish,
    best: &mut Option<(u32, u32)>,
) {
    for (start, len) in bits.runs(part.first.min(end), end) {
        let mut at = start;
        loop {
            let needed = best.map_or(wish.min, |(_, len)| len + 1);
            let first = at.next_multiple_of(wish.align);
            if first + needed > start + len {
                break;
            }
            let most = (start + len - first).min(wish.max);
            let Some(busy) =
                op.busy_within(Run { start: part.start + u64::from(first), len: u64::from(most) })
            else {
                *best = Some((part.base + first, most));
                break;
            };
            let before = busy.start.saturating_sub(part.start + u64::from(first)) as u32;
            if before >= needed {
                *best = Some((part.base + first, before));
            }
            let after = (busy.start + busy.len).saturating_sub(part.start);
            at = after.min(BITS_PER_BLOCK).max(u64::from(first) + 1) as u32;
        }
        if best.is_some_and(|(_, len)| len >= wish.max) {
            return;
        }
    }
}

/// The free run that begins at exactly `bit`: its length, at most `max`.
pub(super) fn run_at(op: &Op<'_>, group: u32, bit: u32, max: u32) -> Result<u32, Stop> {
    let mut found = 0;
    around(op, group, bit, |head, bits, part| {
        let end = head.bits.get();
        if part.first >= end || bits.get(part.first) {
            return true;
        }
        let clear = bits.next_set(part.first, end).unwrap_or(end) - part.first;
        found = clear.min(max);
        let run = Run { start: part.start + u64::from(part.first), len: u64::from(found) };
        if let Some(busy) = op.busy_within(run) {
            found = busy.start.saturating_sub(run.start) as u32;
        }
        true
    })?;
    Ok(found)
}
