use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::space::tests::{Bed as Space, small, volume};
use crate::space::{Goal, alloc_data, alloc_meta, free_data};
use crate::store::Memory;

/// Where a block of a file lies, and whether it was written.
type Blocks = BTreeMap<u64, (u64, bool)>;

/// Files on a small volume, and what they must be.
struct Bed {
    space: Space,
    files: Vec<(u64, Blocks)>,
}

fn new_file(memory: &mut Memory) -> u64 {
    let file = memory.run(|op| {
        let ino = alloc_meta(op, Want::new(Kind::Inode, 0), 0)?;
        let block = op.fresh(ino, Want::new(Kind::Inode, ino), 0)?;
        InodeCore::of_mut(block).blocks.set(1);
        Ok(ino)
    });
    file.unwrap()
}

fn steps(
    memory: &mut Memory,
    mut step: impl FnMut(&mut Op<'_>, u64) -> Result<Step, Stop>,
    from: u64,
) {
    let mut at = from;
    while let Step::More { next } = memory.run(|op| step(op, at)).unwrap() {
        at = next;
    }
}

impl Bed {
    fn new() -> Bed {
        let mut space = Space::new();
        let files = (0..2).map(|_| (new_file(&mut space.memory), Blocks::new())).collect();
        Bed { space, files }
    }

    /// Fills holes with unwritten extents.
    fn fill(&mut self, file: usize, from: u64, len: u64) {
        let (ino, blocks) = &mut self.files[file];
        let (mut at, end) = (from, from + len);
        while at < end {
            let mapped = self.space.memory.run(|op| {
                let len = match lookup(op, *ino, at)? {
                    Mapping::Extent { run, .. } => return Ok((run.len, None)),
                    Mapping::Hole { len } => len.min(end - at),
                };
                let goal = Goal { near: 0, len_min: 1, len_max: len, align: 1 };
                let run = alloc_data(op, goal)?;
                insert(op, *ino, at, run, UNWRITTEN)?;
                Ok((run.len, Some(run)))
            });
            match mapped {
                Ok((len, run)) => {
                    let run = run.into_iter().flat_map(|run| 0..run.len.min(len));
                    let start = self.space.memory.run(|op| lookup(op, *ino, at)).unwrap();
                    let Mapping::Extent { run: found, .. } = start else {
                        panic!("a hole is left")
                    };
                    blocks.extend(run.map(|n| (at + n, (found.start + n, false))));
                    at += len;
                }
                Err(FsError::NoSpace) => return,
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn convert(&mut self, file: usize, from: u64, len: u64) {
        let (ino, blocks) = &mut self.files[file];
        let end = from + len;
        steps(&mut self.space.memory, |op, at| convert(op, *ino, at, end - at), from);
        blocks.range_mut(from..end).for_each(|(_, block)| block.1 = true);
    }

    fn punch(&mut self, file: usize, from: u64, len: u64) {
        let (ino, blocks) = &mut self.files[file];
        let end = from + len;
        steps(&mut self.space.memory, |op, at| remove(op, *ino, at, end - at), from);
        blocks.retain(|at, _| !(from..end).contains(at));
    }

    fn cow(&mut self, file: usize, from: u64, len: u64) {
        let (ino, blocks) = &mut self.files[file];
        let goal = Goal { near: 0, len_min: 1, len_max: len, align: 1 };
        let replaced = self.space.memory.run(|op| {
            let run = alloc_data(op, goal)?;
            let done = replace(op, *ino, from, run)?;
            if done < run.len {
                free_data(op, Run { start: run.start + done, len: run.len - done })?;
            }
            Ok((run.start, done))
        });
        match replaced {
            Ok((start, done)) => blocks.extend((0..done).map(|n| (from + n, (start + n, true)))),
            Err(FsError::NoSpace) => (),
            Err(error) => panic!("{error}"),
        }
    }

    fn clone_file(&mut self, file: usize) {
        if self.files.len() > 4 {
            return;
        }
        let (from, mut blocks) = self.files[file].clone();
        let to = new_file(&mut self.space.memory);
        steps(&mut self.space.memory, |op, at| share_step(op, from, to, at), 0);
        blocks.retain(|_, (_, written)| *written);
        self.files.push((to, blocks));
    }

    fn audit(&mut self) {
        self.space.data.clear();
        self.space.meta.clear();
        for (ino, blocks) in &self.files {
            for (bno, _) in blocks.values() {
                *self.space.data.entry(*bno).or_default() += 1;
            }
            let (records, nodes) = self.space.memory.run(|op| seen(op, *ino)).unwrap();
            self.space.meta.insert(*ino, Kind::Inode);
            self.space.meta.extend(nodes.iter().map(|bno| (*bno, Kind::ExtentNode)));
            check_records(&records, blocks);
            let count = self.space.memory.run(|op| {
                Ok(InodeCore::of(&*op.read(*ino, Want::new(Kind::Inode, *ino))?).blocks.get())
            });
            assert_eq!(count.unwrap() as usize, 1 + nodes.len() + blocks.len());
        }
        self.audit_flags();
        self.space.audit();
    }

    /// What is shared says so.
    fn audit_flags(&mut self) {
        for (ino, _) in &self.files {
            let (records, _) = self.space.memory.run(|op| seen(op, *ino)).unwrap();
            for record in records.iter().filter(|record| record.flags & SHARED == 0) {
                let blocks = record.value..record.value + u64::from(record.len);
                blocks.for_each(|bno| assert_eq!(self.space.data[&bno], 1));
            }
        }
    }

    fn look(&mut self, file: usize, at: u64) {
        let (ino, blocks) = &self.files[file];
        let (found, data, hole) = self
            .space
            .memory
            .run(|op| {
                Ok((lookup(op, *ino, at)?, next_data(op, *ino, at)?, next_hole(op, *ino, at)?))
            })
            .unwrap();
        match found {
            Mapping::Hole { len } => {
                let next = blocks.range(at..).next().map_or(FILE_BLOCKS_MAX, |(at, _)| *at);
                assert_eq!(len, next - at);
            }
            Mapping::Extent { run, flags } => {
                for n in 0..run.len {
                    assert_eq!(blocks[&(at + n)], (run.start + n, flags & UNWRITTEN == 0));
                }
            }
        }
        assert_eq!(data, blocks.range(at..).find(|(_, block)| block.1).map(|(at, _)| *at));
        let is_data = |at: &u64| blocks.get(at).is_some_and(|block| block.1);
        assert_eq!(Some(hole), (at..).find(|at| !is_data(at)));
    }
}

fn seen(op: &mut Op<'_>, ino: u64) -> Result<(Vec<Record>, Vec<u64>), Stop> {
    let tree = extent_tree(op, ino)?;
    let (mut records, mut nodes) = (Vec::new(), Vec::new());
    tree.visit(op, 0, |record| {
        records.push(record);
        true
    })?;
    tree.visit_nodes(op, &mut |bno, _| nodes.push(bno))?;
    Ok((records, nodes))
}

/// The extents are what the blocks are, and no two neighbours should be one.
fn check_records(records: &[Record], blocks: &Blocks) {
    let found = records.iter().flat_map(|record| {
        (0..u64::from(record.len))
            .map(|n| (record.key + n, (record.value + n, record.flags & UNWRITTEN == 0)))
    });
    assert!(found.eq(blocks.iter().map(|(at, block)| (*at, *block))));
    let geometry = small();
    let apart = |two: &[Record]| two[0].end() < two[1].key || !joins(&geometry, &two[0], &two[1]);
    assert!(records.windows(2).all(apart));
}

#[derive(Clone, Debug)]
enum Deed {
    Fill(usize, u64, u64),
    Convert(usize, u64, u64),
    Punch(usize, u64, u64),
    Cow(usize, u64, u64),
    Clone(usize),
    Look(usize, u64),
    /// Every second block of a range, so that the tree grows.
    Comb(usize, u64, u64),
    Commit,
}

fn deed() -> impl Strategy<Value = Deed> {
    let file = || 0..5_usize;
    let at = || 0..1500_u64;
    let len = || prop_oneof![1..8_u64, 1..400_u64];
    prop_oneof![
        4 => (file(), at(), len()).prop_map(|(file, at, len)| Deed::Fill(file, at, len)),
        3 => (file(), at(), len()).prop_map(|(file, at, len)| Deed::Convert(file, at, len)),
        3 => (file(), at(), len()).prop_map(|(file, at, len)| Deed::Punch(file, at, len)),
        3 => (file(), at(), len()).prop_map(|(file, at, len)| Deed::Cow(file, at, len)),
        1 => file().prop_map(Deed::Clone),
        2 => (file(), at()).prop_map(|(file, at)| Deed::Look(file, at)),
        1 => (file(), at(), 1..300_u64).prop_map(|(file, at, n)| Deed::Comb(file, at, n)),
        2 => Just(Deed::Commit),
    ]
}

fn perform(bed: &mut Bed, deed: Deed) {
    let files = bed.files.len();
    match deed {
        Deed::Fill(file, at, len) => bed.fill(file % files, at, len),
        Deed::Convert(file, at, len) => bed.convert(file % files, at, len),
        Deed::Punch(file, at, len) => bed.punch(file % files, at, len),
        Deed::Cow(file, at, len) => bed.cow(file % files, at, len),
        Deed::Clone(file) => bed.clone_file(file % files),
        Deed::Look(file, at) => bed.look(file % files, at),
        Deed::Comb(file, at, n) => (0..n).for_each(|n| bed.punch(file % files, at + 2 * n, 1)),
        Deed::Commit => bed.space.memory.commit(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_file_is_a_map_of_blocks(deeds in prop::collection::vec(deed(), 1..60)) {
        let mut bed = Bed::new();
        for deed in deeds {
            perform(&mut bed, deed);
            bed.audit();
        }
        for file in 0..bed.files.len() {
            bed.punch(file, 0, FILE_BLOCKS_MAX);
        }
        bed.audit();
    }
}

#[test]
fn what_is_written_from_front_to_back_is_one_extent() {
    let mut bed = Bed::new();
    bed.fill(0, 100, 256);
    for at in (100..356).step_by(16) {
        bed.convert(0, at, 16);
        bed.audit();
    }
    let ino = bed.files[0].0;
    let (records, _) = bed.space.memory.run(|op| seen(op, ino)).unwrap();
    assert_eq!(records.len(), 1);
}

#[test]
fn a_hole_is_filled_once() {
    let mut bed = Bed::new();
    bed.fill(0, 10, 10);
    let ino = bed.files[0].0;
    let run = Run { start: 4000, len: 5 };
    let twice = bed.space.memory.run(|op| insert(op, ino, 6, run, 0));
    assert!(matches!(twice, Err(FsError::Damaged(_))));
    let beyond = bed.space.memory.run(|op| insert(op, ino, FILE_BLOCKS_MAX - 4, run, 0));
    assert_eq!(beyond, Err(FsError::Range));
    bed.audit();
}

#[test]
fn an_extent_that_leads_nowhere_is_damage() {
    let mut bed = Bed::new();
    bed.fill(0, 0, 4);
    let ino = bed.files[0].0;
    let seen = bed.space.memory.run(|op| {
        let tree = extent_tree(op, ino)?;
        let record = tree.get(op, 0)?.unwrap();
        tree.replace(op, Record { value: u64::MAX - 1, ..record })?;
        lookup(op, ino, 2)
    });
    assert!(matches!(seen, Err(FsError::Damaged(damage)) if damage.bno == ino), "{seen:?}");
}

/// A file of so many extents of one block, none of which joins another.
fn scattered(memory: &mut Memory, extents: u64, at_once: u64) -> u64 {
    let ino = new_file(memory);
    for first in (0..extents).step_by(at_once as usize) {
        let filled = memory.run(|op| {
            for at in first..(first + at_once).min(extents) {
                let goal = Goal { near: 0, len_min: 1, len_max: 1, align: 1 };
                let run = alloc_data(op, goal)?;
                insert(op, ino, at * 2, run, 0)?;
            }
            Ok(())
        });
        filled.unwrap();
    }
    ino
}

#[test]
fn steps_are_bounded_and_end() {
    let geometry =
        Geometry { blocks: 1 << 19, group_blocks: 1 << 15, journal_blocks: 256, journals: 1 };
    let mut memory = volume(geometry);
    let extents = 60_000;
    let from = scattered(&mut memory, extents, 100);
    let to = new_file(&mut memory);
    memory.commit();
    steps(&mut memory, |op, at| share_step(op, from, to, at), 0);
    memory.commit();
    let (records, nodes) = memory.run(|op| seen(op, to)).unwrap();
    assert_eq!(records.len() as u64, extents);
    assert!(nodes.len() < 60_000 / 166 + 10, "the clone's nodes are full");
    let mut most = 0;
    for ino in [from, to] {
        let mut at = 0;
        loop {
            let (step, edits) = memory
                .run(|op| {
                    let step = remove(op, ino, at, FILE_BLOCKS_MAX)?;
                    Ok((step, op.edits_len()))
                })
                .unwrap();
            most = edits.max(most);
            match step {
                Step::More { next } => at = next,
                Step::Done => break,
            }
        }
    }
    assert!(most <= crate::store::OP_BLOCKS_MAX * 3 / 4, "{most} blocks");
    let usage = memory.run(|op| crate::space::usage(op)).unwrap();
    assert_eq!(usage.blocks, 2, "two dinodes");
}
