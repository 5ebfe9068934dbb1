//! Attributes in value blocks: a tree leads from the hash of a name to the first block of a chain,
//! which holds the name and the value.

use std::rc::Rc;

use zerocopy::{FromBytes, IntoBytes};

use super::Name;
use crate::format::{
    COOKIES_PER_HASH, HEADER_LEN, Kind, XATTR_BLOCKS_MAX, XATTR_VALUE_AT, XATTR_VALUE_MAX,
    XATTR_VALUE_ROOM, XattrValueHead, end_cookie, first_cookie,
};
use crate::inode::{Inode, alloc_block, edit, free_block};
use crate::space::InodeNodes;
use crate::store::{Block, Damage, FsError, Op, Stop, Want};
use crate::tree::{Record, RootArea, Tree};

/// Blocks that one step of freeing frees, or a chain more.
const BLOCKS_PER_STEP: usize = 8;

/// An attribute that was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chained {
    key: u64,
    pub(super) first: u64,
}

fn tree(inode: &Inode, root: u64) -> Tree {
    let want = Want::new(Kind::XattrNode, inode.ino());
    Tree::new(RootArea::of_node(root, want), Kind::XattrNode, inode.ino())
}

/// The tree of an inode that has one.
fn tree_of(inode: &Inode) -> Option<Tree> {
    match inode.core().xattr_root.get() {
        0 => None,
        root => Some(tree(inode, root)),
    }
}

fn nodes(inode: &Inode) -> InodeNodes {
    InodeNodes { ino: inode.ino(), kind: Kind::XattrNode }
}

fn value_want(inode: &Inode) -> Want {
    Want::new(Kind::XattrValue, inode.ino())
}

/// One block of a chain, judged.
struct Part {
    block: Rc<Block>,
}

impl Part {
    fn read(op: &Op<'_>, inode: &Inode, bno: u64) -> Result<Part, Stop> {
        let want = value_want(inode);
        let part = Part { block: op.read(bno, want)? };
        let head = part.head();
        let wrong = [
            (usize::from(head.part_len.get()) > XATTR_VALUE_ROOM, "part length"),
            (head.value_len.get() as usize > XATTR_VALUE_MAX, "value length"),
            (head.name_len == 0, "name length"),
            (head.reserved != [0; 16], "value reserve"),
        ];
        match wrong.iter().find(|(wrong, _)| *wrong) {
            Some((_, name)) => Err(Damage::field(bno, want, name).into()),
            None => Ok(part),
        }
    }

    fn head(&self) -> &XattrValueHead {
        let bytes = &self.block.bytes()[HEADER_LEN..];
        XattrValueHead::ref_from_prefix(bytes).expect("a block holds the head").0
    }

    fn bytes(&self) -> &[u8] {
        &self.block.bytes()[XATTR_VALUE_AT..][..usize::from(self.head().part_len.get())]
    }

    /// The name, in the first block of a chain.
    fn name(&self) -> Option<Name<'_>> {
        let name = self.bytes().get(..usize::from(self.head().name_len))?;
        Some(Name { index: self.head().name_index, name })
    }
}

/// The records whose names can have this hash.
fn candidates(op: &Op<'_>, tree: &Tree, hash: u64) -> Result<Vec<Record>, Stop> {
    let mut found = Vec::new();
    let end = end_cookie(hash);
    tree.visit(op, first_cookie(hash), |record| {
        let take = record.key < end && found.len() < COOKIES_PER_HASH as usize;
        if take {
            found.push(record);
        }
        take
    })?;
    Ok(found)
}

/// Finds an attribute.
pub(super) fn find(op: &Op<'_>, inode: &Inode, name: Name<'_>) -> Result<Option<Chained>, Stop> {
    let Some(tree) = tree_of(inode) else {
        return Ok(None);
    };
    for record in candidates(op, &tree, name.hash(op))? {
        let part = Part::read(op, inode, record.value)?;
        if part.name() == Some(name) {
            return Ok(Some(Chained { key: record.key, first: record.value }));
        }
    }
    Ok(None)
}

impl Chained {
    /// The blocks of the chain; each has the bytes that its place demands.
    fn parts(&self, op: &Op<'_>, inode: &Inode) -> Result<Vec<(u64, Part)>, Stop> {
        let mut parts: Vec<(u64, Part)> = Vec::new();
        let (mut bno, mut left) = (self.first, None);
        while bno != 0 {
            let damage = |name| Damage::field(bno, value_want(inode), name);
            let part = Part::read(op, inode, bno)?;
            let head = *part.head();
            let total = usize::from(head.name_len) + head.value_len.get() as usize;
            let rest: usize = left.unwrap_or(total);
            let len = usize::from(head.part_len.get());
            if len != rest.min(XATTR_VALUE_ROOM) || parts.len() == XATTR_BLOCKS_MAX {
                return Err(damage("part length").into());
            }
            if (rest == len) != (head.next.get() == 0) {
                return Err(damage("next part").into());
            }
            parts.push((bno, part));
            (bno, left) = (head.next.get(), Some(rest - len));
        }
        Ok(parts)
    }

    /// The value.
    pub(super) fn value(&self, op: &Op<'_>, inode: &Inode) -> Result<Vec<u8>, Stop> {
        let parts = self.parts(op, inode)?;
        let name_len = parts.first().map_or(0, |(_, part)| usize::from(part.head().name_len));
        let mut value = Vec::with_capacity(parts.len() * XATTR_VALUE_ROOM);
        parts.iter().for_each(|(_, part)| value.extend_from_slice(part.bytes()));
        value.drain(..name_len);
        Ok(value)
    }
}

