//! Mounting: what is on the device is judged, whoever else uses it is looked for, journals that were
//! left behind are replayed, and a slot is taken.
//!
//! Invariant: nothing is written before the volume is known to be right, of this size, finished, and
//! in nobody's use.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use byway_engine::api::Disk;
use byway_engine::block::BlockDevice;
use byway_engine::core::{Core, Signal};
use byway_engine::exec::Class;

use super::bell::Bell;
use super::blocks::{LEN, Pipe, read_block, write_block};
use super::heartbeat::{Beat, heart, read_beats, watch};
use super::options::{MountError, Refusal};
use super::recover::{Found, Replayed, journals, replay};
use super::ring::Ring;
use super::shared::{Shared, Status, VolumeCounts, epoch};
use super::{MountOptions, commit, grow, place, tasks};
use crate::format::{
    Access, BACKUPS_AT, BLOCK_LEN, Kind, SUPER_AT, SlotCore, SuperError, Superblock, TUNING_GROWING,
};
use crate::journal::Head;
use crate::store::{Block, Store, Want};

/// Mounts the volume on `device`.
pub(super) async fn mount(
    core: &Rc<Core>,
    device: Arc<dyn BlockDevice>,
    options: MountOptions,
) -> Result<(Rc<Shared>, Replayed), MountError> {
    let name = device.info().name;
    let named = |refusal| MountError { device: name.clone(), refusal };
    let disk = Disk::open(core, &*device).map_err(|error| named(error.into()))?;
    let mounted = match options.read_only {
        true => for_reading(&disk, device, options).await,
        false => for_writing(&disk, device, options).await,
    };
    mounted.map_err(named)
}

async fn for_reading(
    disk: &Disk,
    device: Arc<dyn BlockDevice>,
    options: MountOptions,
) -> Result<(Rc<Shared>, Replayed), Refusal> {
    let superblock = superblock(disk, &options).await?;
    unused(disk, &superblock, &options).await?;
    let found = journals(disk, &superblock.uuid, &superblock.geometry).await?;
    if let Some(dirty) = found.iter().find(|found| found.head.is_dirty) {
        return Err(Refusal::Dirty(dirty.place.slot));
    }
    let clock = found.iter().map(|found| found.head.clock).max().unwrap_or(0);
    let slot = found.first().map_or(0, |found| found.place.slot);
    let store = new_store(&superblock, slot, clock, &options);
    let shared = Shared {
        status: RefCell::new(Status::ReadOnly),
        ..shared(disk, device, superblock, store, options, slot)
    };
    shared.store.borrow_mut().set_read_only();
    Ok((Rc::new(shared), Replayed::default()))
}

async fn for_writing(
    disk: &Disk,
    device: Arc<dyn BlockDevice>,
    options: MountOptions,
) -> Result<(Rc<Shared>, Replayed), Refusal> {
    let mut superblock = superblock(disk, &options).await?;
    match superblock.access() {
        Access::ReadWrite if disk.info().read_only => return Err(Refusal::ReadOnlyDevice),
        Access::ReadWrite => {}
        Access::ReadOnly(bits) => return Err(Refusal::WriteFeatures(bits)),
        Access::HalfTuned if superblock.tuning == TUNING_GROWING => {}
        Access::HalfTuned => return Err(Refusal::HalfTuned),
    }
    let beats = unused(disk, &superblock, &options).await?;
    let mut found = journals(disk, &superblock.uuid, &superblock.geometry).await?;
    let replayed = replay_all(disk, &mut found, &superblock, &options).await?;
    let clock = found.iter().map(|found| found.head.clock).max().unwrap_or(0);
    if superblock.tuning == TUNING_GROWING {
        grow::finish(disk, &mut superblock, clock).await?;
    }
    let mine = take_slot(&found, &options)?;
    let beat = beats.iter().find(|beat| beat.slot == mine.place.slot);
    let incarnation = mine.incarnation.max(beat.map_or(0, |beat| beat.incarnation)) + 1;

    let mut store = new_store(&superblock, mine.place.slot, clock, &options);
    store.set_next_seq(mine.head.tail_seq);
    let seq = mine.head.seq + 1;
    let head = Head { seq, incarnation, clock, is_dirty: true, ..mine.head };
    let block = head.encode(&mine.place);
    write_block(disk, mine.place.head_bno(seq), &block).await?;
    let ring = Ring { place: mine.place, head, end: head.tail_pos };
    let shared = Shared {
        incarnation,
        ring: RefCell::new(Some(ring)),
        durable: Cell::new(head.tail_seq - 1),
        beats: Cell::new(beat.map_or(0, |beat| beat.seq)),
        commit_pipe: Some(Pipe::new(disk, commit::COMMIT_DEPTH, commit::COMMIT_IO_BLOCKS)?).into(),
        place_pipe: Some(Pipe::new(disk, place::PLACE_DEPTH, place::PLACE_IO_BLOCKS)?).into(),
        ..shared(disk, device, superblock, store, options, mine.place.slot)
    };
    let shared = Rc::new(shared);
    shared.update_room();
    start(&shared);
    Ok((shared, replayed))
}

