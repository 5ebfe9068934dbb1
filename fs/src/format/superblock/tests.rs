//! Superblocks come back as they were written, and whatever cannot be is named.

use proptest::prelude::*;

use super::*;
use crate::format::{PlanOptions, SUPER_AT};

fn sample() -> Superblock {
    Superblock {
        uuid: [7; 16],
        version: 3,
        geometry: Geometry::plan(64 << 20, &PlanOptions::default()).unwrap(),
        label: "images".into(),
        sector_len: 512,
        lun_verdict: 1,
        root_ino: 2050,
        root_generation: 9,
        created: 1_700_000_000_123_456_789,
        dir_hash_key: [1; 16],
        cluster_key: [2; 32],
        compat: 0,
        ro_compat: 0,
        tuning: 0,
    }
}

/// What a superblock is judged to be after a change of its table.
fn after(change: impl FnOnce(&mut SuperCore)) -> Result<Superblock, SuperError> {
    let mut block = sample().to_block(SUPER_AT);
    change(SuperCore::of_mut(&mut block));
    seal(block.bytes_mut());
    Superblock::parse(&block, SUPER_AT)
}

fn field(name: &'static str) -> Result<Superblock, SuperError> {
    Err(Damage::field(SUPER_AT, SUPER_WANT, name).into())
}

#[test]
fn it_comes_back() {
    assert_eq!(after(|_| ()), Ok(sample()));
    let copy = sample().to_block(16383);
    assert_eq!(Superblock::parse(&copy, 16383), Ok(sample()));
    assert_eq!(sample().access(), Access::ReadWrite);
}

#[test]
fn every_field_is_judged() {
    assert_eq!(after(|core| core.format_level = 0.into()), field("format_level"));
    assert_eq!(after(|core| core.blocks = 7.into()), field("blocks"));
    assert_eq!(after(|core| core.group_blocks = 2049.into()), field("group_blocks"));
    assert_eq!(after(|core| core.journal_blocks = 255.into()), field("journal_blocks"));
    assert_eq!(after(|core| core.journals = 0.into()), field("journals"));
    assert_eq!(after(|core| core.journals = 65_537.into()), field("journals"));
    assert_eq!(after(|core| core.slots = 63.into()), field("slots"));
    assert_eq!(after(|core| core.sector_len = 520.into()), field("sector_len"));
    assert_eq!(after(|core| core.lun_verdict = 4.into()), field("lun_verdict"));
    assert_eq!(after(|core| core.root_ino = u64::MAX.into()), field("root_ino"));
    assert_eq!(after(|core| core.root_generation = 0.into()), field("root_generation"));
    assert_eq!(after(|core| core.created.nsec = u32::MAX.into()), field("created"));
    assert_eq!(after(|core| core.label[0] = 0), field("label"));
    assert_eq!(after(|core| core.label[63] = b'\n'), field("label"));
    let reserved = Damage { bno: SUPER_AT, want: SUPER_WANT, fault: Fault::Reserved };
    assert_eq!(after(|core| core.reserved_b[239] = 1), Err(reserved.into()));
}

#[test]
fn what_is_newer_is_refused_and_what_is_half_done_is_told() {
    assert_eq!(after(|core| core.format_level = 2.into()), Err(SuperError::Level(2)));
    assert_eq!(after(|core| core.incompat = 4.into()), Err(SuperError::Incompat(4)));
    let newer = after(|core| (core.ro_compat, core.reserved_b[0]) = (2.into(), 1)).unwrap();
    assert_eq!(newer.access(), Access::ReadOnly(2));
    let tuned = after(|core| core.tuning = 1.into()).unwrap();
    assert_eq!(tuned.access(), Access::HalfTuned);
    assert_eq!(Superblock::parse(&Block::zeroed(), SUPER_AT), Err(SuperError::Absent));
}

#[test]
fn nobody_reads_the_cluster_key_in_a_log() {
    let shown = format!("{:?}", Superblock { cluster_key: [0xaa; 32], ..sample() });
    assert!(!shown.contains("170"), "{shown}");
}

proptest! {
    #[test]
    fn a_changed_byte_is_noticed(at in 0usize..4096, bit in 0..8u32) {
        let mut block = sample().to_block(SUPER_AT);
        block.bytes_mut()[at] ^= 1 << bit;
        prop_assert!(Superblock::parse(&block, SUPER_AT).is_err());
    }

    #[test]
    fn no_table_makes_the_judge_panic(bytes in prop::collection::vec(any::<u8>(), 448)) {
        let mut block = sample().to_block(SUPER_AT);
        block.bytes_mut()[64..512].copy_from_slice(&bytes);
        block.bytes_mut()[64] = 1;
        block.bytes_mut()[65..68].fill(0);
        block.bytes_mut()[88..96].fill(0);
        seal(block.bytes_mut());
        prop_assert!(Superblock::parse(&block, SUPER_AT).is_err());
    }

    #[test]
    fn any_legal_superblock_comes_back(
        label in "[^\\p{Cc}]{0,16}",
        version in any::<u64>(),
        created in -1i128 << 64..1i128 << 64,
        keys in any::<([u8; 16], [u8; 16], [u8; 32])>(),
        mib in 8u64..1 << 20,
    ) {
        let geometry = Geometry::plan(mib << 20, &PlanOptions::default()).unwrap();
        let (uuid, dir_hash_key, cluster_key) = keys;
        let some = Superblock {
            uuid, label, version, created, geometry, dir_hash_key, cluster_key, root_ino: 330,
            ..sample()
        };
        prop_assert_eq!(Superblock::parse(&some.to_block(SUPER_AT), SUPER_AT), Ok(some));
    }
}
