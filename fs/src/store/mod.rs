//! The resident blocks of metadata of one node, and atomic operations on them.
//!
//! A pure machine: no device, clock or task. [`Store::run`] runs one operation; its edits become
//! part of the running transaction when it succeeds, and vanish when it does not. What an operation
//! lacks comes out as a [`Stop`] that the shell answers with [`Store::arrived`] or
//! [`Store::granted`], to run the operation again from its start.
//!
//! Invariants: a block is read under its glock and edited under its exclusive glock; a block is
//! clean, or part of the running transaction, of the commit under way, or of a durable commit that
//! is its home until it is durable in place.

mod block;
mod busy;
mod cache;
mod commit;
mod judge;
mod known;
mod lock;
mod locks;
mod memory;
mod mutation;
mod op;
mod place;
mod stop;
mod table;

use std::collections::BTreeMap;
use std::rc::Rc;

pub use block::Block;
pub use cache::CacheCounts;
pub use lock::{LockId, Mode};
pub use locks::LockCounts;
pub use memory::Memory;
pub use mutation::Mutation;
pub use op::{Op, Run};
pub use place::Place;
pub use stop::{Damage, Fault, FsError, Stop, Want};

use crate::format::{self, Geometry};
use crate::journal::Window;
use crate::space::{self, Hints};
use busy::Busy;
use cache::{Cache, Cached};
use commit::{Freed, InFlight};
use known::Known;
use locks::Locks;
use op::Edit;
use place::Round;
use table::Table;

/// Nanoseconds since 1970 (UTC), for the times of dinodes. The shell tells it; machines have none.
pub type Time = i128;

/// The most blocks that one operation edits: longer work is done in steps.
pub const OP_BLOCKS_MAX: usize = 48;

/// Blocks that a store keeps where nobody says otherwise: 256 MiB.
pub const CACHE_BLOCKS_DEFAULT: usize = 65_536;
/// The fewest blocks that a store keeps: what one operation needs at once fits well within.
pub const CACHE_BLOCKS_MIN: usize = 1024;

/// A read under way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// What it brings is the block.
    Current,
    /// The block was freed or made anew since.
    Stale,
}

/// Groups that one operation initialises at most: one for metadata and one for data.
const OP_GROUPS_MAX: u64 = 2;

/// Blocks of the journal that one operation may take at most: what it edits, headers and bitmaps of
/// groups that it initialises, and descriptors for all of them.
pub fn op_room(geometry: &Geometry) -> u64 {
    let groups = OP_GROUPS_MAX * (2 + u64::from(geometry.bitmap_blocks()));
    let edits = OP_BLOCKS_MAX as u64 + groups;
    edits + edits.div_ceil(format::ENTRIES_PER_DESC as u64) + 1
}

/// The metadata of one volume, as one node holds it.
pub struct Store {
    geometry: Geometry,
    uuid: [u8; 16],
    slot: u16,
    epoch: u32,
    /// The running transaction's version: the node's Lamport clock.
    version: u64,
    /// The number of the next commit.
    next_seq: u64,
    cache: Cache,
    cache_blocks_max: usize,
    /// Places in the cache of the blocks that the running transaction changed.
    running: Vec<u32>,
    /// Metadata blocks that the running transaction frees.
    freed: BTreeMap<u64, Freed>,
    busy: Busy,
    in_flight: Option<InFlight>,
    /// Blocks that are being read.
    reading: BTreeMap<u64, Reading>,
    /// Durable commits that a replay would apply.
    window: Window,
    round: Option<Round>,
    locks: Locks,
    known: Known,
    /// Where space was found last.
    hints: Hints,
    /// The memory of the list of an operation's edits.
    spare_edits: Vec<Edit>,
    mutation: Mutation,
    /// Blocks that the journal has room for, beside the commit under way.
    room: u64,
    is_read_only: bool,
}

