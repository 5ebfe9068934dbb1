//! Every volume that can be planned has its things in places of their own.

use proptest::prelude::*;

use super::*;
use crate::format::{PlanError, PlanOptions};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

fn plan(len: u64) -> Geometry {
    Geometry::plan(len, &PlanOptions::default()).unwrap()
}

fn small(len: u64, journals: u16) -> Result<Geometry, PlanError> {
    let (group_len, journal_len) = (Some(8 * MIB), Some(MIB));
    Geometry::plan(len, &PlanOptions { group_len, journal_len, journals: Some(journals) })
}

/// No two things share a block, and none leaves the volume or its group.
fn judge(geometry: &Geometry) {
    assert_eq!(geometry.check(), Ok(()));
    let mut allocatable = 0;
    for group in (0..geometry.groups().min(40)).chain(geometry.groups() - 1..geometry.groups()) {
        let runs = geometry.reserved(group);
        assert!(runs.iter().all(|run| geometry.is_inside_group(*run)), "{geometry:?} {runs:?}");
        let apart = |pair: &[Run]| pair[0].start + pair[0].len < pair[1].start;
        assert!(runs.windows(2).all(apart), "{geometry:?} {runs:?}");
        allocatable += geometry.group_len(group) - geometry.reserved_len(group);
    }
    let journals: Vec<Run> = (0..SLOTS).map_while(|slot| geometry.journal_at(slot)).collect();
    assert_eq!(journals.len(), usize::from(geometry.journals), "{geometry:?}");
    assert!(journals.iter().all(|run| run.len == u64::from(geometry.journal_blocks)));
    assert!(journals.windows(2).all(|pair| pair[0].start + pair[0].len <= pair[1].start));
    if geometry.groups() <= 40 {
        let last = u64::from(geometry.groups() > 0);
        let twice = geometry.groups() - 1;
        let counted = geometry.group_len(twice) - geometry.reserved_len(twice);
        assert_eq!(geometry.allocatable(), allocatable - last * counted, "{geometry:?}");
    }
}

#[test]
fn volumes_of_every_size_are_legal() {
    for len in [8 * MIB, 16 * MIB, 64 * MIB, 100 * MIB, GIB, 8 * GIB, TIB, 64 * TIB, 4096 * TIB] {
        judge(&plan(len));
    }
    assert_eq!(plan(TIB).group_blocks, 1 << 18);
    assert_eq!((plan(TIB).journal_blocks, plan(TIB).journals), (1 << 16, 8));
    assert_eq!(plan(64 * MIB).group_blocks, 2048);
}

#[test]
fn sixteen_mebibytes_hold_one_journal_and_files() {
    let geometry = small(16 * MIB, 1).unwrap();
    judge(&geometry);
    assert_eq!(geometry.groups(), 2);
    assert_eq!(geometry.journal_at(0), Some(Run { start: 322, len: 256 }));
    assert_eq!(geometry.journal_at(1), None);
    assert_eq!(geometry.reserved(0), [Run { start: 0, len: 578 }]);
    assert_eq!(geometry.reserved(1), [Run { start: 2048, len: 2 }]);
    assert_eq!(geometry.allocatable(), 4096 - 578 - 2);
}

#[test]
fn a_journal_goes_around_a_copy_of_the_superblock() {
    let geometry = plan(TIB);
    assert_eq!(geometry.journal_at(0), Some(Run { start: 16384, len: 1 << 16 }));
    let reserved = geometry.reserved(0);
    assert_eq!(reserved[0], Run { start: 0, len: 330 });
    assert_eq!(reserved[1], Run { start: 16383, len: 1 + 3 * (1 << 16) });
    assert_eq!(reserved[2], Run { start: (1 << 18) - 1, len: 1 });
}

#[test]
fn what_cannot_be_is_refused_with_its_reason() {
    let refuse = |len, group_len, journal_len, journals| {
        Geometry::plan(len, &PlanOptions { group_len, journal_len, journals }).unwrap_err()
    };
    assert_eq!(refuse(MIB, None, None, None), PlanError::TooSmall(MIB));
    assert_eq!(refuse(GIB, Some(24 * MIB), None, None), PlanError::GroupLen(24 * MIB));
    assert_eq!(refuse(GIB, Some(4 * MIB), None, None), PlanError::GroupLen(4 * MIB));
    assert_eq!(refuse(GIB, None, Some(MIB + 1), None), PlanError::JournalLen(MIB + 1));
    assert_eq!(refuse(GIB, None, None, Some(65)), PlanError::Journals(65));
    assert_eq!(refuse(16 * MIB, None, None, Some(64)), PlanError::NoRoomForJournals);
    assert_eq!(refuse(1 << 45, Some(8 * MIB), None, None), PlanError::TooManyGroups);
    assert_eq!(refuse(u64::MAX, None, None, None), PlanError::TooManyGroups);
    let large = Some(64 * MIB);
    assert_eq!(refuse(GIB, Some(8 * MIB), large, None), PlanError::NoRoomForJournals);
}

#[test]
fn a_volume_that_grows_keeps_its_places() {
    let before = plan(GIB + 5 * MIB);
    let after = Geometry { blocks: before.blocks * 64, ..before };
    assert!((0..SLOTS).all(|slot| before.journal_at(slot) == after.journal_at(slot)));
    for group in 0..before.groups() {
        let kept = before.reserved(group);
        let grown = after.reserved(group);
        assert_eq!(kept, grown[..kept.len()], "group {group}");
    }
}

proptest! {
    #[test]
    fn whatever_can_be_planned_is_legal(
        blocks in prop_oneof![2048u64..100_000, 100_000u64..1 << 30, 1u64 << 30..1 << 38],
        group in 11..23u32,
        journal in 1..1024u64,
        journals in 1..65u16,
    ) {
        let options = PlanOptions {
            group_len: Some(4096u64 << group),
            journal_len: Some(journal * MIB),
            journals: Some(journals),
        };
        if let Ok(geometry) = Geometry::plan(blocks * 4096 + 511, &options) {
            judge(&geometry);
        }
        if let Ok(geometry) = Geometry::plan(blocks * 4096, &PlanOptions::default()) {
            judge(&geometry);
        }
    }

    #[test]
    fn no_numbers_make_the_judge_panic(
        blocks in any::<u64>(),
        group_blocks in any::<u32>(),
        power in 0..32u32,
        journal_blocks in any::<u32>(),
        journals in any::<u16>(),
    ) {
        let geometry = Geometry { blocks, group_blocks, journal_blocks, journals };
        let _ = geometry.check();
        let _ = Geometry { group_blocks: 1 << power, ..geometry }.check();
    }
}
