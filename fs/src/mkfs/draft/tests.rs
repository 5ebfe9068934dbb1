//! A draft is a legal, empty volume, whatever its numbers.

use std::collections::BTreeMap;

use super::*;
use crate::format::{
    BitmapHead, KINDS, PlanOptions, SuperError, bitmap_want, check, check_bits, header,
};

fn draft(len: u64, options: &PlanOptions) -> Draft {
    let identity = Identity {
        uuid: [9; 16],
        dir_hash_key: [1; 16],
        cluster_key: [2; 32],
        root_generation: 77,
        label: "test".into(),
        sector_len: 512,
        owner: (1000, 100),
        created: 5,
    };
    Draft::new(Geometry::plan(len, options).unwrap(), identity)
}

fn small() -> PlanOptions {
    PlanOptions { group_len: Some(8 << 20), journal_len: Some(1 << 20), journals: Some(1) }
}

/// The blocks of a draft by number, each judged by its header.
fn judged(draft: &Draft) -> BTreeMap<u64, Block> {
    let mut blocks = BTreeMap::new();
    for (bno, block) in draft.everything() {
        let head = header(block.bytes());
        let kind = KINDS.into_iter().find(|kind| kind.code() == head.kind.get()).unwrap();
        let want = Want::new(kind, head.owner.get());
        assert_eq!(check(block.bytes(), &[9; 16], bno, want), Ok(()));
        assert_eq!(head.version.get(), FIRST_VERSION);
        assert!(blocks.insert(bno, block).is_none(), "{bno} is written once");
    }
    blocks
}

fn judge(draft: &Draft) {
    let blocks = judged(draft);
    let superblock = Superblock::parse(&blocks[&SUPER_AT], SUPER_AT);
    assert_eq!(superblock.as_ref(), Ok(draft.superblock()));
    let geometry = superblock.unwrap().geometry;
    let mut free = 0;
    for group in &draft.groups {
        let header = geometry.group_header(*group);
        let core = GroupCore::of(&blocks[&header]);
        assert_eq!(core.check(&geometry, *group), Ok(()));
        let bitmap = (0..geometry.bitmap_blocks()).map(|index| {
            let bno = header + 1 + u64::from(index);
            let bits = bits_in(geometry.group_len(*group), index.into());
            assert_eq!(check_bits(&blocks[&bno], bno, bitmap_want(*group), bits), Ok(()));
            BitmapHead::of(&blocks[&bno]).free.get()
        });
        assert_eq!(bitmap.sum::<u32>(), core.free.get());
        free += u64::from(core.free.get());
        assert!(Bits::of(&blocks[&GROUP_MAP_AT]).get(*group));
    }
    let others = u64::from(geometry.groups()) - draft.groups.len() as u64;
    if others == 0 {
        assert_eq!(free + 1, geometry.allocatable(), "all is free but the root");
    }
    assert!(free < geometry.allocatable());
    let clear: u32 = (0..GROUP_MAP_BLOCKS)
        .map(|index| BitmapHead::of(&blocks[&(GROUP_MAP_AT + index)]).free.get())
        .sum();
    assert_eq!(u64::from(clear), others);
}

#[test]
fn drafts_of_every_size_are_legal() {
    let default = PlanOptions::default();
    judge(&draft(16 << 20, &small()));
    judge(&draft(8 << 20, &default));
    for len in [64 << 20, 1 << 30, 100 << 30, 64 << 40, 4 << 50] {
        judge(&draft(len, &default));
    }
    for group_len in [8 << 20, 1 << 31, 1 << 34] {
        judge(&draft(2 << 40, &PlanOptions { group_len: Some(group_len), ..default }));
    }
    judge(&draft(1 << 40, &PlanOptions { journals: Some(64), ..default }));
}

#[test]
fn the_smallest_volume_is_drawn_as_the_document_says() {
    let draft = draft(16 << 20, &small());
    let blocks = judged(&draft);
    let places: Vec<u64> = blocks.keys().copied().filter(|bno| *bno >= 289).collect();
    assert_eq!(places, [320, 321, 322, 323, 578]);
    assert_eq!(blocks.len(), 1 + 64 + 33 + 5);
    let root = InodeCore::of(&blocks[&578]);
    assert_eq!(root.check(578), Ok(()));
    assert_eq!((root.uid.get(), root.gid.get()), (1000, 100));
    let slot = SlotCore::of(&blocks[&192]);
    assert_eq!((slot.journal_start.get(), slot.journal_blocks.get()), (322, 256));
    assert_eq!((slot.inodes.get(), slot.check(192, 0)), (1, Ok(())));
    assert_eq!(SlotCore::of(&blocks[&193]).journal_start.get(), 0);
}

#[test]
fn journals_have_heads_that_a_mount_reads() {
    let draft = draft(1 << 30, &PlanOptions::default());
    let blocks = judged(&draft);
    for slot in 0..8 {
        let run = draft.geometry().journal_at(slot).unwrap();
        let place = JournalPlace { uuid: [9; 16], slot, start: run.start, blocks: 8192 };
        let head = Head::of_copies(&place, [&blocks[&run.start], &blocks[&(run.start + 1)]]);
        let head = head.unwrap();
        assert_eq!((head.seq, head.is_dirty, head.clock), (1, false, FIRST_VERSION));
    }
}

#[test]
fn a_huge_volume_takes_little_writing() {
    let draft = draft(64 << 40, &PlanOptions::default());
    let zeroes: u64 = draft.zeroes().map(|run| run.len).sum();
    let blocks = draft.everything().count() as u64 + zeroes;
    assert!(blocks * 4096 < 4 << 20, "{blocks}");
}

#[test]
fn older_superblocks_are_wiped_before_anything_is_written() {
    let draft = draft(8 << 30, &PlanOptions::default());
    let wiped = |bno| draft.zeroes().any(|run| (run.start..run.start + run.len).contains(&bno));
    assert!(draft.copies().all(|(bno, _)| wiped(bno)));
    assert!(wiped(SUPER_AT) && wiped(0) && wiped(draft.geometry().blocks - 1));
    assert_eq!(Superblock::parse(&Block::zeroed(), SUPER_AT), Err(SuperError::Absent));
}