/// Whether an operation may change anything.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edits {
    Open,
    ReadOnly,
    NoRoom,
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
            next_seq: 1,
            cache: Cache::default(),
            cache_blocks_max: CACHE_BLOCKS_DEFAULT,
            running: Vec::new(),
            freed: BTreeMap::new(),
            busy: Busy::default(),
            in_flight: None,
            reading: BTreeMap::new(),
            window: Window::default(),
            round: None,
            locks: Locks::default(),
            known: Known::default(),
            hints: Hints::new(&geometry, slot),
            spare_edits: Vec::with_capacity(OP_BLOCKS_MAX),
            mutation: Mutation::None,
            room: u64::MAX,
            is_read_only: false,
        }
    }

    /// The number of the first commit.
    pub fn set_next_seq(&mut self, seq: u64) {
        self.next_seq = seq;
    }

    /// Keeps at most `blocks` clean blocks, within [`CACHE_BLOCKS_MIN`]; dirty ones stay in any case.
    pub fn set_cache_blocks_max(&mut self, blocks: usize) {
        self.cache_blocks_max = blocks.max(CACHE_BLOCKS_MIN);
    }

    /// Freed data is discarded before it is used again: see [`Store::take_discards`].
    pub fn set_discards(&mut self, discards: bool) {
        self.busy.discards = discards;
    }

    /// Breaks a rule on purpose.
    pub fn set_mutation(&mut self, mutation: Mutation) {
        self.mutation = mutation;
    }

    /// Tells how many blocks the running transaction may grow to in the journal.
    pub fn set_room(&mut self, room: u64) {
        self.room = room;
    }

    /// Blocks of the journal that one more operation may take at most.
    pub fn op_room(&self) -> u64 {
        op_room(&self.geometry)
    }

    /// Operations that change something fail from here on.
    pub fn set_read_only(&mut self) {
        self.is_read_only = true;
    }

    fn edits(&self) -> Edits {
        let needed = self.running_len().saturating_add(self.op_room());
        // What a whole journal has no room for would wait for ever; few operations take the most.
        let is_empty = self.is_idle() && self.in_flight.is_none() && self.window.is_empty();
        match (self.is_read_only, needed > self.room && !is_empty) {
            (true, _) => Edits::ReadOnly,
            (false, true) => Edits::NoRoom,
            (false, false) => Edits::Open,
        }
    }

    /// The volume is longer than it was.
    pub fn grown(&mut self, geometry: Geometry) {
        assert!(geometry.blocks >= self.geometry.blocks, "a volume only grows");
        self.geometry = geometry;
    }

    /// Every glock is this node's: nobody else uses the volume.
    pub fn stand_alone(&mut self) {
        self.locks.alone = true;
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
        let outcome = operation(&mut op).and_then(|outcome| {
            space::finish(&mut op)?;
            Ok(outcome)
        });
        match outcome {
            Ok(outcome) => {
                op.succeed();
                Ok(outcome)
            }
            Err(stop) => {
                op.fail();
                Err(stop)
            }
        }
    }

    /// A block that an operation missed is being read.
    pub fn begin_read(&mut self, bno: u64) {
        self.reading.insert(bno, Reading::Current);
    }

    /// What is being read was freed or made anew meanwhile.
    fn read_is_stale(&mut self, bno: u64) {
        if let Some(reading) = self.reading.get_mut(&bno) {
            *reading = Reading::Stale;
        }
    }

    /// True while somebody reads the block.
    pub fn is_reading(&self, bno: u64) -> bool {
        self.reading.contains_key(&bno)
    }

    /// True while any block is being read.
    pub fn is_reading_any(&self) -> bool {
        !self.reading.is_empty()
    }

    /// A block was written by somebody else: what is in memory of it is old.
    ///
    /// # Panics
    /// Where it is not durable in place.
    pub fn changed_outside(&mut self, bno: u64) {
        self.read_is_stale(bno);
        if let Some(cached) = self.cache.remove(bno) {
            assert!(cached.is_clean(), "nobody else writes what is changed here");
        }
    }

    /// The read of a block failed.
    pub fn abandon_read(&mut self, bno: u64) {
        self.reading.remove(&bno);
    }

    /// A block that an operation missed was read. Fails where it is not what is wanted. One that was
    /// freed or made anew since [`Store::begin_read`] is not looked at: what was read is older.
    pub fn arrived(&mut self, bno: u64, want: Want, block: Block) -> Result<(), Damage> {
        let is_stale = self.reading.remove(&bno) == Some(Reading::Stale);
        if is_stale || self.cache.find(bno).is_some() {
            return Ok(());
        }
        format::check(block.bytes(), &self.uuid, bno, want)?;
        judge::judge(&self.geometry, bno, want, &block)?;
        self.cache.note_miss();
        self.cache.insert(Cached::clean(bno, want, Rc::new(block)));
        if self.cache.len() > self.cache_blocks_max {
            self.cache.shrink_to(self.cache_blocks_max);
        }
        Ok(())
    }

    /// A glock is held in `mode` from here on.
    pub fn granted(&mut self, id: LockId, mode: Mode) {
        self.locks.grant(id, mode);
    }

    /// A glock is held in `mode` at most from here on, and where that is not at all, what it covers
    /// is forgotten.
    ///
    /// # Panics
    /// Where a block under it is not durable in place: see [`Store::begin_round_under`].
    pub fn downgraded(&mut self, id: LockId, mode: Mode) {
        let is_clean = |bno: &u64| self.cache.get(*bno).is_some_and(Cached::is_clean);
        assert!(
            self.cache.under(id).iter().all(is_clean),
            "what leaves a lock is durable in place"
        );
        self.locks.downgrade(id, mode);
        if mode == Mode::Unlocked {
            self.cache.drop_where(|cached| cached.want.lock() == id);
        }
    }

    /// The mode in which a glock is held.
    pub fn mode(&self, id: LockId) -> Mode {
        self.locks.mode(id)
    }

    /// No version below it can be replayed any more: neither from a durable commit, nor from the
    /// one that is under way.
    pub fn watermark(&self) -> u64 {
        let window = self.window.oldest_version();
        let oldest = window.or(self.in_flight.as_ref().map(InFlight::version));
        oldest.unwrap_or(self.version)
    }

    /// The version of the running transaction.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Runs of data whose free is durable and which the device is to be told of; they stay out of
    /// use until [`Store::discarded`].
    pub fn take_discards(&mut self) -> Vec<Run> {
        self.busy.take_discards()
    }

    /// The device was told.
    pub fn discarded(&mut self, runs: &[Run]) {
        self.busy.release(runs);
    }

    /// Blocks of data that were freed and may not be used yet.
    pub fn busy_blocks(&self) -> u64 {
        self.busy.blocks()
    }

    /// What the cache has done.
    pub fn cache_counts(&self) -> CacheCounts {
        self.cache.counts()
    }

    /// What the table of glocks has seen.
    pub fn lock_counts(&self) -> LockCounts {
        self.locks.counts()
    }

    /// Everything is in place and nothing needs the journal: for volumes in memory.
    fn settle_in_memory(&mut self) {
        if self.round.is_some() {
            self.end_round();
        }
        if let Some((seq, _)) = self.passable() {
            self.tail_passed(seq);
        }
        self.window = Window::default();
        self.cache.drop_clean();
    }

    /// Blocks in memory.
    pub fn resident_len(&self) -> usize {
        self.cache.len()
    }
}
