//! What several kinds of blocks hold: areas of trees, runs of names, inline attributes.
//!
//! Whatever the counts say, only what lies inside the bytes is shown.

use zerocopy::FromBytes;

use super::{Map, Node, tables};
use crate::format::{
    ENTRY_HEAD_LEN, EntryHead, LEAF_HEAD_LEN, LeafHead, TreeChild, TreeRecord, XATTR_HEAD_LEN,
    XattrHead, entry_len, tree_children, tree_head, tree_records, xattr_inline_len,
};

/// An area of a tree: its records, or its children.
pub(super) fn tree(area: &[u8]) -> Map {
    let head = tree_head(area);
    let map = Map::new().put("level", head.level).put("count", head.count);
    let count = usize::from(head.count.get());
    match head.level.get() {
        0 => map.put("records", tree_records(area, count).iter().map(record).collect::<Vec<_>>()),
        _ => map.put("children", tree_children(area, count).iter().map(child).collect::<Vec<_>>()),
    }
}

fn record(record: &TreeRecord) -> Node {
    Map::new()
        .put("key", record.key)
        .put("value", record.value)
        .put("len", record.len)
        .put("flags", record.flags)
        .into()
}

fn child(child: &TreeChild) -> Node {
    Map::new().put("key", child.key).put("child", child.child).into()
}

/// The names of a run: a leaf, or the body of a dinode.
pub(super) fn names(run: &[u8]) -> Map {
    let (head, rest) = LeafHead::ref_from_prefix(run).expect("a run holds a head");
    let used = usize::from(head.used.get()).min(run.len() - LEAF_HEAD_LEN);
    let mut rest = &rest[..used];
    let mut entries = Vec::new();
    while let Some((entry, len)) = name(rest) {
        entries.push(entry);
        rest = &rest[len..];
    }
    Map::new()
        .put("count", head.count)
        .put("used", head.used)
        .put("first_cookie", head.first_cookie)
        .put("entries", entries)
}

/// The first name of some bytes, and its length with padding.
fn name(bytes: &[u8]) -> Option<(Node, usize)> {
    let (head, _) = EntryHead::ref_from_prefix(bytes).ok()?;
    let len = entry_len(head.name_len.into());
    let name =
        bytes.get(..len)?.get(ENTRY_HEAD_LEN..ENTRY_HEAD_LEN + usize::from(head.name_len))?;
    let map = Map::new()
        .put("name", String::from_utf8_lossy(name).escape_debug().to_string())
        .put("ino", head.ino)
        .put("generation", head.generation)
        .put("type", head.file_type)
        .put("cookie", head.cookie);
    Some((map.into(), len))
}

/// The inline attributes of a dinode.
pub(super) fn attributes(tail: &[u8]) -> Vec<Node> {
    let mut rest = tail;
    let mut all = Vec::new();
    while let Some((attribute, len)) = attribute(rest) {
        all.push(attribute);
        rest = &rest[len..];
    }
    all
}

fn attribute(bytes: &[u8]) -> Option<(Node, usize)> {
    let (head, _) = XattrHead::ref_from_prefix(bytes).ok()?;
    let (name_len, value_len) = (usize::from(head.name_len), usize::from(head.value_len.get()));
    let len = xattr_inline_len(name_len, value_len);
    let (name, rest) = bytes.get(..len)?[XATTR_HEAD_LEN..].split_at(name_len);
    let map = Map::new()
        .put("name_index", head.name_index)
        .put("name", String::from_utf8_lossy(name).escape_debug().to_string())
        .put("value", tables::bytes(&rest[..value_len]));
    Some((map.into(), len))
}
