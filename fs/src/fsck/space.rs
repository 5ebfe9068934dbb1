//! Comparing what is in use with what bitmaps, refcounts and counts tell.

use super::check::Check;
use super::finding::Code;
use super::groups::MAP_WANT;
use super::reader::Gone;
use super::work::Work;
use crate::format::{
    BITS_PER_BLOCK, Bits, GROUP_MAP_AT, GROUP_REFCOUNTS_AT, GROUP_REFCOUNTS_LEN, GroupCore, Kind,
    SLOTS, SlotCore, bits_in, count_bits,
};
use crate::store::{Block, Run, Want};

/// Words of bits in one bitmap block.
const WORDS: usize = BITS_PER_BLOCK as usize / 64;

/// Compares and mends, group by group.
pub(crate) async fn compare(c: &mut Check) -> Result<(), Gone> {
    let claimed: Vec<u32> = c.claims.groups().collect();
    for group in claimed {
        if !c.groups.contains_key(&group) {
            let text = format!("group {group} is in use and not initialised; it is initialised");
            c.note(Code::GroupMapBit, u64::from(group), text);
            initialise(c, group).await?;
        }
    }
    let groups: Vec<u32> = c.groups.keys().copied().collect();
    for group in groups {
        compare_group(c, group).await?;
    }
    Ok(())
}

async fn initialise(c: &mut Check, group: u32) -> Result<(), Gone> {
    for run in c.geometry().reserved(group) {
        c.claims.add(run);
    }
    c.groups
        .insert(group, super::check::GroupFacts { refcounts_sound: true, ..Default::default() });
    let index = u64::from(group) / BITS_PER_BLOCK;
    let bits = bits_in(c.geometry().groups().into(), index);
    c.mend(GROUP_MAP_AT + index, MAP_WANT, |block| {
        Bits::of_mut(block).set((u64::from(group) % BITS_PER_BLOCK) as u32, 1);
        count_bits(block, bits);
    })
    .await
}

async fn compare_group(c: &mut Check, group: u32) -> Result<(), Gone> {
    let facts = c.groups[&group].clone();
    let wanted = blocks_of(c, group);
    let is_rewritten = match facts.is_sound {
        true => differs(c, group, &wanted).await?,
        false => true,
    };
    let free: u64 = wanted.iter().map(|block| u64::from(free_of(block))).sum();
    if facts.is_sound && u64::from(facts.free) != free {
        let text = format!("group {group} tells of {} free blocks and has {free}", facts.free);
        c.note(Code::GroupFree, u64::from(group), text);
    }
    if is_rewritten || u64::from(facts.free) != free || !facts.is_sound {
        rewrite(c, group, wanted, free as u32).await?;
    }
    compare_refcounts(c, group).await
}

fn free_of(block: &Block) -> u32 {
    crate::format::BitmapHead::of(block).free.get()
}

/// The bitmap blocks of a group as the claims have them.
fn blocks_of(c: &Check, group: u32) -> Vec<Block> {
    let want = Want::new(Kind::Bitmap, group.into());
    let first = c.geometry().group_header(group) + 1;
    let len = c.geometry().group_len(group);
    let words = c.claims.bits(group).unwrap_or_default();
    let block = |index: u64| {
        let mut block = c.blank(first + index, want);
        let map = Bits::of_mut(&mut block);
        let from = (index as usize * WORDS).min(words.len());
        map.put_words(words[from..].iter().copied());
        count_bits(&mut block, bits_in(len, index));
        block
    };
    (0..u64::from(c.geometry().bitmap_blocks())).map(block).collect()
}

/// Compares a sound bitmap with the claims; true where they differ.
async fn differs(c: &mut Check, group: u32, wanted: &[Block]) -> Result<bool, Gone> {
    let (mut lost, mut leaked) = (0u64, 0u64);
    let want = Want::new(Kind::Bitmap, group.into());
    for block in wanted {
        let bno = block.header().bno.get();
        let Ok(found) = c.reader.get(bno, want).await? else {
            return Ok(true);
        };
        for (is, shall) in Bits::of(&found).words().zip(Bits::of(block).words()) {
            lost += u64::from((shall & !is).count_ones());
            leaked += u64::from((is & !shall).count_ones());
        }
    }
    if lost > 0 {
        let text = format!("group {group}: {lost} blocks are in use and free in the bitmap");
        c.note(Code::BlocksLost, u64::from(group), text);
    }
    if leaked > 0 {
        let text = format!("group {group}: {leaked} blocks are set in the bitmap and nobody's");
        c.note(Code::BlocksLeaked, u64::from(group), text);
    }
    Ok(lost + leaked > 0)
}

