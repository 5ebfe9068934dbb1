//! Growing a mounted volume to the length of its device.
//!
//! ```text
//! operations wait, the journal is emptied ──> copies of the superblock ──> superblock: longer, marked
//!   ──> group map, bitmap and header of the group that was cut short ──> superblock: mark gone
//! ```
//!
//! Invariant: what follows the marked superblock may be done twice and says by itself whether it is
//! done, so a mount that finds the mark does it and goes on. The map comes first, headers last.

use std::rc::Rc;

use byway_engine::api::Disk;

use super::blocks::{LEN, read_block, write_block};
use super::options::Refusal;
use super::shared::Shared;
use crate::format::{
    self, BITS_PER_BLOCK, BitmapHead, Bits, GROUP_MAP_AT, GROUP_MAP_BLOCKS, Geometry, GroupCore,
    Kind, SUPER_AT, Superblock, TUNING_GROWING, bitmap_want, bits_in,
};
use crate::store::{Block, FsError, Want};

/// Grows a volume to the length of its device. Gives the blocks that it has then.
pub(super) async fn grow(shared: &Rc<Shared>) -> Result<u64, FsError> {
    shared.device.rescan().map_err(|_| FsError::Invalid("device: its size cannot be read"))?;
    let blocks = shared.device.info().size / LEN;
    let old = *shared.store.borrow().geometry();
    let new = Geometry { blocks, ..old };
    if blocks < old.blocks {
        return Err(FsError::Invalid("device: it is shorter than the volume"));
    }
    new.check().map_err(FsError::Invalid)?;
    if blocks == old.blocks {
        return Ok(blocks);
    }
    shared.bell.until(|| !shared.is_frozen.get()).await;
    shared.is_frozen.set(true);
    let grown = grow_alone(shared, &old, new).await;
    shared.is_frozen.set(false);
    shared.bell.ring();
    grown.map(|()| blocks)
}

async fn grow_alone(shared: &Rc<Shared>, old: &Geometry, new: Geometry) -> Result<(), FsError> {
    shared.bell.until(|| !shared.store.borrow().is_reading_any()).await;
    shared.place_all().await?;
    let (clock, mut superblock) = {
        let store = shared.store.borrow();
        (store.version() - 1, shared.superblock.borrow().clone())
    };
    superblock.version += 1;
    superblock.geometry = new;
    let written = write_all(&shared.disk, &superblock, clock, old.groups().checked_sub(1)).await;
    let touched = match written {
        Ok(touched) => touched,
        Err(refusal) => {
            let error = refusal.into_error();
            shared.withdraw(error.clone());
            return Err(error);
        }
    };
    let mut store = shared.store.borrow_mut();
    touched.into_iter().for_each(|bno| store.changed_outside(bno));
    store.grown(new);
    *shared.superblock.borrow_mut() = superblock;
    Ok(())
}

async fn write_all(
    disk: &Disk,
    superblock: &Superblock,
    clock: u64,
    last: Option<u32>,
) -> Result<Vec<u64>, Refusal> {
    for bno in superblock.geometry.backups() {
        write_block(disk, bno, &superblock.to_block(bno)).await?;
    }
    let marked = Superblock { tuning: TUNING_GROWING, ..superblock.clone() };
    write_block(disk, SUPER_AT, &marked.to_block(SUPER_AT)).await?;
    let mut groups = initialised(disk, superblock).await?;
    groups.retain(|group| Some(*group) == last);
    let touched = stretch(disk, superblock, clock, groups).await?;
    write_block(disk, SUPER_AT, &superblock.to_block(SUPER_AT)).await?;
    Ok(touched)
}

/// Ends, at a mount, a growth that was broken off after the superblock was marked.
pub(super) async fn finish(
    disk: &Disk,
    superblock: &mut Superblock,
    clock: u64,
) -> Result<(), Refusal> {
    let groups = initialised(disk, superblock).await?;
    stretch(disk, superblock, clock, groups).await?;
    superblock.tuning = 0;
    write_block(disk, SUPER_AT, &superblock.to_block(SUPER_AT)).await?;
    Ok(())
}

/// The groups whose header and bitmap are on disk.
async fn initialised(disk: &Disk, superblock: &Superblock) -> Result<Vec<u32>, Refusal> {
    let groups = superblock.geometry.groups();
    let mut found = Vec::new();
    for index in 0..u64::from(groups).div_ceil(BITS_PER_BLOCK) {
        let want = Want::new(Kind::GroupMap, 0);
        let block = sound(disk, superblock, GROUP_MAP_AT + index, want).await?;
        let first = (index * BITS_PER_BLOCK) as u32;
        let here = 0..groups.saturating_sub(first).min(BITS_PER_BLOCK as u32);
        found
            .extend(here.filter(|bit| Bits::of(&block).count(*bit, 1) == 1).map(|bit| first + bit));
    }
    Ok(found)
}

