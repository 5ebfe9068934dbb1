//! A block of bits: a part of a group's bitmap, or of the map of initialised groups.
//!
//! Invariants: bit n is bit n % 8 of byte n / 8; `free` is the number of clear bits below `bits`;
//! bits from `bits` on are clear and mean nothing. Searches go word by word.

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::view::{table, table_mut};
use super::{BITS_PER_BLOCK, BLOCK_LEN, HEADER_LEN, Kind};
use crate::store::{Block, Damage, Fault, Want};

/// The bits begin here in the block.
pub const BITS_AT: usize = 96;
const WORDS: usize = 500;

/// What follows the header in a block of bits.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct BitmapHead {
    /// Clear bits below `bits`.
    pub free: U32,
    /// No clear run of this block is longer: a hint that may be too great.
    pub largest_run: U32,
    /// No bit below it is clear: a hint that may be too small.
    pub first_free: U32,
    /// Bits that mean something.
    pub bits: U32,
    /// Zero.
    pub reserved: [u8; 16],
}

/// The bits of a block.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Bits([U64; WORDS]);

const _: () = assert!(HEADER_LEN + size_of::<BitmapHead>() == BITS_AT);
const _: () = assert!(BITS_AT + size_of::<Bits>() == BLOCK_LEN);
const _: () = assert!(WORDS as u64 * 64 == BITS_PER_BLOCK);

impl BitmapHead {
    /// The table in a block of bits.
    pub fn of(block: &Block) -> &BitmapHead {
        table(block, HEADER_LEN)
    }

    /// The table in a block of bits, to be changed.
    pub fn of_mut(block: &mut Block) -> &mut BitmapHead {
        table_mut(block, HEADER_LEN)
    }
}

/// Judges a block of bits that must hold `bits` bits: its counts, and that nothing is set after
/// them. `want` names the block.
pub fn check_bits(block: &Block, bno: u64, want: Want, bits: u32) -> Result<(), Damage> {
    let head = BitmapHead::of(block);
    let map = Bits::of(block);
    let beyond = map.count(bits, BITS_PER_BLOCK as u32 - bits);
    let clear = bits - map.count(0, bits);
    let hints = head.largest_run.get() <= bits && head.first_free.get() <= bits;
    let name = match (head.bits.get() == bits, beyond, head.free.get() == clear, hints) {
        (false, ..) => "bits",
        (_, 1.., ..) => "bit after the last",
        (_, _, false, _) => "free",
        (.., false) => "hint",
        _ if head.reserved != [0; 16] => return Err(Damage { bno, want, fault: Fault::Reserved }),
        _ => return Ok(()),
    };
    Err(Damage::field(bno, want, name))
}

/// The numbers of bits that one block of the group map or of a bitmap holds, when `total` bits are
/// spread over blocks and this is the `index`th.
pub fn bits_in(total: u64, index: u64) -> u32 {
    total.saturating_sub(index * BITS_PER_BLOCK).min(BITS_PER_BLOCK) as u32
}

/// What the `index`th block of a group's bitmap must be.
pub fn bitmap_want(group: u32) -> Want {
    Want::new(Kind::Bitmap, u64::from(group))
}

impl Bits {
    /// The bits of a block.
    pub fn of(block: &Block) -> &Bits {
        table(block, BITS_AT)
    }

    /// The bits of a block, to be changed.
    pub fn of_mut(block: &mut Block) -> &mut Bits {
        table_mut(block, BITS_AT)
    }

    /// True where bit `at` is set.
    #[inline]
    pub fn get(&self, at: u32) -> bool {
        self.word(at) >> (at % 64) & 1 == 1
    }

    /// Sets `len` bits from `at` on. Gives how many of them were clear.
    pub fn set(&mut self, at: u32, len: u32) -> u32 {
        self.change(at, len, |word, mask| word | mask)
    }

