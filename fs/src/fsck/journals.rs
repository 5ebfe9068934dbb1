//! Journals: what they hold that is not in place is put into the overlay.

use super::check::Check;
use super::finding::Code;
use super::reader::Gone;
use crate::format::{Kind, SLOTS, SlotCore};
use crate::journal::{Fed, Head, JournalPlace, Replay, Scan, Verdict, verdict};
use crate::store::{Block, Mutation, Run, Want};

/// Blocks that a scan reads at once: few at first, as most journals end soon.
const AHEAD_MIN: u64 = 8;
/// The most of them: 1 MiB.
const AHEAD_MAX: u64 = 256;

/// Replays every journal into the overlay, and resets their heads. It must be the first thing: all
/// that is looked at later is what a mount would see.
pub(crate) async fn replay(c: &mut Check) -> Result<(), Gone> {
    let mut places = Vec::new();
    c.reader.ahead(Run { start: c.geometry().slot_block(0), len: SLOTS.into() }).await?;
    for slot in 0..SLOTS {
        places.extend(place_of(c, slot).await?);
    }
    for place in places {
        replay_one(c, place).await?;
    }
    Ok(())
}

async fn place_of(c: &mut Check, slot: u16) -> Result<Option<JournalPlace>, Gone> {
    let bno = c.geometry().slot_block(slot);
    let read = c.reader.get(bno, Want::new(Kind::Slot, slot.into())).await?;
    let told = read.ok().map(|block| {
        let core = SlotCore::of(&block);
        (core.journal_start.get(), core.journal_blocks.get())
    });
    let made = c.geometry().journal_at(slot).map(|run| (run.start, run.len as u32));
    let place = told.or(made).filter(|(start, blocks)| *start > 0 && *blocks > 2);
    let uuid = *c.reader.uuid();
    Ok(place.map(|(start, blocks)| JournalPlace { uuid, slot, start, blocks }))
}

async fn replay_one(c: &mut Check, place: JournalPlace) -> Result<(), Gone> {
    let copies = [c.reader.raw(place.start).await?, c.reader.raw(place.start + 1).await?];
    let empty = Block::zeroed();
    let copy = |at: usize| copies[at].as_deref().unwrap_or(&empty);
    let head = match Head::of_copies(&place, [copy(0), copy(1)]) {
        Ok(head) => head,
        Err(damage) => {
            c.note_damage(
                Code::JournalHead,
                damage,
                "a new head takes its place; what the journal held is lost",
            );
            let head = Head { clock: c.version_max, ..Head::new() };
            reset(c, &place, head);
            return Ok(());
        }
    };
    c.version_max = c.version_max.max(head.clock);
    let (replay, end) = scan(c, &place, &head).await?;
    if replay.commits() > 0 {
        apply(c, &place, &replay).await?;
    }
    if replay.commits() > 0 || head.is_dirty {
        c.report.replayed += replay.commits();
        let (tail_seq, tail_pos) = end;
        let clean = Head {
            seq: head.seq + 1,
            tail_pos,
            tail_seq,
            clock: c.version_max,
            is_dirty: false,
            ..head
        };
        reset(c, &place, clean);
    }
    Ok(())
}

fn reset(c: &mut Check, place: &JournalPlace, head: Head) {
    // Into the overlay in any case: it is what is there after a mount.
    let block = head.encode(place);
    c.reader.put(place.head_bno(head.seq), block);
}

async fn scan(
    c: &mut Check,
    place: &JournalPlace,
    head: &Head,
) -> Result<(Replay, (u64, u64)), Gone> {
    let mut replay = Replay::default();
    let mut scan = Scan::new(*place, head);
    let (mut ahead, mut end) = (AHEAD_MIN, scan.position());
    loop {
        let at = scan.position();
        if at == end {
            let row = place.pieces(at..at + ahead, ahead).swap_remove(0);
            end = row.end;
            ahead = AHEAD_MAX.min(2 * ahead);
            c.reader.ahead(Run { start: place.bno(at), len: end - at }).await?;
        }
        let Some(block) = c.reader.raw(place.bno(at)).await? else {
            break;
        };
        match scan.feed(&block) {
            Fed::More => {}
            Fed::Commit(changes) => replay.add(changes),
            Fed::End => break,
        }
    }
    c.version_max = c.version_max.max(scan.clock());
    Ok((replay, scan.end()))
}

async fn apply(c: &mut Check, place: &JournalPlace, replay: &Replay) -> Result<(), Gone> {
    let images: Vec<_> = replay.images().cloned().collect();
    for change in images {
        let in_place = c.reader.raw(change.bno).await?;
        let in_place = in_place.as_deref().map_or([0; 4096], |block| *block.bytes());
        if verdict(&in_place, &place.uuid, &change, Mutation::None) == Verdict::Skip {
            continue;
        }
        let Some((at, _)) = change.image else {
            continue;
        };
        if let Some(image) = c.reader.raw(place.bno(at)).await? {
            // It is what a mount would see, whether this is a repair or not.
            c.reader.put(change.bno, Block::clone(&image));
        }
    }
    Ok(())
}
