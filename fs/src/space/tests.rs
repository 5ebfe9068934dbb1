use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::format::{
    BITS_PER_BLOCK, BitmapHead, Bits, GROUP_MAP_AT, Geometry, GroupCore, Kind, SLOTS, bitmap_want,
};
use crate::store::{FsError, Memory, OP_BLOCKS_MAX, Run, Stop, Want};

/// A volume in memory where nothing is initialised.
pub(crate) fn volume(geometry: Geometry) -> Memory {
    let mut memory = Memory::new(geometry, [7; 16]);
    memory.run(|op| op.fresh(GROUP_MAP_AT, Want::new(Kind::GroupMap, 0), 0).map(drop)).unwrap();
    for slot in 0..SLOTS {
        let want = Want::new(Kind::Slot, u64::from(slot));
        memory.run(|op| op.fresh(geometry.slot_block(slot), want, 0).map(drop)).unwrap();
    }
    memory.commit();
    memory
}

/// Three groups of 8 MiB, and one that is cut short.
pub(crate) fn small() -> Geometry {
    Geometry { blocks: 3 * 2048 + 300, group_blocks: 2048, journal_blocks: 256, journals: 1 }
}

const META: Want = Want { kind: Kind::DirLeaf, owner: 9 };

/// What a volume must be like.
pub(crate) struct Bed {
    pub(crate) memory: Memory,
    /// References of every block of data.
    pub(crate) data: BTreeMap<u64, u64>,
    pub(crate) meta: BTreeMap<u64, Kind>,
    /// Freed and not yet durable.
    busy: BTreeSet<u64>,
}

fn blocks(run: Run) -> std::ops::Range<u64> {
    run.start..run.start + run.len
}

impl Bed {
    pub(crate) fn new() -> Bed {
        let memory = volume(small());
        Bed { memory, data: BTreeMap::new(), meta: BTreeMap::new(), busy: BTreeSet::new() }
    }

    fn alloc_data(&mut self, goal: Goal) -> Result<Run, FsError> {
        let run = self.memory.run(|op| alloc_data(op, goal))?;
        assert!((goal.len_min..=goal.len_max).contains(&run.len));
        for bno in blocks(run) {
            assert!(
                !self.meta.contains_key(&bno) && !self.busy.contains(&bno),
                "{bno} is not free"
            );
            assert_eq!(self.data.insert(bno, 1), None);
        }
        Ok(run)
    }

    pub(crate) fn alloc_meta(&mut self, kind: Kind, near: u64) -> Result<u64, FsError> {
        let want = Want { kind, ..META };
        let bno = self.memory.run(|op| {
            let bno = alloc_meta(op, want, near)?;
            op.fresh(bno, want, 0)?;
            Ok(bno)
        })?;
        assert!(!self.data.contains_key(&bno) && !self.busy.contains(&bno));
        assert_eq!(self.meta.insert(bno, kind), None);
        Ok(bno)
    }

    fn free_meta(&mut self, bno: u64) {
        let kind = self.meta.remove(&bno).unwrap();
        self.memory.run(|op| free_meta(op, bno, Want { kind, ..META })).unwrap();
    }

    fn free_data(&mut self, run: Run) -> Result<(), FsError> {
        self.memory.run(|op| free_data(op, run))?;
        for bno in blocks(run) {
            let count = self.data.get_mut(&bno).unwrap();
            *count -= 1;
            if *count == 0 {
                self.data.remove(&bno);
                self.busy.insert(bno);
            }
        }
        Ok(())
    }

    fn share(&mut self, run: Run) -> Result<(), FsError> {
        self.memory.run(|op| share(op, run))?;
        blocks(run).for_each(|bno| *self.data.get_mut(&bno).unwrap() += 1);
        Ok(())
    }

    fn commit(&mut self) {
        self.memory.commit();
        self.busy.clear();
    }

    /// The longest run of data at or after `from`, within `len`, inside a group.
    fn run_near(&self, from: u64, len: u64) -> Option<Run> {
        let geometry = small();
        let start = self.data.range(from..).next().map(|(bno, _)| *bno)?;
        let is_ours = |bno: &u64| {
            self.data.contains_key(bno) && geometry.group_of(*bno) == geometry.group_of(start)
        };
        let len = (start..start + len).take_while(is_ours).count() as u64;
        Some(Run { start, len })
    }

    /// Every bit, count and record is what it must be.
    pub(crate) fn audit(&mut self) {
        let mut in_use = 0;
        for group in 0..small().groups() {
            in_use += self.audit_group(group);
        }
        assert_eq!(self.memory.run(|op| usage(op)).unwrap().blocks, in_use);
    }

