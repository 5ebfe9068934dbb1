//! One atomic operation: its reads, its edits, and what it gives up.
//!
//! Edits live in the operation's own overlay until it succeeds; dropping the operation drops them.

use std::rc::Rc;

use super::cache::{Cached, NOT_RUNNING};
use super::commit::Freed;
use super::{
    Block, Damage, Edits, Fault, FsError, LockId, Mode, Mutation, OP_BLOCKS_MAX, Stop, Store, Time,
    Want,
};
use crate::format::{Geometry, Header, MAGIC};
use crate::space::Hints;

/// A run of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Run {
    /// The first block.
    pub start: u64,
    /// How many.
    pub len: u64,
}

/// What an operation made of one block.
pub(super) struct Edit {
    bno: u64,
    want: Want,
    /// None: freed.
    block: Option<Rc<Block>>,
}

/// One atomic operation on a store.
pub struct Op<'a> {
    pub(super) store: &'a mut Store,
    now: Time,
    edits: Vec<Edit>,
    freed_data: Vec<Run>,
    /// Blocks of metadata that become pending frees at the end of the operation.
    pub(crate) deferred: Vec<u64>,
    /// The operation gives space back, and may use what is kept for that.
    pub(crate) gives_back: bool,
    /// See [`OP_BLOCKS_MAX`]; more where the operation initialises a group.
    pub(crate) edits_max: usize,
    access: Edits,
}

