use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::Excluded;

use proptest::prelude::*;

use super::*;
use crate::format::Geometry;
use crate::store::{Damage, Fault, FsError, Memory, OP_BLOCKS_MAX};

const OWNER: u64 = 400;
const ROOT: Want = Want { kind: Kind::Inode, owner: OWNER };

/// Hands out numbers in order, and knows which are in use.
#[derive(Clone, Default)]
struct Blocks {
    next: u64,
    used: BTreeSet<u64>,
}

impl Nodes for Blocks {
    fn alloc(&mut self, _op: &mut Op<'_>, _near: u64) -> Result<u64, Stop> {
        self.next += 1;
        self.used.insert(1000 + self.next);
        Ok(1000 + self.next)
    }

    fn free(&mut self, op: &mut Op<'_>, bno: u64) -> Result<(), Stop> {
        assert!(self.used.remove(&bno), "only what was allocated is freed");
        op.forget(bno, Want::new(Kind::DirNode, OWNER))
    }
}

/// A tree on a volume in memory, and what it must hold.
struct Bed {
    memory: Memory,
    tree: Tree,
    blocks: Blocks,
    model: BTreeMap<u64, Record>,
}

fn record(key: u64, value: u64) -> Record {
    Record { key, value, len: 1, flags: (key % 7) as u16 }
}

impl Bed {
    fn new(root_len: usize) -> Bed {
        let geometry =
            Geometry { blocks: 1 << 20, group_blocks: 2048, journal_blocks: 256, journals: 1 };
        let mut memory = Memory::new(geometry, [7; 16]);
        memory.run(|op| op.fresh(OWNER, ROOT, 0).map(drop)).unwrap();
        let root = RootArea { bno: OWNER, want: ROOT, at: 512, len: root_len };
        let tree = Tree::new(root, Kind::DirNode, OWNER);
        Bed { memory, tree, blocks: Blocks::default(), model: BTreeMap::new() }
    }

