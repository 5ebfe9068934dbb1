//! The whole judgement of areas, once, when their block comes from the disk. What the way down
//! relies on later is that keys ascend; the rest it looks at itself.

use crate::format::{
    NODE_AT, NODE_LEN, TREE_DEPTH_MAX, tree_children, tree_entries_max, tree_head, tree_records,
};
use crate::store::Block;

/// Judges a node block; see [`check_area`]. What is wrong is the field's name.
pub(crate) fn check_node(block: &Block, covers: bool) -> Result<(), &'static str> {
    let area = &block.bytes()[NODE_AT..NODE_AT + NODE_LEN];
    if tree_head(area).level != block.header().level {
        return Err("level");
    }
    check_area(area, covers)
}

/// Judges one area. `covers`: records cover as many keys as they are long, and do not overlap.
pub(crate) fn check_area(area: &[u8], covers: bool) -> Result<(), &'static str> {
    let head = tree_head(area);
    let (count, level) = (usize::from(head.count.get()), head.level.get());
    if usize::from(level) >= TREE_DEPTH_MAX {
        return Err("level");
    }
    if head.reserved.get() != 0 {
        return Err("reserved field");
    }
    if count > tree_entries_max(area.len(), level) || (count == 0 && level > 0) {
        return Err("count");
    }
    if level > 0 {
        let children = tree_children(area, count);
        let ascend = children.windows(2).all(|two| two[0].key.get() < two[1].key.get());
        return if ascend { Ok(()) } else { Err("order of keys") };
    }
    let records = tree_records(area, count);
    if records.iter().any(|record| record.reserved.get() != 0) {
        return Err("reserved field");
    }
    if !records.windows(2).all(|two| two[0].key.get() < two[1].key.get()) {
        return Err("order of keys");
    }
    let end = |at: usize| records[at].key.get().checked_add(records[at].len.get().into());
    let next = |at: usize| records.get(at + 1).map_or(u64::MAX, |record| record.key.get());
    let fine = |at: usize| records[at].len.get() > 0 && end(at).is_some_and(|end| end <= next(at));
    if covers && !(0..count).all(fine) { Err("length") } else { Ok(()) }
}