/// Adds the names of all attributes.
pub(super) fn list(op: &Op<'_>, inode: &Inode, names: &mut Vec<Vec<u8>>) -> Result<(), Stop> {
    let Some(tree) = tree_of(inode) else {
        return Ok(());
    };
    let mut firsts = Vec::new();
    tree.visit(op, 0, |record| {
        firsts.push(record.value);
        true
    })?;
    for bno in firsts {
        let part = Part::read(op, inode, bno)?;
        let wrong = || Damage::field(bno, value_want(inode), "name length");
        names.extend(part.name().ok_or_else(wrong)?.full());
    }
    Ok(())
}

/// Sets an attribute; the blocks that it has are used again.
pub(super) fn set(
    op: &mut Op<'_>,
    inode: &Inode,
    name: Name<'_>,
    value: &[u8],
    chained: Option<Chained>,
) -> Result<(), Stop> {
    let (mut blocks, had) = match chained {
        Some(chained) => {
            let parts = chained.parts(op, inode)?;
            (parts.iter().map(|(bno, _)| *bno).collect(), parts.len())
        }
        None => (Vec::new(), 0),
    };
    let bytes = [name.name, value].concat();
    let needed = bytes.len().div_ceil(XATTR_VALUE_ROOM);
    for _ in had..needed {
        let near = blocks.last().copied().unwrap_or(inode.ino());
        blocks.push(alloc_block(op, Kind::XattrValue, inode.ino(), near)?);
    }
    for bno in blocks.split_off(needed) {
        free_block(op, Kind::XattrValue, inode.ino(), bno)?;
    }
    write(op, inode, name, &bytes, &blocks)?;
    match chained {
        Some(_) => Ok(()),
        None => add(op, inode, name, blocks[0]),
    }
}

/// Writes name and value over the blocks of a chain.
fn write(
    op: &mut Op<'_>,
    inode: &Inode,
    name: Name<'_>,
    bytes: &[u8],
    blocks: &[u64],
) -> Result<(), Stop> {
    let nexts = blocks.iter().skip(1).copied().chain([0]);
    for ((bno, next), part) in blocks.iter().zip(nexts).zip(bytes.chunks(XATTR_VALUE_ROOM)) {
        let head = XattrValueHead {
            next: next.into(),
            value_len: ((bytes.len() - name.name.len()) as u32).into(),
            part_len: (part.len() as u16).into(),
            name_index: name.index,
            name_len: name.name.len() as u8,
            reserved: [0; 16],
        };
        let block = op.fresh(*bno, value_want(inode), 0)?.bytes_mut();
        block[HEADER_LEN..XATTR_VALUE_AT].copy_from_slice(head.as_bytes());
        block[XATTR_VALUE_AT..][..part.len()].copy_from_slice(part);
    }
    Ok(())
}

/// Lets the tree know a chain; an inode without a tree gets one.
fn add(op: &mut Op<'_>, inode: &Inode, name: Name<'_>, first: u64) -> Result<(), Stop> {
    let tree = match tree_of(inode) {
        Some(tree) => tree,
        None => {
            let root = alloc_block(op, Kind::XattrNode, inode.ino(), inode.ino())?;
            let tree = tree(inode, root);
            op.fresh(root, tree.root.want, 0)?;
            edit(op, inode.ino())?.xattr_root = root.into();
            tree
        }
    };
    let hash = name.hash(op);
    let mut key = first_cookie(hash);
    for record in candidates(op, &tree, hash)? {
        key += u64::from(record.key == key);
    }
    if key >= end_cookie(hash) {
        return Err(FsError::NoSpace.into());
    }
    tree.insert(op, &mut nodes(inode), Record { key, value: first, len: 1, flags: 0 })
}

/// Removes an attribute.
pub(super) fn remove(op: &mut Op<'_>, inode: &Inode, chained: Chained) -> Result<(), Stop> {
    let Some(tree) = tree_of(inode) else {
        return Ok(());
    };
    free_chain(op, inode, &tree, chained)?;
    free_root(op, inode, &tree).map(drop)
}

fn free_chain(
    op: &mut Op<'_>,
    inode: &Inode,
    tree: &Tree,
    chained: Chained,
) -> Result<usize, Stop> {
    let blocks: Vec<u64> = chained.parts(op, inode)?.iter().map(|(bno, _)| *bno).collect();
    tree.remove(op, &mut nodes(inode), chained.key)?;
    for bno in &blocks {
        free_block(op, Kind::XattrValue, inode.ino(), *bno)?;
    }
    Ok(blocks.len())
}

/// Frees the root if nothing is in the tree any more; true if so.
fn free_root(op: &mut Op<'_>, inode: &Inode, tree: &Tree) -> Result<bool, Stop> {
    if !tree.is_empty(op)? {
        return Ok(false);
    }
    edit(op, inode.ino())?.xattr_root = 0.into();
    free_block(op, Kind::XattrNode, inode.ino(), tree.root.bno)?;
    Ok(true)
}

/// Frees some attributes of an inode that ends; the last step frees the tree's root.
pub fn free_step(op: &mut Op<'_>, inode: &Inode) -> Result<(), Stop> {
    let Some(tree) = tree_of(inode) else {
        return Ok(());
    };
    let mut freed = 0;
    while freed < BLOCKS_PER_STEP && !free_root(op, inode, &tree)? {
        let Some(record) = tree.first_at_or_after(op, 0)? else {
            break;
        };
        freed += free_chain(op, inode, &tree, Chained { key: record.key, first: record.value })?;
    }
    Ok(())
}
