//! Counts, bits and trees of groups and slots that tell something wrong.

use zerocopy::IntoBytes;

use super::WreckError;
use super::target::Target;
use crate::format::{
    BitmapHead, Bits, GROUP_MAP_AT, GROUP_PENDING_AT, GROUP_REFCOUNTS_AT, GroupCore,
    SLOT_ORPHANS_AT, SLOTS_AT, SlotCore, TreeHead, TreeRecord, bits_in,
};
use crate::fsck::Code;
use crate::store::Block;

pub(super) async fn wreck(t: &Target, code: Code) -> Result<String, WreckError> {
    let (group, header) = t.group();
    match code {
        Code::SlotCounts => {
            let more = |core: &mut SlotCore| core.blocks_used = (core.blocks_used.get() + 5).into();
            t.alter(SLOTS_AT, |block| more(SlotCore::of_mut(block))).await?;
            Ok("slot 0 counts 5 blocks too many".into())
        }
        Code::GroupFree => {
            let fewer = |core: &mut GroupCore| core.free = (core.free.get() - 1).into();
            t.alter(header, |block| fewer(GroupCore::of_mut(block))).await?;
            Ok(format!("group {group} counts one free block too few"))
        }
        Code::GroupMapBit => {
            let bits = bits_in(t.check.geometry().groups().into(), 0);
            t.alter(GROUP_MAP_AT, |block| set_bit(block, group, bits, false)).await?;
            Ok(format!("group {group} is not initialised by the map"))
        }
        Code::BlocksLost => bit(t, true).await,
        Code::BlocksLeaked => bit(t, false).await,
        Code::RefcountTree => tree(t, header, GROUP_REFCOUNTS_AT, "the refcounts of a group").await,
        Code::PendingTree => {
            tree(t, header, GROUP_PENDING_AT, "the pending frees of a group").await
        }
        Code::OrphanTree => tree(t, SLOTS_AT, SLOT_ORPHANS_AT, "the orphans of slot 0").await,
        Code::Refcount => refcount(t).await,
        Code::PendingUsed => {
            let start = t
                .check
                .geometry()
                .group_start(t.check.geometry().group_of(t.check.superblock.root_ino));
            let header = t
                .check
                .geometry()
                .group_header(t.check.geometry().group_of(t.check.superblock.root_ino));
            let record = record(t.check.superblock.root_ino - start, 1);
            t.alter(header, |block| {
                only_record(block, GROUP_PENDING_AT, record);
                GroupCore::of_mut(block).pending_blocks = 1.into();
            })
            .await?;
            Ok("the root's dinode is a pending free".into())
        }
        _ => {
            let record = record(t.check.superblock.root_ino, 77);
            t.alter(SLOTS_AT, |block| only_record(block, SLOT_ORPHANS_AT, record)).await?;
            Ok("the root is an orphan of slot 0".into())
        }
    }
}

fn record(key: u64, value: u64) -> TreeRecord {
    TreeRecord {
        key: key.into(),
        value: value.into(),
        len: 1.into(),
        flags: 0.into(),
        reserved: 0.into(),
    }
}

fn only_record(block: &mut Block, at: usize, record: TreeRecord) {
    let head = TreeHead { count: 1.into(), level: 0.into(), reserved: 0.into() };
    block.bytes_mut()[at..at + 8].copy_from_slice(head.as_bytes());
    block.bytes_mut()[at + 8..at + 32].copy_from_slice(record.as_bytes());
}

async fn tree(t: &Target, bno: u64, at: usize, what: &str) -> Result<String, WreckError> {
    t.alter(bno, |block| block.bytes_mut()[at..at + 2].fill(0xff)).await?;
    Ok(format!("{what} count 65,535 entries in block {bno}"))
}

fn set_bit(block: &mut Block, at: u32, bits: u32, is_set: bool) {
    let map = Bits::of_mut(block);
    if is_set {
        map.set(at, 1);
    } else {
        map.clear(at, 1);
    }
    let free = bits - map.count(0, bits);
    BitmapHead::of_mut(block).free = free.into();
}

/// Turns one bit of the first group's bitmap over, and counts it everywhere.
async fn bit(t: &Target, was_set: bool) -> Result<String, WreckError> {
    let (group, header) = t.group();
    let geometry = t.check.geometry();
    let bits = bits_in(geometry.group_len(group), 0);
    let map = t.read(header + 1).await?;
    // The last one: the first ones are the volume's own.
    let at = (0..bits).rev().find(|bit| Bits::of(&map).get(*bit) == was_set);
    let at = at.ok_or(WreckError::Nothing("a group that is neither full nor empty"))?;
    t.alter(header + 1, |block| set_bit(block, at, bits, !was_set)).await?;
    let by: i64 = if was_set { 1 } else { -1 };
    t.alter(header, |block| {
        let core = GroupCore::of_mut(block);
        core.free = core.free.get().saturating_add_signed(by as i32).into();
    })
    .await?;
    Ok(format!("bit {at} of group {group} was turned over"))
}

async fn refcount(t: &Target) -> Result<String, WreckError> {
    let with_refcounts = t.check.groups.iter().find(|(_, facts)| !facts.refcounts.is_empty());
    let (group, _) = with_refcounts.ok_or(WreckError::Nothing("a clone"))?;
    let header = t.check.geometry().group_header(*group);
    let at = GROUP_REFCOUNTS_AT + size_of::<TreeHead>() + 8;
    let is_leaf = t.read(header).await?.bytes()[GROUP_REFCOUNTS_AT + 2] == 0;
    if !is_leaf {
        return Err(WreckError::Nothing("fewer shared extents in its first group"));
    }
    t.alter(header, |block| block.bytes_mut()[at] += 1).await?;
    Ok(format!("the first refcount of group {group} is one too many"))
}
