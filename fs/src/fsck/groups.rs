//! Groups: which are initialised, what their headers, bitmaps and trees tell.

use super::check::{Check, GroupFacts};
use super::finding::Code;
use super::reader::Gone;
use super::tree::walk;
use crate::format::{
    BITS_PER_BLOCK, Bits, GROUP_MAP_AT, GROUP_MAP_BLOCKS, GROUP_PENDING_AT, GROUP_PENDING_LEN,
    GROUP_REFCOUNTS_AT, GROUP_REFCOUNTS_LEN, GroupCore, Kind, bits_in, check_bits, count_bits,
};
use crate::store::{Block, Run, Want};
use crate::tree::Record;

/// What a block of the group map is.
pub(crate) const MAP_WANT: Want = Want { kind: Kind::GroupMap, owner: 0 };

/// Looks at all groups that are initialised, and claims what is reserved in them.
pub(crate) async fn look(c: &mut Check) -> Result<(), Gone> {
    for group in initialised(c).await? {
        let facts = look_at_group(c, group).await?;
        c.groups.insert(group, facts);
        for run in c.geometry().reserved(group) {
            c.claims.add(run);
        }
    }
    Ok(())
}

async fn initialised(c: &mut Check) -> Result<Vec<u32>, Gone> {
    let total = u64::from(c.geometry().groups());
    let mut groups = Vec::new();
    c.reader.ahead(Run { start: GROUP_MAP_AT, len: GROUP_MAP_BLOCKS }).await?;
    for index in 0..GROUP_MAP_BLOCKS {
        let bno = GROUP_MAP_AT + index;
        let bits = bits_in(total, index);
        let read = c.reader.get(bno, MAP_WANT).await?;
        let judged = read.and_then(|block| check_bits(&block, bno, MAP_WANT, bits).map(|()| block));
        let first = (index * BITS_PER_BLOCK) as u32;
        match judged {
            Ok(block) => {
                c.version_max = c.version_max.max(block.header().version.get());
                let runs = Bits::of(&block);
                groups.extend((0..bits).filter(|bit| runs.get(*bit)).map(|bit| first + bit));
            }
            Err(damage) => {
                c.note_damage(Code::GroupMap, damage, "it is made anew from the headers of groups");
                groups.extend(map_anew(c, bno, first, bits).await?);
            }
        }
    }
    Ok(groups)
}

/// Groups with a header that can be used are initialised.
async fn map_anew(c: &mut Check, bno: u64, first: u32, bits: u32) -> Result<Vec<u32>, Gone> {
    let mut groups = Vec::new();
    for group in first..first + bits {
        let want = Want::new(Kind::Group, group.into());
        let header = c.geometry().group_header(group);
        if c.reader.get(header, want).await?.is_ok() {
            groups.push(group);
        }
    }
    let mut block = c.blank(bno, MAP_WANT);
    let map = Bits::of_mut(&mut block);
    groups.iter().for_each(|group| {
        map.set(group - first, 1);
    });
    count_bits(&mut block, bits);
    c.put(bno, block);
    Ok(groups)
}

async fn look_at_group(c: &mut Check, group: u32) -> Result<GroupFacts, Gone> {
    let mut facts = GroupFacts::default();
    let want = Want::new(Kind::Group, group.into());
    let bno = c.geometry().group_header(group);
    let read = c.reader.get(bno, want).await?;
    let geometry = c.geometry();
    let judged =
        read.and_then(|block| super::judge::judge_group(&block, &geometry, group).map(|()| block));
    match judged {
        Ok(header) => {
            c.version_max = c.version_max.max(header.header().version.get());
            facts.is_sound = true;
            facts.free = GroupCore::of(&header).free.get();
            refcounts(c, group, (bno, &header, want), &mut facts).await?;
            pending(c, group, (bno, &header, want), &mut facts).await?;
        }
        Err(damage) => {
            c.note_damage(Code::Group, damage, "it is made anew from what is in use");
        }
    }
    bitmap(c, group, &mut facts).await?;
    Ok(facts)
}

