//! What is known of each block: how often it was written, and whether it is in use now.

/// The block has an operation in flight.
const BUSY: u32 = 1 << 31;
/// A write of the block failed: its content is not known.
const UNKNOWN: u32 = BUSY - 1;
/// Generations start again at one after this.
const GENERATION_MAX: u32 = UNKNOWN - 1;

/// The generation of each block of a thread's part; four bytes a block.
#[derive(Debug)]
pub struct Generations {
    blocks: Vec<u32>,
}

impl Generations {
    /// `n` blocks that were never written.
    pub fn new(n: u64) -> Generations {
        Generations { blocks: vec![0; n as usize] }
    }

    /// Takes the first block from `block` on (around the end) that has nothing in flight, and
    /// marks it. Fewer blocks are in use than there are, so one is found.
    pub fn take(&mut self, block: u64) -> u64 {
        let n = self.blocks.len();
        let start = block as usize;
        let free = (start..n).chain(0..start).find(|b| self.blocks[*b] & BUSY == 0);
        let free = free.expect("more blocks than requests in flight");
        self.blocks[free] |= BUSY;
        free as u64
    }

    /// The generation that the next write of `block` gives it.
    pub fn next(&self, block: u64) -> u32 {
        match self.blocks[block as usize] & !BUSY {
            UNKNOWN | GENERATION_MAX => 1,
            generation => generation + 1,
        }
    }

    /// The generation that a read of `block` must find; none where it cannot be judged.
    pub fn expected(&self, block: u64) -> Option<u32> {
        let generation = self.blocks[block as usize] & !BUSY;
        (generation != 0 && generation != UNKNOWN).then_some(generation)
    }

    /// True where no write of this run has reached for the block.
    pub fn is_untouched(&self, block: u64) -> bool {
        self.blocks[block as usize] & !BUSY == 0
    }

    /// A read of `block` is over.
    pub fn read_done(&mut self, block: u64) {
        self.blocks[block as usize] &= !BUSY;
    }

    /// A write of `block` is over; a failed one leaves the block unknown.
    pub fn write_done(&mut self, block: u64, written: Option<u32>) {
        self.blocks[block as usize] = written.unwrap_or(UNKNOWN);
    }

    /// The first block from `from` on whose content is known.
    pub fn next_written(&self, from: u64) -> Option<u64> {
        (from..self.blocks.len() as u64).find(|block| self.expected(*block).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_in_use_is_passed_over() {
        let mut table = Generations::new(3);
        assert_eq!([table.take(1), table.take(1), table.take(1)], [1, 2, 0]);
        table.read_done(2);
        assert_eq!(table.take(0), 2);
    }

    #[test]
    fn generations_rise_and_a_failed_write_forgets() {
        let mut table = Generations::new(2);
        assert!(table.is_untouched(0) && table.expected(0).is_none());
        assert_eq!((table.take(0), table.next(0)), (0, 1));
        table.write_done(0, Some(1));
        assert_eq!(
            (table.expected(0), table.next(0), table.next_written(0)),
            (Some(1), 2, Some(0))
        );
        table.take(0);
        table.write_done(0, None);
        assert!(!table.is_untouched(0) && table.expected(0).is_none());
        assert_eq!((table.next(0), table.next_written(0)), (1, None));
    }

    #[test]
    fn generations_start_again_below_the_marks() {
        let mut table = Generations::new(1);
        table.write_done(0, Some(GENERATION_MAX));
        assert_eq!((table.expected(0), table.next(0)), (Some(GENERATION_MAX), 1));
    }
}
