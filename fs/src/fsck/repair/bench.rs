//! Operations on the overlay of a check.

use crate::fsck::check::Check;
use crate::fsck::reader::Gone;
use crate::store::{Block, FsError, Memory, Op, Stop};

/// A store above the overlay.
pub(super) struct Bench {
    memory: Memory,
}

impl Bench {
    /// A bench whose versions are greater than any that was seen.
    pub(super) fn new(c: &Check) -> Bench {
        let mut memory = Memory::after(c.geometry(), *c.reader.uuid(), c.version_max);
        memory.store().set_dir_hash_key(c.superblock.dir_hash_key);
        memory.set_now(c.superblock.created);
        Bench { memory }
    }

    /// Runs an operation, as often as it takes to read what it misses.
    pub(super) async fn run<T>(
        &mut self,
        c: &Check,
        mut operation: impl FnMut(&mut Op<'_>) -> Result<T, Stop>,
    ) -> Result<Result<T, FsError>, Gone> {
        loop {
            match self.memory.run_once(&mut operation) {
                Ok(outcome) => return Ok(Ok(outcome)),
                Err(Stop::Fail(error)) => return Ok(Err(error)),
                Err(Stop::Lock { .. }) => {}
                // The store of a check has no journal, so it never lacks room there.
                Err(Stop::Room) => self.memory.commit(),
                Err(Stop::Miss { bno, want }) => {
                    let read = c.reader.raw(bno).await?;
                    let block = read.map_or_else(Block::zeroed, |block| Block::clone(&block));
                    if let Err(damage) = self.memory.store().arrived(bno, want, block) {
                        return Ok(Err(FsError::Damaged(damage)));
                    }
                }
            }
        }
    }

    /// Puts what was changed into the overlay.
    pub(super) fn put_back(&mut self, c: &mut Check) {
        self.memory.commit();
        for (bno, block) in self.memory.take_blocks() {
            c.reader.put(bno, block);
        }
        c.version_max = c.version_max.max(self.memory.store().version());
    }
}