    fn change<T>(
        &mut self,
        mut change: impl FnMut(&Tree, &mut Op<'_>, &mut Blocks) -> Result<T, Stop>,
    ) -> T {
        let tree = self.tree;
        let before = self.blocks.clone();
        let (outcome, after) = self
            .memory
            .run(|op| {
                let mut blocks = before.clone();
                Ok((change(&tree, op, &mut blocks)?, blocks))
            })
            .unwrap();
        self.blocks = after;
        outcome
    }

    fn insert(&mut self, key: u64, value: u64) {
        let record = record(key, value);
        if self.model.insert(key, record).is_some() {
            let old = self.change(|tree, op, _| tree.replace(op, record));
            assert_eq!(old.map(|old| old.key), Some(key));
        } else {
            self.change(|tree, op, blocks| tree.insert(op, blocks, record));
        }
    }

    fn remove(&mut self, key: u64) {
        let found = self.change(|tree, op, blocks| tree.remove(op, blocks, key));
        assert_eq!(found, self.model.remove(&key));
    }

    fn rekey(&mut self, key: u64, to: u64) {
        let Some((&key, _)) = self.model.range(key..).next() else { return };
        let next = self.model.range((Excluded(key), Excluded(u64::MAX))).next();
        if to <= key || next.is_some_and(|(next, _)| *next <= to) {
            return;
        }
        let moved = record(to, to);
        self.change(|tree, op, blocks| tree.rekey(op, blocks, key, moved));
        self.model.remove(&key);
        self.model.insert(to, moved);
    }

    fn look(&mut self, key: u64) {
        let (before, after) = self.change(|tree, op, _| {
            Ok((tree.last_at_or_before(op, key)?, tree.first_at_or_after(op, key)?))
        });
        assert_eq!(before, self.model.range(..=key).next_back().map(|(_, record)| *record));
        assert_eq!(after, self.model.range(key..).next().map(|(_, record)| *record));
    }

    /// The tree holds what the model holds, in blocks that are all accounted for.
    fn agrees(&mut self) {
        let (records, nodes) = self.change(|tree, op, _| {
            let (mut records, mut nodes) = (Vec::new(), BTreeSet::new());
            tree.visit(op, 0, |record| {
                records.push(record);
                true
            })?;
            tree.visit_nodes(op, &mut |bno, _| assert!(nodes.insert(bno)))?;
            Ok((records, nodes))
        });
        assert!(records.iter().eq(self.model.values()));
        assert_eq!(nodes, self.blocks.used);
    }

    fn depth(&mut self) -> u16 {
        self.change(|tree, op, _| tree.depth(op))
    }
}

#[derive(Clone, Debug)]
enum Deed {
    Insert(u64),
    Remove(u64),
    Look(u64),
    Rekey(u64, u64),
    Fill(u64, u64, u64),
    Clear(u64, u64),
    Commit,
}

fn deed() -> impl Strategy<Value = Deed> {
    let key = || prop_oneof![0..50u64, 0..5000u64];
    prop_oneof![
        4 => key().prop_map(Deed::Insert),
        3 => key().prop_map(Deed::Remove),
        2 => key().prop_map(Deed::Look),
        1 => (key(), 1..20u64).prop_map(|(key, by)| Deed::Rekey(key, key + by)),
        1 => (key(), 1..600u64, 1..4u64).prop_map(|(key, n, step)| Deed::Fill(key, n, step)),
        1 => (key(), 1..900u64).prop_map(|(key, n)| Deed::Clear(key, n)),
        1 => Just(Deed::Commit),
    ]
}

fn perform(bed: &mut Bed, deed: Deed) {
    match deed {
        Deed::Insert(key) => bed.insert(key, key + 1),
        Deed::Remove(key) => bed.remove(key),
        Deed::Look(key) => bed.look(key),
        Deed::Rekey(key, to) => bed.rekey(key, to),
        Deed::Fill(key, n, step) => (0..n).for_each(|at| bed.insert(key + at * step, at)),
        Deed::Clear(key, n) => (key..key + n).for_each(|key| bed.remove(key)),
        Deed::Commit => bed.memory.commit(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_tree_is_a_sorted_map(
        root_len in prop_oneof![Just(ROOT_LEN_MIN), Just(200), Just(3584)],
        deeds in prop::collection::vec(deed(), 1..60),
    ) {
        let mut bed = Bed::new(root_len);
        for deed in deeds {
            perform(&mut bed, deed);
            bed.agrees();
        }
        let keys: Vec<u64> = bed.model.keys().copied().collect();
        keys.into_iter().for_each(|key| bed.remove(key));
        bed.agrees();
        prop_assert!(bed.blocks.used.is_empty(), "an empty tree is its root's area");
        prop_assert_eq!(bed.depth(), 1);
    }
}

#[test]
fn records_in_order_fill_their_nodes() {
    let mut bed = Bed::new(3584);
    (0..100_000).for_each(|key| bed.insert(key, key));
    bed.agrees();
    let full = 100_000_u64.div_ceil(166);
    assert!((bed.blocks.used.len() as u64) < full + 10, "{} nodes", bed.blocks.used.len());
    // 603 leaves are three nodes below a root.
    assert_eq!(bed.depth(), 3);
}

#[test]
fn an_operation_edits_few_blocks() {
    let mut bed = Bed::new(ROOT_LEN_MIN);
    // An order in which nothing is near what came before.
    let scattered = |at: u64| at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
    (0..60_000).for_each(|at| bed.insert(scattered(at), at));
    let most = OP_BLOCKS_MAX / 4;
    for at in 0..60_000 {
        let key = scattered(at);
        let edits = bed.change(|tree, op, blocks| {
            tree.remove(op, blocks, key)?;
            Ok(op.edits_len())
        });
        bed.model.remove(&key);
        assert!(edits <= most, "{edits} blocks");
    }
    bed.agrees();
}

#[test]
fn a_root_is_shortened_when_its_entries_no_longer_fit() {
    let mut bed = Bed::new(3584);
    (0..149).for_each(|key| bed.insert(key, key));
    assert_eq!(bed.depth(), 1);
    bed.change(|tree, op, blocks| tree.shorten_root(op, blocks, 2560));
    bed.tree.root.len = 2560;
    assert_eq!(bed.depth(), 2);
    bed.agrees();
}

/// Writes nonsense into a tree of two levels, and finds what it is taken for.
fn spoiled(spoil: impl Fn(&mut crate::store::Block), bno: u64) -> Option<Fault> {
    let mut bed = Bed::new(200);
    (0..1000).for_each(|key| bed.insert(key * 10, key));
    let want = if bno == OWNER { ROOT } else { Want::new(Kind::DirNode, OWNER) };
    bed.memory.run(|op| op.edit(bno, want).map(&spoil)).unwrap();
    bed.memory.commit();
    let tree = bed.tree;
    let seen = bed.memory.run(|op| tree.visit(op, 0, |_| true));
    match seen {
        Err(FsError::Damaged(Damage { fault, .. })) => Some(fault),
        _ => None,
    }
}

#[test]
fn what_cannot_be_is_damage() {
    let put = |at: usize, bytes: Vec<u8>| {
        move |block: &mut crate::store::Block| {
            block.bytes_mut()[at..at + bytes.len()].copy_from_slice(&bytes)
        }
    };
    let node = 1001;
    let field = |name| Some(Fault::Field(name));
    assert_eq!(spoiled(put(4000, vec![0]), node), None);
    assert_eq!(spoiled(put(64, vec![0xff, 0xff]), node), field("count"));
    assert_eq!(spoiled(put(66, vec![7, 0]), node), field("level"));
    assert_eq!(spoiled(put(68, vec![1]), node), field("reserved field"));
    assert_eq!(spoiled(put(72, vec![0xff; 8]), node), field("order of keys"));
    assert_eq!(spoiled(put(512, vec![0; 2]), OWNER), field("count"));
    assert_eq!(spoiled(put(514, vec![9, 0]), OWNER), field("level"));
    // The first child's pointer leads to the node of other keys.
    let other = 1002_u64.to_le_bytes().to_vec();
    assert_eq!(spoiled(put(512 + 8 + 8, other), OWNER), field("last key"));
}

#[test]
fn a_node_that_is_its_own_child_is_damage() {
    let mut bed = Bed::new(200);
    (0..1000).for_each(|key| bed.insert(key, key));
    let mut area = [0; 4032];
    area[..4].copy_from_slice(&[1, 0, 1, 0]);
    area[16..24].copy_from_slice(&1001_u64.to_le_bytes());
    let want = Want::new(Kind::DirNode, OWNER);
    let tree = bed.tree;
    let seen = bed.memory.run(|op| {
        op.edit(1001, want)?.bytes_mut()[64..].copy_from_slice(&area);
        let mut root = [0; 24];
        root[..4].copy_from_slice(&[1, 0, 2, 0]);
        root[16..24].copy_from_slice(&1001_u64.to_le_bytes());
        op.edit(OWNER, ROOT)?.bytes_mut()[512..536].copy_from_slice(&root);
        tree.get(op, 5).map(drop)
    });
    let Err(FsError::Damaged(damage)) = seen else { panic!("{seen:?}") };
    assert_eq!((damage.bno, damage.fault), (1001, Fault::Field("level")));
}
