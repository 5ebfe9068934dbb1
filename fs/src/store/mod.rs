//! The resident blocks of metadata of one node, and atomic operations on them.
//!
//! A pure machine: no device, clock or task. [`Store::run`] runs one operation; its edits become
//! part of the running transaction when it succeeds, and vanish when it does not. What an operation
//! lacks comes out as a [`Stop`] that the shell answers with [`Store::arrived`] or
//! [`Store::granted`], to run the operation again from its start.
//!
//! Invariants: a block is read under its glock and edited under its exclusive glock; an image is
//! part of the running transaction exactly when its version is the transaction's.

mod block;
mod judge;
mod known;
mod lock;
mod memory;
mod op;
mod stop;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

pub use block::Block;
pub use lock::{LockId, Mode};
pub use memory::Memory;
pub use op::{Op, Run};
pub use stop::{Damage, Fault, FsError, Stop, Want};

use crate::format::{self, Geometry};
use crate::space::{self, Hints};
use known::Known;
use table::Table;

/// Nanoseconds since 1970 (UTC), for the times of dinodes. The shell tells it; machines have none.
pub type Time = i128;

/// The most blocks that one operation edits: longer work is done in steps.
pub const OP_BLOCKS_MAX: usize = 48;

/// A block in memory.
struct Resident {
    want: Want,
    block: Rc<Block>,
}

/// The metadata of one volume, as one node holds it.
pub struct Store {
    geometry: Geometry,
    uuid: [u8; 16],
    slot: u16,
    epoch: u32,
    /// The running transaction's version: the node's Lamport clock.
    version: u64,
    /// No version below it can be replayed any more.
    watermark: u64,
    resident: Table<Resident>,
    /// Blocks that the running transaction has images of.
    dirty: BTreeSet<u64>,
    /// Metadata blocks that the running transaction frees.
    freed: BTreeMap<u64, Want>,
    /// Runs of data that may not be used again before their free is durable: start to length.
    busy: BTreeMap<u64, u64>,
    locks: BTreeMap<LockId, Mode>,
    known: Known,
    /// Everything is granted: one node, alone.
    grants_itself: bool,
    /// Where space was found last.
    hints: Hints,
}

impl Store {
    /// A store without blocks, for a volume mounted in `slot`. Its clock begins after `clock`.
    pub fn new(geometry: Geometry, uuid: [u8; 16], slot: u16, clock: u64) -> Store {
        Store {
            geometry,
            uuid,
            slot,
            epoch: 0,
            version: clock + 1,
            watermark: 0,
            resident: Table::default(),
            dirty: BTreeSet::new(),
            freed: BTreeMap::new(),
            busy: BTreeMap::new(),
            locks: BTreeMap::new(),
            known: Known::default(),
            grants_itself: false,
            hints: Hints::new(&geometry, slot),
        }
    }

    /// Where things lie.
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// The volume's uuid.
    pub fn uuid(&self) -> &[u8; 16] {
        &self.uuid
    }

    /// Runs one operation. `now` is what it stamps into dinodes.
    pub fn run<T>(
        &mut self,
        now: Time,
        operation: impl FnOnce(&mut Op<'_>) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        let mut op = Op::new(self, now);
        let outcome = operation(&mut op)?;
        space::finish(&mut op)?;
        op.succeed();
        Ok(outcome)
    }

    /// A block that an operation missed was read. Fails where it is not what is wanted.
    pub fn arrived(&mut self, bno: u64, want: Want, block: Block) -> Result<(), Damage> {
        format::check(block.bytes(), &self.uuid, bno, want)?;
        judge::judge(&self.geometry, bno, want, &block)?;
        let resident = Resident { want, block: Rc::new(block) };
        let before = self.resident.insert(bno, resident);
        assert!(before.is_none(), "a block that is resident is not read again");
        Ok(())
    }

    /// A glock is held in `mode` from here on.
    pub fn granted(&mut self, id: LockId, mode: Mode) {
        self.locks.insert(id, mode);
    }

    /// The mode in which a glock is held.
    pub fn mode(&self, id: LockId) -> Mode {
        match self.grants_itself {
            true => Mode::Exclusive,
            false => self.locks.get(&id).copied().unwrap_or(Mode::Unlocked),
        }
    }

    /// Blocks in memory.
    pub fn resident_len(&self) -> usize {
        self.resident.len()
    }
}
