//! What a verified load knows of the blocks of its part, and the reading back at its end.

use byway_engine::block::{Completion, Payload};

use crate::record::Failure;
use crate::verify::{Generations, Stamp, StampFault};

/// The content of a thread's part.
#[derive(Debug)]
pub(super) struct Content {
    table: Generations,
    seed: u64,
    verified: u64,
    /// The next block to read back; none before and after the reading back.
    cursor: Option<u64>,
    block: Vec<u8>,
}

impl Content {
    pub(super) fn new(seed: u64, blocks: u64) -> Content {
        let table = Generations::new(blocks);
        Content { table, seed, verified: 0, cursor: None, block: Vec::new() }
    }

    pub(super) fn verified(&self) -> u64 {
        self.verified
    }

    /// A block near `block` that has nothing in flight, marked as used.
    pub(super) fn take(&mut self, block: u64) -> u64 {
        self.table.take(block)
    }

    /// Stamps `payload` as the next generation of `block`.
    pub(super) fn stamp(&mut self, block: u64, offset: u64, payload: &mut Payload) -> u32 {
        let generation = self.table.next(block);
        self.block.resize(payload.len() as usize, 0);
        Stamp { offset, seed: self.seed, generation }.write(&mut self.block);
        payload.copy_from(0, &self.block);
        generation
    }

    /// A write is over.
    pub(super) fn written(&mut self, block: u64, generation: Option<u32>) {
        self.table.write_done(block, generation);
    }

    /// A read is over: its content must be what this run wrote; a block of an earlier run must at
    /// least be whole and in its place.
    pub(super) fn read(
        &mut self,
        block: u64,
        offset: u64,
        completion: &Completion,
    ) -> Result<(), Failure> {
        self.table.read_done(block);
        if completion.result.is_err() {
            return Ok(());
        }
        self.block.resize(completion.payload.len() as usize, 0);
        completion.payload.copy_to(0, &mut self.block);
        match self.judge(block, offset) {
            Ok(judged) => {
                self.verified += u64::from(judged);
                Ok(())
            }
            Err(fault) => Err(Failure {
                op: "verify",
                offset,
                len: completion.payload.len(),
                errno: None,
                what: format!("verify of {} bytes at offset {offset}: {fault}", self.block.len()),
            }),
        }
    }

    /// True where there was something to judge.
    fn judge(&self, block: u64, offset: u64) -> Result<bool, StampFault> {
        if let Some(generation) = self.table.expected(block) {
            let stamp = Stamp { offset, seed: self.seed, generation };
            return stamp.check(&self.block).map(|()| true);
        }
        if !self.table.is_untouched(block) {
            return Ok(false);
        }
        match Stamp::read(&self.block)? {
            Some(found) if found.offset != offset => {
                Err(StampFault::Other { expected: Stamp { offset, ..found }, found })
            }
            found => Ok(found.is_some()),
        }
    }

    /// Goes to the first written block; false where there is none.
    pub(super) fn start_read_back(&mut self) -> bool {
        self.cursor = self.table.next_written(0);
        self.cursor.is_some()
    }

    pub(super) fn has_more(&self) -> bool {
        self.cursor.is_some()
    }

    /// The next block to read back, marked as used.
    pub(super) fn next_to_read(&mut self) -> Option<u64> {
        let block = self.cursor?;
        self.cursor = self.table.next_written(block + 1);
        Some(self.table.take(block))
    }
}
