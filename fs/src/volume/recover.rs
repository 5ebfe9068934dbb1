//! Finding the journals of a volume, and replaying those that were left behind.
//!
//! Invariants: a replay writes nothing that is not in a whole commit; its head is moved only after a
//! flush of what it wrote, so it may be broken off anywhere and begun again.

use byway_engine::api::Disk;
use byway_engine::error::IoError;

use super::blocks::{longest, read_block, read_blocks, write_block};
use super::options::Refusal;
use crate::format::{self, Geometry, Kind, SLOTS, SLOTS_AT, SlotCore};
use crate::journal::{Change, Fed, Head, JournalPlace, Replay, Scan, Verdict, verdict};
use crate::store::{Block, Mutation, Run, Want};

/// Blocks that a scan reads at once: 1 MiB.
const SCAN_BLOCKS: usize = 256;

/// A journal, as its head tells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) place: JournalPlace,
    pub(super) head: Head,
    /// The greatest incarnation that the slot has seen.
    pub(super) incarnation: u64,
}

/// Every journal of the volume.
pub(super) async fn journals(
    disk: &Disk,
    uuid: &[u8; 16],
    geometry: &Geometry,
) -> Result<Vec<Found>, Refusal> {
    let slots = read_blocks(disk, SLOTS_AT, usize::from(SLOTS)).await?;
    let mut found = Vec::new();
    for (slot, block) in (0..SLOTS).zip(&slots) {
        let core = slot_core(uuid, slot, block);
        let Some(run) = place_of(geometry, slot, core) else { continue };
        let blocks = run.len as u32;
        let place = JournalPlace { uuid: *uuid, slot, start: run.start, blocks };
        let copies = read_blocks(disk, run.start, 2).await?;
        let head = Head::of_copies(&place, [&copies[0], &copies[1]])?;
        let incarnation = core.map_or(0, |core| core.incarnation.get()).max(head.incarnation);
        found.push(Found { place, head, incarnation });
    }
    Ok(found)
}

/// The block of a slot, where it is sound: it may be torn while its image waits in a journal.
fn slot_core<'a>(uuid: &[u8; 16], slot: u16, block: &'a Block) -> Option<&'a SlotCore> {
    let (bno, want) = (SLOTS_AT + u64::from(slot), Want::new(Kind::Slot, u64::from(slot)));
    format::check(block.bytes(), uuid, bno, want).ok()?;
    Some(SlotCore::of(block))
}

fn place_of(geometry: &Geometry, slot: u16, core: Option<&SlotCore>) -> Option<Run> {
    let made = geometry.journal_at(slot);
    let joined = core.filter(|core| core.journal_blocks.get() > 0).map(|core| Run {
        start: core.journal_start.get(),
        len: u64::from(core.journal_blocks.get()),
    });
    made.or(joined.filter(|run| geometry.is_inside_group(*run)))
}

/// What a replay did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Commits that were found.
    pub commits: u64,
    /// Images that were written in place.
    pub applied: u64,
    /// Images that were older than what was in place.
    pub skipped: u64,
}

/// Replays one journal and moves its tail behind what was applied. Gives the head, and what was done.
pub(super) async fn replay(
    disk: &Disk,
    found: &Found,
    geometry: &Geometry,
    mutation: Mutation,
) -> Result<(Head, Replayed), Refusal> {
    let (replay, scan) = scan(disk, found).await?;
    let mut done = Replayed { commits: replay.commits(), ..Replayed::default() };
    for change in replay.images() {
        assert_in_volume(geometry, change)?;
        match apply(disk, &found.place, change, mutation).await? {
            Verdict::Apply => done.applied += 1,
            Verdict::Skip => done.skipped += 1,
        }
    }
    disk.flush().await?;
    let (tail_seq, tail_pos) = scan.end();
    let (seq, clock) = (found.head.seq + 1, scan.clock());
    let head = Head { seq, tail_pos, tail_seq, clock, is_dirty: false, ..found.head };
    write_block(disk, found.place.head_bno(seq), &head.encode(&found.place)).await?;
    Ok((head, done))
}

/// A commit that is sound names blocks of the volume only; one that does not was not made by us.
fn assert_in_volume(geometry: &Geometry, change: &Change) -> Result<(), Refusal> {
    match change.bno < geometry.blocks {
        true => Ok(()),
        false => {
            let name = "place in a journal, beyond the volume";
            Err(Refusal::Damaged(crate::store::Damage::field(change.bno, change.want, name)))
        }
    }
}

async fn scan(disk: &Disk, found: &Found) -> Result<(Replay, Scan), Box<IoError>> {
    let (mut scan, mut replay) = (Scan::new(found.place, &found.head), Replay::default());
    loop {
        let at = scan.position();
        let piece = found.place.pieces(at..at + SCAN_BLOCKS as u64, longest(disk) as u64);
        let len = (piece[0].end - piece[0].start) as usize;
        for block in read_blocks(disk, found.place.bno(at), len).await? {
            match scan.feed(&block) {
                Fed::More => {}
                Fed::Commit(changes) => replay.add(changes),
                Fed::End => return Ok((replay, scan)),
            }
        }
    }
}

async fn apply(
    disk: &Disk,
    place: &JournalPlace,
    change: &Change,
    mutation: Mutation,
) -> Result<Verdict, Box<IoError>> {
    let in_place = read_block(disk, change.bno).await?;
    let decided = verdict(in_place.bytes(), &place.uuid, change, mutation);
    if decided == Verdict::Apply {
        let (pos, _) = change.image.expect("images have a place in the ring");
        let image = read_block(disk, place.bno(pos)).await?;
        write_block(disk, change.bno, &image).await?;
    }
    Ok(decided)
}