    /// Clears `len` bits from `at` on. Gives how many of them were set.
    pub fn clear(&mut self, at: u32, len: u32) -> u32 {
        self.change(at, len, |word, mask| word & !mask)
    }

    /// How many of `len` bits from `at` on are set.
    pub fn count(&self, at: u32, len: u32) -> u32 {
        parts(at, len).map(|(index, mask)| (self.0[index].get() & mask).count_ones()).sum()
    }

    /// The words of the bits, in order.
    pub fn words(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().map(|word| word.get())
    }

    /// Replaces the first words.
    pub fn put_words(&mut self, words: impl Iterator<Item = u64>) {
        self.0.iter_mut().zip(words).for_each(|(to, word)| to.set(word));
    }

    /// The first clear bit in `from..end`.
    pub fn next_clear(&self, from: u32, end: u32) -> Option<u32> {
        self.find(from, end, |word| !word)
    }

    /// The first set bit in `from..end`.
    pub fn next_set(&self, from: u32, end: u32) -> Option<u32> {
        self.find(from, end, |word| word)
    }

    /// The last set bit below `end`.
    pub fn last_set(&self, end: u32) -> Option<u32> {
        let mut end = end;
        while end > 0 {
            let base = (end - 1) / 64 * 64;
            let word = self.word(base) & (u64::MAX >> (63 - (end - 1 - base)));
            if word != 0 {
                return Some(base + 63 - word.leading_zeros());
            }
            end = base;
        }
        None
    }

    /// The first run of clear bits that begins in `from..end` and ends before `end`: start, length.
    pub fn next_run(&self, from: u32, end: u32) -> Option<(u32, u32)> {
        let start = self.next_clear(from, end)?;
        Some((start, self.next_set(start, end).unwrap_or(end) - start))
    }

    /// The runs of clear bits in `from..end`, in order.
    pub fn runs(&self, from: u32, end: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
        let mut at = from;
        std::iter::from_fn(move || {
            let (start, len) = self.next_run(at, end)?;
            at = start + len;
            Some((start, len))
        })
    }

    /// The length of the longest run of clear bits below `end`.
    pub fn longest_run(&self, end: u32) -> u32 {
        self.runs(0, end).map(|(_, len)| len).max().unwrap_or(0)
    }

    #[inline]
    fn word(&self, at: u32) -> u64 {
        self.0[at as usize / 64].get()
    }

    fn change(&mut self, at: u32, len: u32, apply: impl Fn(u64, u64) -> u64) -> u32 {
        let mut changed = 0;
        for (index, mask) in parts(at, len) {
            let before = self.0[index].get();
            let after = apply(before, mask);
            changed += (before ^ after).count_ones();
            self.0[index].set(after);
        }
        changed
    }

    /// The first bit in `from..end` that is set in `of(word)`.
    fn find(&self, from: u32, end: u32, of: impl Fn(u64) -> u64) -> Option<u32> {
        assert!(u64::from(end) <= BITS_PER_BLOCK, "the search stays inside the block");
        if from >= end {
            return None;
        }
        let mut word = of(self.word(from)) & (u64::MAX << (from % 64));
        let mut base = from - from % 64;
        while word == 0 {
            base += 64;
            if base >= end {
                return None;
            }
            word = of(self.word(base));
        }
        Some(base + word.trailing_zeros()).filter(|found| *found < end)
    }
}

/// The words that `len` bits from `at` on lie in, each with the mask of those bits.
fn parts(at: u32, len: u32) -> impl Iterator<Item = (usize, u64)> {
    let end = at.checked_add(len).filter(|end| u64::from(*end) <= BITS_PER_BLOCK);
    let end = end.expect("the bits lie inside the block");
    let words = if len == 0 { 0..0 } else { at / 64..end.div_ceil(64) };
    words.map(move |index| {
        let low = at.saturating_sub(index * 64);
        let high = (end - index * 64).min(64);
        (index as usize, (u64::MAX << low) & (u64::MAX >> (64 - high)))
    })
}

#[cfg(test)]
mod tests;