/// The superblock, where the volume may be used at all.
async fn superblock(disk: &Disk, options: &MountOptions) -> Result<Superblock, Refusal> {
    let info = disk.info();
    if info.block_len as usize > BLOCK_LEN {
        return Err(Refusal::Sector(info.block_len));
    }
    if info.size < (SUPER_AT + 1) * LEN {
        return Err(Refusal::NoVolume);
    }
    let block = read_block(disk, SUPER_AT).await?;
    let superblock = match Superblock::parse(&block, SUPER_AT) {
        Ok(superblock) => superblock,
        Err(error @ (SuperError::Level(_) | SuperError::Incompat(_))) => {
            return Err(Refusal::TooNew(error.to_string()));
        }
        Err(error) => return Err(look_for_copies(disk, error).await?),
    };
    if options.uuid.is_some_and(|uuid| uuid != superblock.uuid) {
        return Err(Refusal::Foreign(superblock.uuid));
    }
    let volume_len = superblock.geometry.len();
    if info.size < volume_len {
        return Err(Refusal::Truncated { device_len: info.size, volume_len });
    }
    Ok(superblock)
}

/// What to say where the superblock is not sound.
async fn look_for_copies(disk: &Disk, error: SuperError) -> Result<Refusal, Refusal> {
    let mut copies = Vec::new();
    for bno in BACKUPS_AT.into_iter().filter(|bno| (bno + 1) * LEN <= disk.info().size) {
        let block: Block = read_block(disk, bno).await?;
        if Superblock::parse(&block, bno).is_ok() {
            copies.push(bno);
        }
    }
    match (&error, copies.is_empty()) {
        (SuperError::Absent, true) => Ok(Refusal::NoVolume),
        _ => {
            let problem = match error {
                SuperError::Absent => "it is no block of metadata".to_owned(),
                other => other.to_string(),
            };
            Ok(Refusal::Superblock { problem, copies })
        }
    }
}

/// Refuses where somebody uses the volume; else the heartbeats that were left.
async fn unused(
    disk: &Disk,
    superblock: &Superblock,
    options: &MountOptions,
) -> Result<Vec<Beat>, Refusal> {
    let beats = read_beats(disk, &superblock.uuid).await?;
    if options.watch {
        watch(disk.core(), disk, &superblock.uuid, &beats).await?;
    }
    Ok(beats)
}

async fn replay_all(
    disk: &Disk,
    found: &mut [Found],
    superblock: &Superblock,
    options: &MountOptions,
) -> Result<Replayed, Refusal> {
    let mut all = Replayed::default();
    for journal in found.iter_mut().filter(|journal| journal.head.is_dirty) {
        let (head, done) = replay(disk, journal, &superblock.geometry, options.mutation).await?;
        journal.head = head;
        all.commits += done.commits;
        all.applied += done.applied;
        all.skipped += done.skipped;
    }
    Ok(all)
}

fn take_slot(found: &[Found], options: &MountOptions) -> Result<Found, Refusal> {
    let fits = |found: &&Found| options.slot.is_none_or(|slot| slot == found.place.slot);
    found.iter().find(fits).copied().ok_or(Refusal::NoJournal(options.slot))
}

fn new_store(superblock: &Superblock, slot: u16, clock: u64, options: &MountOptions) -> Store {
    let mut store = Store::new(superblock.geometry, superblock.uuid, slot, clock);
    store.stand_alone();
    store.set_dir_hash_key(superblock.dir_hash_key);
    store.set_cache_blocks_max(options.cache_blocks_max);
    store.set_discards(options.discard);
    store.set_mutation(options.mutation);
    store
}

fn shared(
    disk: &Disk,
    device: Arc<dyn BlockDevice>,
    superblock: Superblock,
    store: Store,
    options: MountOptions,
    slot: u16,
) -> Shared {
    let core = Rc::clone(disk.core());
    Shared {
        epoch: Cell::new(epoch(&core)),
        core,
        disk: disk.clone(),
        device,
        options,
        superblock: RefCell::new(superblock),
        slot,
        incarnation: 0,
        store: RefCell::new(store),
        ring: RefCell::new(None),
        status: RefCell::new(Status::Active),
        bell: Bell::default(),
        wanted: Cell::new(0),
        durable: Cell::new(0),
        goal: Cell::new(0),
        commit_signal: Signal::default(),
        place_signal: Signal::default(),
        orphan_signal: Signal::default(),
        is_placing: Cell::new(false),
        commit_pipe: RefCell::new(None),
        place_pipe: RefCell::new(None),
        hooks: RefCell::default(),
        needs_fsck: Cell::new(false),
        is_frozen: Cell::new(false),
        beats: Cell::new(0),
        is_beating: Cell::new(false),
        counts: Cell::new(VolumeCounts::default()),
    }
}

/// Starts what runs beside the operations.
fn start(shared: &Rc<Shared>) {
    let core = &shared.core;
    core.spawn(Class::Latency, "fs-heartbeat", heart(Rc::clone(shared)));
    core.spawn(Class::Metadata, "fs-commit", commit::committer(Rc::clone(shared)));
    core.spawn(Class::Metadata, "fs-place", place::placer(Rc::clone(shared)));
    core.spawn(Class::Background, "fs-sync", tasks::every_interval(Rc::clone(shared)));
}

/// Marks the slot of this mount as taken.
pub(super) fn mark_slot(
    op: &mut crate::store::Op<'_>,
    incarnation: u64,
    state: u32,
) -> Result<(), crate::store::Stop> {
    let (slot, clock) = (op.slot(), op.version());
    let bno = op.geometry().slot_block(slot);
    let block = op.edit(bno, Want::new(Kind::Slot, u64::from(slot)))?;
    let core = SlotCore::of_mut(block);
    core.state = state.into();
    core.incarnation = incarnation.into();
    core.clock = clock.into();
    Ok(())
}