impl<'a> Op<'a> {
    pub(super) fn new(store: &'a mut Store, now: Time) -> Op<'a> {
        let edits = std::mem::take(&mut store.spare_edits);
        let access = store.edits();
        Op {
            store,
            now,
            edits,
            freed_data: Vec::new(),
            deferred: Vec::new(),
            gives_back: false,
            edits_max: OP_BLOCKS_MAX,
            access,
        }
    }

    /// Where things lie.
    pub fn geometry(&self) -> &Geometry {
        &self.store.geometry
    }

    /// What the operation stamps into dinodes.
    pub fn now(&self) -> Time {
        self.now
    }

    /// The version that the operation's images get.
    pub fn version(&self) -> u64 {
        self.store.version
    }

    /// No version below it can be replayed any more: see pending frees.
    pub fn watermark(&self) -> u64 {
        self.store.watermark()
    }

    /// The slot that this node is mounted in.
    pub fn slot(&self) -> u16 {
        self.store.slot
    }

    /// Demands a glock in at least `mode`.
    pub fn lock(&self, id: LockId, mode: Mode) -> Result<(), Stop> {
        if self.store.locks.meets(id, mode) { Ok(()) } else { Err(Stop::Lock { id, mode }) }
    }

    /// Where space was found last.
    pub(crate) fn hints_mut(&mut self) -> &mut Hints {
        &mut self.store.hints
    }

    /// Blocks that the operation has edited or freed by now; see [`OP_BLOCKS_MAX`].
    pub fn edits_len(&self) -> usize {
        self.edits.len()
    }

    /// A block as the operation sees it: with its own edits.
    pub fn read(&self, bno: u64, want: Want) -> Result<Rc<Block>, Stop> {
        self.lock(want.lock(), Mode::Shared)?;
        if let Some(edit) = self.edits.iter().rev().find(|edit| edit.bno == bno) {
            let block = edit.block.as_ref().ok_or(unwanted(bno, want, Fault::Kind))?;
            return same(edit.want, bno, want).map(|()| Rc::clone(block));
        }
        let (_, cached) = self.store.cache.hit(bno).ok_or(Stop::Miss { bno, want })?;
        same(cached.want, bno, want)?;
        Ok(Rc::clone(&cached.block))
    }

    /// A block to be changed. Its header already has this transaction's version.
    pub fn edit(&mut self, bno: u64, want: Want) -> Result<&mut Block, Stop> {
        self.lock(want.lock(), Mode::Exclusive)?;
        let at = match self.edits.iter().rposition(|edit| edit.bno == bno) {
            Some(at) => at,
            None => {
                self.may_edit()?;
                let copy = self.copy(bno, want)?;
                self.push(Edit { bno, want, block: Some(copy) })
            }
        };
        let edit = &mut self.edits[at];
        same(edit.want, bno, want)?;
        edit.block.as_mut().map(Rc::make_mut).ok_or(unwanted(bno, want, Fault::Kind))
    }

    /// Fails where the volume takes no changes, and stops where the journal has no room for them.
    fn may_edit(&self) -> Result<(), Stop> {
        match self.access {
            Edits::Open => Ok(()),
            Edits::ReadOnly => Err(Stop::Fail(FsError::ReadOnly)),
            Edits::NoRoom => Err(Stop::Room),
        }
    }

    /// A copy of a resident block with the header of this transaction.
    fn copy(&mut self, bno: u64, want: Want) -> Result<Rc<Block>, Stop> {
        let (slot, cached) = self.store.cache.hit(bno).ok_or(Stop::Miss { bno, want })?;
        same(cached.want, bno, want)?;
        let mut copy = self.store.cache.blank();
        let block = Rc::get_mut(&mut copy).expect("a blank block is nobody's");
        block.bytes_mut().copy_from_slice(self.store.cache.at(slot).block.bytes());
        let header = *block.header();
        block.set_header(&Header {
            version: self.store.version.into(),
            slot: self.store.slot.into(),
            epoch: self.store.epoch.into(),
            ..header
        });
        Ok(copy)
    }

    /// A new block: a header and zeroes. Whatever was there before is replaced.
    pub fn fresh(&mut self, bno: u64, want: Want, level: u16) -> Result<&mut Block, Stop> {
        self.lock(want.lock(), Mode::Exclusive)?;
        self.may_edit()?;
        let mut blank = self.store.cache.blank();
        let block = Rc::get_mut(&mut blank).expect("a blank block is nobody's");
        block.bytes_mut().fill(0);
        block.set_header(&self.header(bno, want, level));
        self.drop_edit(bno);
        let at = self.push(Edit { bno, want, block: Some(blank) });
        Ok(self.edits[at].block.as_mut().map(Rc::make_mut).expect("it was just put there"))
    }

    /// A block of metadata is free from here on: no image of it is logged, and its free is.
    pub fn forget(&mut self, bno: u64, want: Want) -> Result<(), Stop> {
        self.lock(want.lock(), Mode::Exclusive)?;
        self.may_edit()?;
        self.drop_edit(bno);
        self.push(Edit { bno, want, block: None });
        Ok(())
    }

    /// What the operation made of a block before is replaced.
    fn drop_edit(&mut self, bno: u64) {
        if let Some(at) = self.edits.iter().rposition(|edit| edit.bno == bno) {
            let edit = self.edits.swap_remove(at);
            edit.block.into_iter().for_each(|block| self.store.cache.recycle(block));
        }
    }

    /// Blocks of data are free in the bitmap, but nobody's until the transaction is durable.
    pub fn free_data(&mut self, run: Run) {
        self.freed_data.push(run);
    }

    /// The first run within `run` that was freed and may not be used for data yet.
    pub fn busy_within(&self, run: Run) -> Option<Run> {
        let end = run.start + run.len;
        let hits = |other: &Run| other.start < end && run.start < other.start + other.len;
        let own = self.freed_data.iter().copied().filter(hits).min();
        own.into_iter().chain(self.store.busy.first_within(run)).min()
    }

    /// Blocks of the volume that were freed and may not be used for data yet.
    pub(crate) fn busy_blocks(&self) -> u64 {
        self.store.busy.blocks() + self.freed_data.iter().map(|run| run.len).sum::<u64>()
    }

    /// Those of them that lie within `run`.
    pub(crate) fn busy_blocks_within(&self, run: Run) -> u64 {
        let end = run.start + run.len;
        let inside = |other: &Run| {
            (other.start + other.len).min(end).saturating_sub(other.start.max(run.start))
        };
        let own: u64 = self.freed_data.iter().map(inside).sum();
        own + self.store.busy.blocks_within(run)
    }

    fn header(&self, bno: u64, want: Want, level: u16) -> Header {
        Header {
            magic: MAGIC.into(),
            crc: 0.into(),
            uuid: self.store.uuid,
            bno: bno.into(),
            owner: want.owner.into(),
            version: self.store.version.into(),
            kind: want.kind.code().into(),
            level: level.into(),
            epoch: self.store.epoch.into(),
            slot: self.store.slot.into(),
            reserved: [0; 6],
        }
    }

    fn push(&mut self, edit: Edit) -> usize {
        assert!(self.edits.len() < self.edits_max, "an operation edits a bounded number of blocks");
        self.edits.push(edit);
        self.edits.len() - 1
    }

    /// Makes the edits part of the running transaction.
    pub(super) fn succeed(self) {
        let Op { store, mut edits, freed_data, .. } = self;
        store.known.count_operation();
        edits.drain(..).for_each(|edit| settle(store, edit));
        store.spare_edits = edits;
        if store.mutation != Mutation::BusyReusedEarly {
            freed_data.into_iter().for_each(|run| store.busy.free(run));
        }
    }

    /// Drops the edits.
    pub(super) fn fail(self) {
        let Op { store, mut edits, .. } = self;
        let blocks = edits.drain(..).filter_map(|edit| edit.block);
        blocks.for_each(|block| store.cache.recycle(block));
        store.spare_edits = edits;
    }
}

fn settle(store: &mut Store, Edit { bno, want, block }: Edit) {
    match block {
        Some(block) => {
            let slot = keep(store, bno, want, block);
            if !store.cache.at(slot).is_running() {
                store.cache.at_mut(slot).running_at = store.running.len() as u32;
                store.running.push(slot);
            }
        }
        None => {
            let home = store.cache.remove(bno).map(|cached| {
                leave(store, cached.running_at);
                store.cache.recycle(cached.block);
                cached.home
            });
            let home = home.or(store.freed.get(&bno).map(|freed| freed.home)).unwrap_or(0);
            store.read_is_stale(bno);
            store.freed.insert(bno, Freed { want, home });
        }
    }
}

/// Puts a new state of a block into the cache.
fn keep(store: &mut Store, bno: u64, want: Want, block: Rc<Block>) -> u32 {
    if let Some(slot) = store.cache.find(bno) {
        let cached = store.cache.at_mut(slot);
        cached.want = want;
        let before = std::mem::replace(&mut cached.block, block);
        store.cache.recycle(before);
        return slot;
    }
    let home = match store.freed.is_empty() {
        true => 0,
        false => store.freed.remove(&bno).map_or(0, |freed| freed.home),
    };
    store.read_is_stale(bno);
    let mut cached = Cached::clean(bno, want, block);
    cached.home = home;
    store.cache.insert(cached)
}

/// Takes a block out of the running transaction's list.
fn leave(store: &mut Store, running_at: u32) {
    if running_at == NOT_RUNNING {
        return;
    }
    store.running.swap_remove(running_at as usize);
    if let Some(moved) = store.running.get(running_at as usize) {
        store.cache.at_mut(*moved).running_at = running_at;
    }
}

/// A pointer leads to a block that is in use as something else.
fn same(found: Want, bno: u64, want: Want) -> Result<(), Stop> {
    if found.kind != want.kind {
        return Err(unwanted(bno, want, Fault::Kind));
    }
    if found.owner == want.owner { Ok(()) } else { Err(unwanted(bno, want, Fault::Owner)) }
}

fn unwanted(bno: u64, want: Want, fault: Fault) -> Stop {
    Stop::Fail(FsError::Damaged(Damage { bno, want, fault }))
}