/// Lets the map of groups and the named groups reach as far as the geometry says.
async fn stretch(
    disk: &Disk,
    superblock: &Superblock,
    clock: u64,
    groups: Vec<u32>,
) -> Result<Vec<u64>, Refusal> {
    let geometry = &superblock.geometry;
    let mut touched = Vec::new();
    for index in 0..GROUP_MAP_BLOCKS {
        let (bno, want) = (GROUP_MAP_AT + index, Want::new(Kind::GroupMap, 0));
        let bits = bits_in(geometry.groups().into(), index);
        touched.extend(stretch_bits(disk, superblock, clock, (bno, want, bits), &[]).await?);
    }
    for group in groups {
        let start = geometry.group_start(group);
        let reserved: Vec<(u64, u64)> =
            geometry.reserved(group).iter().map(|run| (run.start - start, run.len)).collect();
        for index in 0..u64::from(geometry.bitmap_blocks()) {
            let bno = geometry.group_header(group) + 1 + index;
            let bits = bits_in(geometry.group_len(group), index);
            let first = index * BITS_PER_BLOCK;
            let here: Vec<u64> = reserved
                .iter()
                .flat_map(|(at, len)| *at..at + len)
                .filter(|bit| (first..first + u64::from(bits)).contains(bit))
                .map(|bit| bit - first)
                .collect();
            let what = (bno, bitmap_want(group), bits);
            touched.extend(stretch_bits(disk, superblock, clock, what, &here).await?);
        }
        touched.extend(stretch_header(disk, superblock, clock, group).await?);
    }
    Ok(touched)
}

/// Lets a block of bits reach as far as `bits`; new ones are clear but for those that are reserved.
async fn stretch_bits(
    disk: &Disk,
    superblock: &Superblock,
    clock: u64,
    (bno, want, bits): (u64, Want, u32),
    reserved: &[u64],
) -> Result<Option<u64>, Refusal> {
    let mut block = sound(disk, superblock, bno, want).await?;
    let before = BitmapHead::of(&block).bits.get();
    if before >= bits {
        return Ok(None);
    }
    let map = Bits::of_mut(&mut block);
    let fresh = reserved.iter().map(|bit| *bit as u32).filter(|bit| *bit >= before);
    fresh.for_each(|bit| {
        map.set(bit, 1);
    });
    let set = map.count(0, bits);
    let head = BitmapHead::of_mut(&mut block);
    head.bits = bits.into();
    head.free = (bits - set).into();
    // Hints may be too great and too small: these are right for every bitmap.
    head.largest_run = (bits - set).into();
    head.first_free = 0.into();
    write_again(disk, bno, block, clock).await.map(Some)
}

/// Lets the header of a group count what its bitmap says.
async fn stretch_header(
    disk: &Disk,
    superblock: &Superblock,
    clock: u64,
    group: u32,
) -> Result<Option<u64>, Refusal> {
    let geometry = &superblock.geometry;
    let (bno, want) = (geometry.group_header(group), Want::new(Kind::Group, group.into()));
    let mut block = sound(disk, superblock, bno, want).await?;
    let len = geometry.group_len(group) as u32;
    if GroupCore::of(&block).blocks.get() >= len {
        return Ok(None);
    }
    let mut free = 0;
    for index in 0..u64::from(geometry.bitmap_blocks()) {
        let bitmap = sound(disk, superblock, bno + 1 + index, bitmap_want(group)).await?;
        free += BitmapHead::of(&bitmap).free.get();
    }
    let core = GroupCore::of_mut(&mut block);
    core.blocks = len.into();
    core.free = free.into();
    write_again(disk, bno, block, clock).await.map(Some)
}

async fn sound(
    disk: &Disk,
    superblock: &Superblock,
    bno: u64,
    want: Want,
) -> Result<Block, Refusal> {
    let block = read_block(disk, bno).await?;
    format::check(block.bytes(), &superblock.uuid, bno, want)?;
    Ok(block)
}

async fn write_again(disk: &Disk, bno: u64, mut block: Block, clock: u64) -> Result<u64, Refusal> {
    let header = *block.header();
    let version = header.version.get().max(clock);
    block.set_header(&format::Header { version: version.into(), ..header });
    format::seal(block.bytes_mut());
    write_block(disk, bno, &block).await?;
    Ok(bno)
}