    fn audit_group(&mut self, group: u32) -> u64 {
        let geometry = small();
        let start = geometry.group_start(group);
        let ours = start..start + geometry.group_len(group);
        if !self.memory.run(|op| is_initialised(op, group)).unwrap() {
            assert_eq!(self.data.range(ours.clone()).count() + self.meta.range(ours).count(), 0);
            return 0;
        }
        let mut used: BTreeSet<u64> =
            geometry.reserved(group).into_iter().flat_map(blocks).collect();
        let reserved = used.len();
        used.extend(self.data.range(ours.clone()).map(|(bno, _)| *bno));
        used.extend(self.meta.range(ours.clone()).map(|(bno, _)| *bno));
        let seen = self.seen(group);
        seen.nodes
            .iter()
            .for_each(|bno| assert!(used.insert(*bno), "a node is a block of its own"));
        let in_use = used.len() - reserved;
        seen.pending
            .iter()
            .for_each(|bno| assert!(used.insert(*bno), "{bno} is in use and pending"));
        assert_eq!(seen.used, used);
        assert_eq!(seen.core.free.get() as usize, ours.clone().count() - used.len());
        assert_eq!(seen.core.pending_blocks.get() as usize, seen.pending.len());
        let shared: BTreeMap<u64, u64> = (self.data.range(ours))
            .filter(|(_, count)| **count > 1)
            .map(|(bno, count)| (*bno, *count))
            .collect();
        assert_eq!(seen.shared, shared);
        in_use as u64
    }

    fn seen(&mut self, group: u32) -> Seen {
        let geometry = small();
        let start = geometry.group_start(group);
        let seen = self.memory.run(|op| {
            let mut seen = Seen::default();
            let header =
                op.read(geometry.group_header(group), Want::new(Kind::Group, group.into()))?;
            seen.core = Some(*GroupCore::of(&header)).into_iter().collect();
            for index in 0..geometry.bitmap_blocks() {
                let bno = geometry.group_header(group) + 1 + u64::from(index);
                let block = op.read(bno, bitmap_want(group))?;
                let (head, bits) = (BitmapHead::of(&block), Bits::of(&block));
                crate::format::check_bits(&block, bno, bitmap_want(group), head.bits.get())
                    .unwrap();
                assert!(head.largest_run.get() >= bits.longest_run(head.bits.get()));
                let first = bits.next_clear(0, head.bits.get()).unwrap_or(head.bits.get());
                assert!(head.first_free.get() <= first);
                let base = start + u64::from(index) * BITS_PER_BLOCK;
                let set = (0..head.bits.get()).filter(|bit| bits.get(*bit));
                seen.used.extend(set.map(|bit| base + u64::from(bit)));
            }
            let (refcounts, pending) = (refcount_tree(op, group), pending_tree(op, group));
            refcounts.visit_nodes(op, &mut |bno, _| seen.nodes.push(bno))?;
            pending.visit_nodes(op, &mut |bno, _| seen.nodes.push(bno))?;
            let mut before: Option<crate::tree::Record> = None;
            refcounts.visit(op, 0, |record| {
                let alike = |before: crate::tree::Record| {
                    before.end() == record.key && before.value == record.value
                };
                assert!(!before.is_some_and(alike), "alike neighbours are one record");
                before = Some(record);
                (record.key..record.end()).for_each(|at| {
                    seen.shared.insert(start + at, record.value);
                });
                true
            })?;
            pending.visit(op, 0, |record| {
                seen.pending.extend((record.key..record.end()).map(|at| start + at));
                true
            })?;
            Ok(seen)
        });
        seen.unwrap()
    }
}

/// What is on disk of a group.
#[derive(Default)]
struct Seen {
    core: CoreSlot,
    used: BTreeSet<u64>,
    nodes: Vec<u64>,
    pending: Vec<u64>,
    shared: BTreeMap<u64, u64>,
}

#[derive(Default)]
struct CoreSlot(Option<GroupCore>);

impl FromIterator<GroupCore> for CoreSlot {
    fn from_iter<T: IntoIterator<Item = GroupCore>>(iter: T) -> CoreSlot {
        CoreSlot(iter.into_iter().next())
    }
}

impl std::ops::Deref for CoreSlot {
    type Target = GroupCore;

    fn deref(&self) -> &GroupCore {
        self.0.as_ref().unwrap()
    }
}

#[derive(Clone, Debug)]
enum Deed {
    Data { near: u64, min: u64, more: u64, align: u64 },
    Meta { kind: Kind, near: u64 },
    FreeData { from: u64, len: u64 },
    Share { from: u64, len: u64 },
    FreeMeta { from: u64 },
    Commit,
}

