//! Slots: their blocks, signs of life, and orphans.

use super::check::Check;
use super::finding::Code;
use super::names::enter;
use super::reader::Gone;
use super::tree::walk;
use super::work::Work;
use crate::format::{
    FLAG_TRUNCATING, HEARTBEATS_AT, InodeCore, Kind, SLOT_CLEAN, SLOT_ORPHANS_AT, SLOT_ORPHANS_LEN,
    SLOTS, SlotCore,
};
use crate::inode::InodeRef;
use crate::store::{Block, Run, Want};
use crate::tree::Record;

/// Looks at all slots: claims their journals, and collects their orphans.
pub(crate) async fn look(c: &mut Check) -> Result<Vec<(u16, Vec<Record>)>, Gone> {
    let mut orphans = Vec::new();
    c.reader.ahead(Run { start: HEARTBEATS_AT, len: SLOTS.into() }).await?;
    for slot in 0..SLOTS {
        heartbeat(c, slot).await?;
    }
    c.reader.ahead(Run { start: c.geometry().slot_block(0), len: SLOTS.into() }).await?;
    for slot in 0..SLOTS {
        let block = block_of(c, slot).await?;
        claim_journal(c, slot, &block);
        orphans.push((slot, orphans_of(c, slot, &block).await?));
    }
    Ok(orphans)
}

async fn heartbeat(c: &mut Check, slot: u16) -> Result<(), Gone> {
    let bno = HEARTBEATS_AT + u64::from(slot);
    let want = Want::new(Kind::Heartbeat, slot.into());
    let never_used = match c.reader.raw(bno).await? {
        Some(block) => block.bytes().iter().all(|byte| *byte == 0),
        None => false,
    };
    if never_used {
        return Ok(());
    }
    if let Err(damage) = c.reader.get(bno, want).await? {
        c.note_damage(Code::Heartbeat, damage, "it is cleared");
        c.put_raw(bno, Block::zeroed());
    }
    Ok(())
}

async fn block_of(c: &mut Check, slot: u16) -> Result<Block, Gone> {
    let bno = c.geometry().slot_block(slot);
    let want = Want::new(Kind::Slot, slot.into());
    let damage = match c.reader.get(bno, want).await? {
        Ok(block) => {
            c.version_max = c.version_max.max(block.header().version.get());
            c.version_max = c.version_max.max(SlotCore::of(&block).clock.get());
            return Ok(Block::clone(&block));
        }
        Err(damage) => damage,
    };
    c.note_damage(
        Code::Slot,
        damage,
        "a new one takes its place; its orphans are found by their blocks",
    );
    let mut block = c.blank(bno, want);
    let journal = c.geometry().journal_at(slot);
    let core = SlotCore::of_mut(&mut block);
    core.state = SLOT_CLEAN.into();
    if let Some(run) = journal {
        core.journal_start = run.start.into();
        core.journal_blocks = (run.len as u32).into();
    }
    c.put(bno, block.clone());
    Ok(block)
}

/// A journal that was made later than the volume lies in blocks that were allocated for it.
fn claim_journal(c: &mut Check, slot: u16, block: &Block) {
    let core = SlotCore::of(block);
    let run = Run { start: core.journal_start.get(), len: core.journal_blocks.get().into() };
    if run.len > 0 && c.geometry().journal_at(slot).is_none() && c.geometry().is_inside_group(run) {
        c.claims.add(run);
    }
}

async fn orphans_of(c: &mut Check, slot: u16, block: &Block) -> Result<Vec<Record>, Gone> {
    let bno = c.geometry().slot_block(slot);
    let root = (bno, block, Want::new(Kind::Slot, slot.into()));
    let node = Want::new(Kind::OrphanNode, slot.into());
    let walked = walk(&c.reader, root, (SLOT_ORPHANS_AT, SLOT_ORPHANS_LEN), node).await?;
    walked.nodes.iter().for_each(|node| {
        c.claim_block(*node);
    });
    if walked.damages.is_empty() {
        return Ok(walked.records);
    }
    for damage in walked.damages {
        c.note_damage(Code::OrphanTree, damage, "its orphans are found by their blocks");
    }
    let orphans = walked.records.iter().map(|orphan| (orphan.key, orphan.value)).collect();
    c.work.push(Work::Orphans { slot, orphans });
    Ok(walked.records)
}

/// Looks at the orphans, after all names were followed.
pub(crate) async fn look_at_orphans(
    c: &mut Check,
    slots: Vec<(u16, Vec<Record>)>,
) -> Result<(), Gone> {
    for (slot, orphans) in slots {
        let mut kept = Vec::new();
        for orphan in &orphans {
            match orphan_flaw(c, *orphan).await? {
                None => kept.push((orphan.key, orphan.value)),
                Some(why) => {
                    let text =
                        format!("slot {slot}: the orphan {} {why}; it is struck off", orphan.key);
                    c.note(Code::OrphanEntry, u64::from(slot), text);
                }
            }
        }
        if kept.len() < orphans.len() {
            c.work.push(Work::Orphans { slot, orphans: kept });
        }
    }
    Ok(())
}

async fn orphan_flaw(c: &mut Check, orphan: Record) -> Result<Option<&'static str>, Gone> {
    let ino = orphan.key;
    let Ok(block) = c.reader.get(ino, Want::new(Kind::Inode, ino)).await? else {
        return Ok(Some("is no inode"));
    };
    let core = *InodeCore::of(&block);
    if u64::from(core.generation.get()) != orphan.value {
        return Ok(Some("is another inode by now"));
    }
    let truncating = core.flags.get() & FLAG_TRUNCATING != 0;
    if c.inodes.contains_key(&ino) {
        return Ok((!truncating).then_some("has a name"));
    }
    if core.nlink.get() != 0 {
        return Ok(Some("has links and no name"));
    }
    let at = InodeRef { ino, generation: core.generation.get() };
    enter(c, at, 0, &block).await?;
    if let Some(seen) = c.inodes.get_mut(&ino) {
        seen.is_orphan = true;
    }
    Ok(None)
}