async fn rewrite(c: &mut Check, group: u32, wanted: Vec<Block>, free: u32) -> Result<(), Gone> {
    for block in wanted {
        c.put(block.header().bno.get(), block);
    }
    let bno = c.geometry().group_header(group);
    let want = Want::new(Kind::Group, group.into());
    let geometry = c.geometry();
    let read = c.reader.get(bno, want).await?;
    let sound =
        read.ok().filter(|block| super::judge::judge_group(block, &geometry, group).is_ok());
    let mut header = match sound {
        Some(block) => Block::clone(&block),
        None => c.blank(bno, want),
    };
    let core = GroupCore::of_mut(&mut header);
    core.group = group.into();
    core.blocks = (geometry.group_len(group) as u32).into();
    core.bitmap_blocks = geometry.bitmap_blocks().into();
    core.free = free.into();
    c.put(bno, header);
    Ok(())
}

async fn compare_refcounts(c: &mut Check, group: u32) -> Result<(), Gone> {
    let runs = c.claims.shared(group);
    let facts = &c.groups[&group];
    let told: Vec<(u32, u32, u32)> = joined(&facts.refcounts);
    if facts.refcounts_sound && told == runs && facts.is_sound {
        return Ok(());
    }
    if facts.refcounts_sound && told != runs {
        let text = format!("group {group}: refcounts differ from the numbers of users");
        c.note(Code::Refcount, u64::from(group), text);
    }
    let bno = c.geometry().group_header(group);
    let want = Want::new(Kind::Group, group.into());
    c.mend(bno, want, |block| {
        block.bytes_mut()[GROUP_REFCOUNTS_AT..GROUP_REFCOUNTS_AT + GROUP_REFCOUNTS_LEN].fill(0);
    })
    .await?;
    c.work.push(Work::Refcounts { group, runs });
    Ok(())
}

fn joined(records: &[crate::tree::Record]) -> Vec<(u32, u32, u32)> {
    let mut runs: Vec<(u32, u32, u32)> = Vec::new();
    for record in records {
        let (start, users) = (record.key as u32, record.value as u32);
        match runs.last_mut() {
            Some(last) if last.0 + last.1 == start && last.2 == users => last.1 += record.len,
            _ => runs.push((start, record.len, users)),
        }
    }
    runs
}

/// Compares the counts of all slots together with what is in use, and corrects the first slot's.
pub(crate) async fn compare_counts(c: &mut Check) -> Result<(), Gone> {
    let (mut blocks, mut inodes) = (0i64, 0i64);
    c.reader.ahead(Run { start: c.geometry().slot_block(0), len: SLOTS.into() }).await?;
    for slot in 0..SLOTS {
        let bno = c.geometry().slot_block(slot);
        if let Ok(block) = c.reader.get(bno, Want::new(Kind::Slot, slot.into())).await? {
            blocks = blocks.wrapping_add(SlotCore::of(&block).blocks_used.get());
            inodes = inodes.wrapping_add(SlotCore::of(&block).inodes.get());
        }
    }
    let in_use = used_blocks(c);
    c.report.blocks = in_use as u64;
    let known = c.inodes.len() as i64;
    if (blocks, inodes) == (in_use, known) {
        return Ok(());
    }
    let text = format!(
        "the slots count {blocks} blocks and {inodes} inodes; in use are {in_use} and {known}"
    );
    c.note(Code::SlotCounts, None, text);
    let bno = c.geometry().slot_block(0);
    c.mend(bno, Want::new(Kind::Slot, 0), |block| {
        let core = SlotCore::of_mut(block);
        core.blocks_used =
            (core.blocks_used.get().wrapping_add(in_use.wrapping_sub(blocks))).into();
        core.inodes = (core.inodes.get().wrapping_add(known.wrapping_sub(inodes))).into();
    })
    .await
}

/// Blocks in use: claimed, and neither reserved by the volume itself nor pending.
fn used_blocks(c: &Check) -> i64 {
    let in_group = |group: u32| -> u64 {
        let ones = c.claims.bits(group).unwrap_or_default().iter();
        let claimed: u64 = ones.map(|word| u64::from(word.count_ones())).sum();
        claimed.saturating_sub(c.geometry().reserved_len(group))
    };
    let claimed = c.claims.groups().map(in_group).sum::<u64>();
    claimed.saturating_sub(c.pending_blocks) as i64
}
