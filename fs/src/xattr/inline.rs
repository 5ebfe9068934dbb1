//! Attributes in the tail of a dinode's body.

use zerocopy::{FromBytes, IntoBytes};

use super::Name;
use crate::dir;
use crate::format::{
    BLOCK_LEN, BODY_AT, BODY_LEN, FORM_INLINE, FORM_INLINE_DIR, InodeCore, LEAF_HEAD_LEN, TreeHead,
    XATTR_HEAD_LEN, XattrHead, tree_entry_len, tree_head, xattr_inline_len,
};
use crate::inode::{Inode, want};
use crate::store::{Damage, Op, Stop};

type Flaw = &'static str;

/// One attribute.
pub(super) struct Attribute<'a> {
    pub(super) name: Name<'a>,
    pub(super) value: &'a [u8],
    /// Head, name, value and padding.
    bytes: &'a [u8],
}

/// The attributes of a dinode. A wrong one is the last that comes.
pub(super) fn all(inode: &Inode) -> impl Iterator<Item = Result<Attribute<'_>, Flaw>> {
    let mut rest = inode.tail();
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let step = first(rest);
        rest = step.as_ref().map_or(&[], |attribute| &rest[attribute.bytes.len()..]);
        Some(step)
    })
}

fn first(tail: &[u8]) -> Result<Attribute<'_>, Flaw> {
    let (head, rest) = XattrHead::ref_from_prefix(tail).map_err(|_| "xattr length")?;
    let (name_len, value_len) = (usize::from(head.name_len), usize::from(head.value_len.get()));
    let bytes = tail.get(..xattr_inline_len(name_len, value_len)).ok_or("xattr length")?;
    if name_len == 0 || head.reserved.get() != 0 {
        return Err("xattr head");
    }
    let (name, rest) = rest.split_at(name_len);
    let name = Name { index: head.name_index, name };
    Ok(Attribute { name, value: &rest[..value_len], bytes })
}

pub(super) fn flawed(inode: &Inode, flaw: Flaw) -> Stop {
    Damage::field(inode.ino(), want(inode.ino()), flaw).into()
}

/// The value of an attribute.
pub(super) fn find<'a>(inode: &'a Inode, name: Name<'_>) -> Result<Option<&'a [u8]>, Stop> {
    for attribute in all(inode) {
        let attribute = attribute.map_err(|flaw| flawed(inode, flaw))?;
        if attribute.name == name {
            return Ok(Some(attribute.value));
        }
    }
    Ok(None)
}

/// The tail as it is with an attribute of this value, or without it.
pub(super) fn with(inode: &Inode, name: Name<'_>, value: Option<&[u8]>) -> Result<Vec<u8>, Stop> {
    let mut tail = Vec::new();
    for attribute in all(inode) {
        let attribute = attribute.map_err(|flaw| flawed(inode, flaw))?;
        if attribute.name != name {
            tail.extend_from_slice(attribute.bytes);
        }
    }
    if let Some(value) = value {
        append(&mut tail, name, value);
    }
    Ok(tail)
}

fn append(tail: &mut Vec<u8>, name: Name<'_>, value: &[u8]) {
    let end = tail.len() + xattr_inline_len(name.name.len(), value.len());
    let Ok(value_len) = u16::try_from(value.len()) else {
        // Too long for any tail: it gets the length that says so.
        return tail.resize(end, 0);
    };
    let head = XattrHead {
        name_index: name.index,
        name_len: name.name.len() as u8,
        value_len: value_len.into(),
        reserved: 0.into(),
    };
    tail.reserve(end - tail.len());
    tail.extend_from_slice(head.as_bytes());
    tail.extend_from_slice(name.name);
    tail.extend_from_slice(value);
    tail.resize(end, 0);
    debug_assert!(end >= XATTR_HEAD_LEN);
}

/// True if the body leaves room for a tail of this length.
pub(super) fn fits(inode: &Inode, tail_len: usize) -> Result<bool, Stop> {
    let core = inode.core();
    let used = match core.form {
        FORM_INLINE => core.size.get() as usize,
        FORM_INLINE_DIR => {
            let page = dir::Page::of(inode.body()).map_err(|flaw| flawed(inode, flaw))?;
            LEAF_HEAD_LEN + page.used()
        }
        _ => {
            let head = tree_head(inode.body());
            let entry_len = tree_entry_len(head.level.get());
            size_of::<TreeHead>() + usize::from(head.count.get()) * entry_len
        }
    };
    Ok(used + tail_len <= BODY_LEN)
}

/// Replaces the tail. What the body gains is zero.
pub(super) fn store(op: &mut Op<'_>, ino: u64, tail: &[u8]) -> Result<(), Stop> {
    let block = op.edit(ino, want(ino))?;
    let core = InodeCore::of_mut(block);
    let before = core.body_len();
    core.xattr_inline_len = (tail.len() as u16).into();
    let bytes = block.bytes_mut();
    bytes[BODY_AT + before..].fill(0);
    bytes[BLOCK_LEN - tail.len()..].copy_from_slice(tail);
    Ok(())
}
