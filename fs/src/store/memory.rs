//! A volume whose metadata is all in memory: for tests, and for making new volumes.

use std::collections::BTreeMap;

use super::{Block, FsError, Mode, Op, Stop, Store, Time};
use crate::format::Geometry;

/// A store, and the blocks that were put out of it.
pub struct Memory {
    store: Store,
    backing: BTreeMap<u64, Block>,
    now: Time,
}

impl Memory {
    /// Nothing is on the volume yet.
    pub fn new(geometry: Geometry, uuid: [u8; 16]) -> Memory {
        Memory::after(geometry, uuid, 0)
    }

    /// Nothing is known of the volume; its blocks have versions up to `clock`.
    pub fn after(geometry: Geometry, uuid: [u8; 16], clock: u64) -> Memory {
        let mut store = Store::new(geometry, uuid, 0, clock);
        store.stand_alone();
        Memory { store, backing: BTreeMap::new(), now: 0 }
    }

    /// Puts sealed blocks where operations find them: those of a new volume, say.
    pub fn load(&mut self, blocks: impl Iterator<Item = (u64, Block)>) {
        self.backing.extend(blocks);
    }

    /// Sets what operations stamp into dinodes.
    pub fn set_now(&mut self, now: Time) {
        self.now = now;
    }

    /// The store itself.
    pub fn store(&mut self) -> &mut Store {
        &mut self.store
    }

    /// Runs an operation once: what it misses is for the caller to bring.
    pub fn run_once<T>(
        &mut self,
        operation: impl FnMut(&mut Op<'_>) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        self.store.run(self.now, operation)
    }

    /// Runs an operation, as often as it takes to bring back what it misses.
    pub fn run<T>(
        &mut self,
        mut operation: impl FnMut(&mut Op<'_>) -> Result<T, Stop>,
    ) -> Result<T, FsError> {
        loop {
            match self.store.run(self.now, &mut operation) {
                Ok(outcome) => return Ok(outcome),
                Err(Stop::Miss { bno, want }) => {
                    let block = self.backing.get(&bno).cloned().unwrap_or_default();
                    self.store.arrived(bno, want, block)?;
                }
                Err(Stop::Lock { id, .. }) => self.store.granted(id, Mode::Exclusive),
                Err(Stop::Room) => self.commit(),
                Err(Stop::Fail(error)) => return Err(error),
            }
        }
    }

    /// Ends the running transaction: its images are sealed and put out of the store, so that the
    /// next operation misses them; what it freed is gone, and its data is no longer busy.
    pub fn commit(&mut self) {
        let Some(batch) = self.store.begin_commit(0) else { return };
        self.store.commit_is_durable();
        for (bno, _) in &batch.frees {
            self.backing.remove(bno);
        }
        drop(batch);
        for place in self.store.begin_round(usize::MAX).iter().flat_map(|places| places.iter()) {
            let mut block = Block::clone(&place.block);
            crate::format::seal(block.bytes_mut());
            self.backing.insert(place.bno, block);
        }
        self.store.settle_in_memory();
    }

    /// Takes every block that was committed out.
    pub fn take_blocks(&mut self) -> BTreeMap<u64, Block> {
        std::mem::take(&mut self.backing)
    }

    /// Every block that was committed, in order.
    pub fn blocks(&self) -> impl Iterator<Item = (u64, &Block)> {
        self.backing.iter().map(|(bno, block)| (*bno, block))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Kind;
    use crate::store::Want;

    fn memory() -> Memory {
        let geometry =
            Geometry { blocks: 8192, group_blocks: 2048, journal_blocks: 256, journals: 1 };
        Memory::new(geometry, [7; 16])
    }

    const INODE: Want = Want { kind: Kind::Inode, owner: 400 };

    #[test]
    fn what_failed_leaves_nothing_and_what_succeeded_comes_back() {
        let mut memory = memory();
        let failed = memory.run(|op| -> Result<(), Stop> {
            op.fresh(400, INODE, 0)?.bytes_mut()[4095] = 1;
            Err(FsError::NoSpace.into())
        });
        assert_eq!(failed, Err(FsError::NoSpace));
        assert_eq!(memory.store().resident_len(), 0);
        let written = memory.run(|op| {
            op.fresh(400, INODE, 0)?.bytes_mut()[4095] = 2;
            Ok(())
        });
        written.unwrap();
        memory.commit();
        let seen = memory.run(|op| Ok(op.read(400, INODE)?.bytes()[4095]));
        assert_eq!(seen, Ok(2));
    }

    #[test]
    fn an_edit_is_seen_by_its_operation_only_until_it_succeeds() {
        let mut memory = memory();
        memory.run(|op| op.fresh(400, INODE, 0).map(drop)).unwrap();
        let mut first = true;
        let seen = memory.run(|op| {
            op.edit(400, INODE)?.bytes_mut()[100] += 1;
            if std::mem::take(&mut first) {
                // As if the operation had missed something after its edit.
                return Err(Stop::Lock { id: crate::store::LockId::Rename, mode: Mode::Shared });
            }
            Ok(op.read(400, INODE)?.bytes()[100])
        });
        assert_eq!(seen, Ok(1), "the edit of the run that stopped is gone");
    }

    #[test]
    fn a_pointer_to_somebody_elses_block_is_damage() {
        let mut memory = memory();
        memory.run(|op| op.fresh(400, INODE, 0).map(drop)).unwrap();
        let other = Want { kind: Kind::Inode, owner: 401 };
        let seen = memory.run(|op| op.read(400, other).map(drop));
        assert!(matches!(seen, Err(FsError::Damaged(damage)) if damage.bno == 400));
    }
}
