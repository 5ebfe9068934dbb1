//! Walking a tree node by node: its records as far as they can be read, and the nodes themselves.

use std::rc::Rc;

use super::reader::{Gone, Look, Reader};
use crate::format::{
    NODE_AT, NODE_LEN, TREE_DEPTH_MAX, TreeRecord, tree_children, tree_entries_max, tree_head,
    tree_records,
};
use crate::store::{Block, Damage, Want};
use crate::tree::Record;

/// What a walk found.
#[derive(Default)]
pub(crate) struct Walked {
    /// Records in the order of their keys.
    pub(crate) records: Vec<Record>,
    /// Node blocks that belong to the tree.
    pub(crate) nodes: Vec<u64>,
    /// Nodes that cannot be used; what they held is lost.
    pub(crate) damages: Vec<Damage>,
}

/// A node to be looked at: what its parent says of it.
#[derive(Clone, Copy)]
struct Child {
    bno: u64,
    level: u16,
    lower: u64,
    upper: u64,
}

/// Walks the tree whose root area is `at..at + len` of `root`, which is block `bno`.
pub(crate) async fn walk(
    reader: &Reader,
    (bno, root, root_want): (u64, &Block, Want),
    (at, len): (usize, usize),
    node: Want,
) -> Result<Walked, Gone> {
    let mut walked = Walked::default();
    let area = &root.bytes()[at..at + len];
    let here = Child { bno, level: tree_head(area).level.get(), lower: 0, upper: u64::MAX };
    let mut todo = Vec::new();
    match read_area(area, here) {
        Ok(entries) => take(&mut walked, &mut todo, entries),
        Err(field) => walked.damages.push(Damage::field(bno, root_want, field)),
    }
    while !todo.is_empty() {
        // The last ones first, so that records come in order; siblings together.
        let level = todo.last().map_or(0, |child: &Child| child.level);
        let alike = todo.iter().rev().take_while(|child| child.level == level).take(64).count();
        let some: Vec<Child> = todo.drain(todo.len() - alike..).rev().collect();
        let wanted: Vec<_> = some.iter().map(|child| (child.bno, node)).collect();
        let looks = reader.get_many(&wanted).await?;
        let mut below = Vec::new();
        for (child, look) in some.into_iter().zip(looks) {
            look_at(&mut walked, &mut below, child, node, look);
        }
        todo.extend(below.into_iter().rev());
    }
    Ok(walked)
}

fn look_at(walked: &mut Walked, below: &mut Vec<Child>, child: Child, node: Want, look: Look) {
    let block: Rc<Block> = match look {
        Ok(block) => block,
        Err(damage) => return walked.damages.push(damage),
    };
    let area = &block.bytes()[NODE_AT..NODE_AT + NODE_LEN];
    match read_area(area, child) {
        Ok(Entries::Records(records)) => {
            walked.nodes.push(child.bno);
            walked.records.extend(records);
        }
        Ok(Entries::Children(children)) => {
            walked.nodes.push(child.bno);
            below.extend(children);
        }
        Err(field) => walked.damages.push(Damage::field(child.bno, node, field)),
    }
}

enum Entries {
    Records(Vec<Record>),
    Children(Vec<Child>),
}

fn take(walked: &mut Walked, todo: &mut Vec<Child>, entries: Entries) {
    match entries {
        Entries::Records(records) => walked.records.extend(records),
        Entries::Children(children) => todo.extend(children.into_iter().rev()),
    }
}

/// The entries of an area that its parent describes so; or the name of what is wrong.
fn read_area(area: &[u8], says: Child) -> Result<Entries, &'static str> {
    let head = tree_head(area);
    let (count, level) = (usize::from(head.count.get()), head.level.get());
    if level != says.level || usize::from(level) >= TREE_DEPTH_MAX {
        return Err("level");
    }
    if count > tree_entries_max(area.len(), level) || (count == 0 && level > 0) {
        return Err("count");
    }
    if level > 0 {
        let children = tree_children(area, count);
        let keys: Vec<u64> = children.iter().map(|child| child.key.get()).collect();
        in_bounds(&keys, says)?;
        let upper = |at: usize| keys.get(at + 1).copied().unwrap_or(says.upper);
        let child = |at: usize| Child {
            bno: children[at].child.get(),
            level: level - 1,
            // The first child holds what is less than its key, too.
            lower: if at == 0 { says.lower } else { keys[at] },
            upper: upper(at),
        };
        return Ok(Entries::Children((0..count).map(child).collect()));
    }
    let records = tree_records(area, count);
    let keys: Vec<u64> = records.iter().map(|record| record.key.get()).collect();
    in_bounds(&keys, says)?;
    Ok(Entries::Records(records.iter().map(|record: &TreeRecord| Record::from(record)).collect()))
}

fn in_bounds(keys: &[u64], says: Child) -> Result<(), &'static str> {
    let ascend = keys.windows(2).all(|two| two[0] < two[1]);
    let inside = keys.iter().all(|key| (says.lower..=says.upper).contains(key));
    if ascend && inside { Ok(()) } else { Err("order of keys") }
}