async fn bitmap(c: &mut Check, group: u32, facts: &mut GroupFacts) -> Result<(), Gone> {
    let first = c.geometry().group_header(group) + 1;
    let want = Want::new(Kind::Bitmap, group.into());
    for index in 0..u64::from(c.geometry().bitmap_blocks()) {
        let bno = first + index;
        let bits = bits_in(c.geometry().group_len(group), index);
        let read = c.reader.get(bno, want).await?;
        if let Err(damage) = read.and_then(|block| check_bits(&block, bno, want, bits)) {
            facts.is_sound = false;
            c.note_damage(Code::Bitmap, damage, "it is made anew from what is in use");
        }
    }
    Ok(())
}

type Root<'a> = (u64, &'a Block, Want);

async fn refcounts(
    c: &mut Check,
    group: u32,
    root: Root<'_>,
    facts: &mut GroupFacts,
) -> Result<(), Gone> {
    let node = Want::new(Kind::RefcountNode, group.into());
    let walked = walk(&c.reader, root, (GROUP_REFCOUNTS_AT, GROUP_REFCOUNTS_LEN), node).await?;
    facts.refcounts_sound = walked.damages.is_empty();
    for damage in walked.damages {
        c.note_damage(Code::RefcountTree, damage, "refcounts are made anew from what is in use");
    }
    // Nodes of a tree that is made anew are not claimed: so they are free afterwards.
    if facts.refcounts_sound {
        walked.nodes.iter().for_each(|bno| {
            c.claim_block(*bno);
        });
        facts.refcounts = walked.records;
    }
    Ok(())
}

async fn pending(
    c: &mut Check,
    group: u32,
    (bno, header, want): Root<'_>,
    facts: &mut GroupFacts,
) -> Result<(), Gone> {
    let node = Want::new(Kind::PendingNode, group.into());
    let area = (GROUP_PENDING_AT, GROUP_PENDING_LEN);
    let walked = walk(&c.reader, (bno, header, want), area, node).await?;
    let blocks = c.geometry().group_len(group);
    let lies_out = |record: &Record| record.key.saturating_add(record.len.into()) > blocks;
    let flaw = walked.records.iter().find(|record| lies_out(record) || record.len == 0);
    let damages = walked.damages.len();
    for damage in walked.damages {
        c.note_damage(Code::PendingTree, damage, "its blocks are free at once");
    }
    if let Some(record) = flaw {
        let text = format!("group {group}: a pending free at {} leaves the group", record.key);
        c.note(Code::PendingTree, u64::from(group), text);
    }
    if damages > 0 || flaw.is_some() {
        return forget_pending(c, group).await;
    }
    walked.nodes.iter().for_each(|bno| {
        c.claim_block(*bno);
    });
    facts.pending_sound = true;
    facts.pending = walked.records;
    Ok(())
}

/// Empties the tree of pending frees: nothing is replayed after a check, so all may be used.
pub(crate) async fn forget_pending(c: &mut Check, group: u32) -> Result<(), Gone> {
    let want = Want::new(Kind::Group, group.into());
    let bno = c.geometry().group_header(group);
    c.mend(bno, want, |block| {
        block.bytes_mut()[GROUP_PENDING_AT..GROUP_PENDING_AT + GROUP_PENDING_LEN].fill(0);
        GroupCore::of_mut(block).pending_blocks = 0.into();
    })
    .await
}

/// Claims pending frees, after everything that is in use was claimed: nobody else may have them.
pub(crate) async fn claim_pending(c: &mut Check) -> Result<(), Gone> {
    let groups: Vec<u32> = c.groups.keys().copied().collect();
    for group in groups {
        let start = c.geometry().group_start(group);
        let pending = c.groups[&group].pending.clone();
        let used = pending
            .iter()
            .find(|record| c.claims.any(Run { start: start + record.key, len: record.len.into() }));
        if let Some(record) = used {
            let text = format!(
                "group {group}: a pending free of {} blocks at {} names blocks in use; all of the group's pending frees are dropped",
                record.len, record.key
            );
            c.note(Code::PendingUsed, u64::from(group), text);
            forget_pending(c, group).await?;
            continue;
        }
        for record in pending {
            c.pending_blocks += u64::from(record.len);
            c.claims.add(Run { start: start + record.key, len: record.len.into() });
        }
    }
    Ok(())
}