fn deed() -> impl Strategy<Value = Deed> {
    let bno = || prop_oneof![1 => Just(0), 4 => 0..6500_u64];
    let align = prop_oneof![Just(1_u64), Just(16), Just(256)];
    let kind = prop_oneof![Just(Kind::Inode), Just(Kind::DirLeaf)];
    prop_oneof![
        4 => (bno(), 1..40_u64, 0..900_u64, align)
            .prop_map(|(near, min, more, align)| Deed::Data { near, min, more, align }),
        3 => (kind, bno()).prop_map(|(kind, near)| Deed::Meta { kind, near }),
        4 => (bno(), 1..600_u64).prop_map(|(from, len)| Deed::FreeData { from, len }),
        3 => (bno(), 1..300_u64).prop_map(|(from, len)| Deed::Share { from, len }),
        3 => bno().prop_map(|from| Deed::FreeMeta { from }),
        2 => Just(Deed::Commit),
    ]
}

fn perform(bed: &mut Bed, deed: Deed) {
    match deed {
        Deed::Data { near, min, more, align } => {
            let goal = Goal { near, len_min: min, len_max: min + more, align };
            match bed.alloc_data(goal) {
                Ok(_) | Err(FsError::NoSpace) => (),
                Err(error) => panic!("{error}"),
            }
        }
        Deed::Meta { kind, near } => match bed.alloc_meta(kind, near) {
            Ok(_) | Err(FsError::NoSpace) => (),
            Err(error) => panic!("{error}"),
        },
        Deed::FreeData { from, len } => {
            if let Some(run) = bed.run_near(from, len) {
                bed.free_data(run).unwrap();
            }
        }
        Deed::Share { from, len } => {
            if let Some(run) = bed.run_near(from, len) {
                bed.share(run).unwrap();
            }
        }
        Deed::FreeMeta { from } => {
            if let Some(bno) = bed.meta.keys().copied().find(|bno| *bno >= from) {
                bed.free_meta(bno);
            }
        }
        Deed::Commit => bed.commit(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn every_block_is_accounted_for(deeds in prop::collection::vec(deed(), 1..80)) {
        let mut bed = Bed::new();
        for deed in deeds {
            perform(&mut bed, deed);
            bed.audit();
        }
    }
}

fn one(near: u64) -> Goal {
    Goal { near, len_min: 1, len_max: 1, align: 1 }
}

#[test]
fn a_full_volume_still_deletes() {
    let mut bed = Bed::new();
    while bed.alloc_data(Goal { len_max: 700, ..one(0) }).is_ok() {}
    assert_eq!(bed.alloc_data(one(0)), Err(FsError::NoSpace));
    assert_eq!(bed.alloc_meta(META.kind, 0), Err(FsError::NoSpace));
    bed.audit();
    let orphans = bed.alloc_meta(Kind::OrphanNode, 0).unwrap();
    bed.free_meta(orphans);
    // Every second block of a group gets a second reference: the tree grows into the reserve.
    let group = small().group_start(2);
    let shared: Vec<u64> = bed.data.range(group..).map(|(bno, _)| *bno).step_by(2).collect();
    for bno in shared.into_iter().take(700) {
        bed.share(Run { start: bno, len: 1 }).unwrap();
    }
    bed.audit();
    while let Some(run) = bed.run_near(0, 100) {
        bed.free_data(run).unwrap();
    }
    bed.audit();
    let run = Goal { len_min: 64, len_max: 64, ..one(0) };
    assert_eq!(bed.alloc_data(run), Err(FsError::NoSpace), "the frees are not durable yet");
    bed.commit();
    assert!(bed.alloc_data(run).is_ok());
    bed.audit();
}

#[test]
fn a_volume_of_metadata_is_emptied_and_becomes_data() {
    let mut bed = Bed::new();
    while bed.alloc_meta(META.kind, 0).is_ok() {}
    bed.audit();
    // In an order that leaves no two neighbours: the pending trees grow while nothing is free.
    let all: Vec<u64> = bed.meta.keys().copied().collect();
    let (even, odd): (Vec<u64>, Vec<u64>) = all.into_iter().partition(|bno| bno % 2 == 0);
    even.into_iter().chain(odd).for_each(|bno| bed.free_meta(bno));
    bed.audit();
    let before = bed.alloc_data(Goal { len_min: 64, len_max: 64, ..one(0) });
    assert_eq!(before, Err(FsError::NoSpace), "old images of it could be replayed");
    bed.commit();
    assert!(bed.alloc_data(Goal { len_min: 64, len_max: 64, ..one(0) }).is_ok());
    bed.audit();
}

#[test]
fn freed_metadata_is_metadata_again_at_once() {
    let mut bed = Bed::new();
    let first = bed.alloc_meta(META.kind, 0).unwrap();
    bed.alloc_meta(META.kind, first).unwrap();
    bed.free_meta(first);
    assert_eq!(bed.alloc_meta(META.kind, first), Ok(first));
    bed.audit();
}

#[test]
fn dinodes_lie_together_and_data_lies_apart() {
    let mut bed = Bed::new();
    let inodes: Vec<u64> = (0..64).map(|_| bed.alloc_meta(Kind::Inode, 0).unwrap()).collect();
    assert!(inodes.windows(2).all(|two| two[1] == two[0] + 1) && inodes[0].is_multiple_of(64));
    let leaf = bed.alloc_meta(META.kind, inodes[3]).unwrap();
    assert!(leaf > inodes[63]);
    let image = Goal { near: 0, len_min: 1, len_max: 256, align: 256 };
    let first = bed.alloc_data(image).unwrap();
    assert_eq!((first.start % 256, first.len), (0, 256));
    let next = bed.alloc_data(Goal { near: first.start + 256, ..image }).unwrap();
    assert_eq!(next.start, first.start + 256);
    assert!(first.start >= leaf + 64);
}

#[test]
fn groups_are_initialised_when_they_are_needed() {
    let mut bed = Bed::new();
    bed.alloc_data(one(0)).unwrap();
    let ready = |bed: &mut Bed, group| bed.memory.run(|op| is_initialised(op, group)).unwrap();
    assert!(ready(&mut bed, 0) && !ready(&mut bed, 1));
    bed.alloc_data(one(small().group_start(2))).unwrap();
    assert!(!ready(&mut bed, 1) && ready(&mut bed, 2));
    bed.audit();
}

#[test]
fn a_run_that_no_group_has_initialises_none() {
    let mut bed = Bed::new();
    bed.alloc_data(one(0)).unwrap();
    let long = Goal { len_min: 2048, len_max: 2048, ..one(0) };
    assert_eq!(bed.alloc_data(long), Err(FsError::NoSpace));
    let longest = Goal { len_min: 2000, len_max: 2048, ..one(0) };
    assert_eq!(bed.alloc_data(longest).unwrap().start / 2048, 1);
    assert!(!bed.memory.run(|op| is_initialised(op, 2)).unwrap());
    bed.audit();
}

#[test]
fn a_failed_operation_gives_back_what_it_took() {
    let mut bed = Bed::new();
    bed.alloc_data(one(0)).unwrap();
    let failed = bed.memory.run(|op| -> Result<(), Stop> {
        alloc_data(op, Goal { len_max: 500, ..one(0) })?;
        alloc_meta(op, META, 0)?;
        Err(FsError::NoSpace.into())
    });
    assert_eq!(failed, Err(FsError::NoSpace));
    bed.audit();
}

#[test]
fn what_is_free_is_not_freed_again() {
    let mut bed = Bed::new();
    let run = bed.alloc_data(Goal { len_max: 10, ..one(0) }).unwrap();
    let beyond = Run { start: run.start, len: 11 };
    let seen = bed.memory.run(|op| free_data(op, beyond));
    assert!(matches!(seen, Err(FsError::Damaged(_))), "{seen:?}");
    let seen = bed.memory.run(|op| free_data(op, Run { start: u64::MAX - 1, len: 2 }));
    assert!(matches!(seen, Err(FsError::Damaged(_))), "{seen:?}");
    bed.audit();
}

#[test]
fn runs_of_references_split_and_join() {
    let mut bed = Bed::new();
    let Run { start, .. } = bed.alloc_data(Goal { len_min: 90, len_max: 90, ..one(0) }).unwrap();
    let run = |from, len| Run { start: start + from, len };
    for part in [run(0, 90), run(30, 30), run(60, 30), run(0, 30)] {
        bed.share(part).unwrap();
        bed.audit();
    }
    let shared = |bed: &mut Bed, run| bed.memory.run(|op| shared_prefix(op, run)).unwrap();
    assert_eq!(shared(&mut bed, run(0, 90)), (true, 90));
    for part in [run(10, 60), run(10, 60), run(20, 5)] {
        bed.free_data(part).unwrap();
        bed.audit();
    }
    assert_eq!(shared(&mut bed, run(5, 80)), (true, 5));
    assert_eq!(shared(&mut bed, run(10, 5)), (false, 5));
    assert!(!bed.memory.run(|op| is_shared(op, run(10, 10))).unwrap());
    assert!(bed.memory.run(|op| is_shared(op, run(10, 61))).unwrap());
}

#[test]
fn the_largest_group_is_initialised_in_one_operation() {
    let group_blocks = 1 << 22;
    let geometry = Geometry { blocks: 1 << 23, group_blocks, journal_blocks: 256, journals: 1 };
    let mut memory = volume(geometry);
    let run = memory.run(|op| alloc_data(op, one(1 << 22))).unwrap();
    assert_eq!(geometry.group_of(run.start), 1);
    let edits = memory.run(|op| {
        alloc_data(op, one(run.start))?;
        Ok(op.edits_len())
    });
    assert!(edits.unwrap() < OP_BLOCKS_MAX / 4);
}
