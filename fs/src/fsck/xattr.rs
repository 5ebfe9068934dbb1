//! Looking at the extended attributes of a dinode.

use zerocopy::FromBytes;

use super::check::Check;
use super::finding::Code;
use super::inode::Look;
use super::reader::Gone;
use super::tree::walk;
use crate::format::{
    BLOCK_LEN, HEADER_LEN, InodeCore, Kind, NODE_AT, NODE_LEN, XATTR_BLOCKS_MAX, XATTR_HEAD_LEN,
    XATTR_VALUE_ROOM, XattrHead, XattrValueHead, xattr_inline_len,
};
use crate::store::{Block, Damage, Want};

/// Looks at the attributes of a dinode, and claims what they own.
pub(crate) async fn look(
    c: &mut Check,
    ino: u64,
    block: &Block,
    look: &mut Look,
) -> Result<(), Gone> {
    let want = Want::new(Kind::Inode, ino);
    let tail = &block.bytes()[BLOCK_LEN - usize::from(look.core.xattr_inline_len.get())..];
    if let Err(flaw) = inline(tail) {
        let damage = Damage::field(ino, want, flaw);
        c.note_damage(Code::Xattr, damage, "the inline attributes are dropped");
        c.mend(ino, want, drop_tail).await?;
        look.core.xattr_inline_len = 0.into();
    }
    let root = look.core.xattr_root.get();
    if root == 0 {
        return Ok(());
    }
    let before = look.blocks;
    if let Err(damage) = large(c, ino, root, look).await? {
        c.note_damage(Code::Xattr, damage, "the large attributes are dropped");
        c.mend(ino, want, |block| InodeCore::of_mut(block).xattr_root = 0.into()).await?;
        // What was claimed goes back in the next pass.
        look.blocks = before;
    }
    Ok(())
}

fn drop_tail(block: &mut Block) {
    let len = usize::from(InodeCore::of(block).xattr_inline_len.get());
    block.bytes_mut()[BLOCK_LEN - len..].fill(0);
    InodeCore::of_mut(block).xattr_inline_len = 0.into();
}

fn inline(tail: &[u8]) -> Result<(), &'static str> {
    let mut rest = tail;
    while !rest.is_empty() {
        let (head, _) = XattrHead::ref_from_prefix(rest).map_err(|_| "xattr length")?;
        let (name, value) = (usize::from(head.name_len), usize::from(head.value_len.get()));
        if name == 0 || head.reserved.get() != 0 || rest.len() < XATTR_HEAD_LEN {
            return Err("xattr head");
        }
        rest = rest.get(xattr_inline_len(name, value)..).ok_or("xattr length")?;
    }
    Ok(())
}

async fn large(
    c: &mut Check,
    ino: u64,
    root: u64,
    look: &mut Look,
) -> Result<Result<(), Damage>, Gone> {
    let want = Want::new(Kind::XattrNode, ino);
    let block = match c.reader.get(root, want).await? {
        Ok(block) => block,
        Err(damage) => return Ok(Err(damage)),
    };
    c.claim_block(root);
    look.blocks += 1;
    let walked = walk(&c.reader, (root, &block, want), (NODE_AT, NODE_LEN), want).await?;
    for node in &walked.nodes {
        c.claim_block(*node);
        look.blocks += 1;
    }
    if let Some(damage) = walked.damages.into_iter().next() {
        return Ok(Err(damage));
    }
    for record in walked.records {
        if let Err(damage) = chain(c, ino, record.value, look).await? {
            return Ok(Err(damage));
        }
    }
    Ok(Ok(()))
}

async fn chain(
    c: &mut Check,
    ino: u64,
    first: u64,
    look: &mut Look,
) -> Result<Result<(), Damage>, Gone> {
    let want = Want::new(Kind::XattrValue, ino);
    let (mut next, mut held, mut total) = (first, 0, None);
    for _ in 0..XATTR_BLOCKS_MAX {
        let block = match c.reader.get(next, want).await? {
            Ok(block) => block,
            Err(damage) => return Ok(Err(damage)),
        };
        c.claim_block(next);
        look.blocks += 1;
        let (head, _) = XattrValueHead::ref_from_prefix(&block.bytes()[HEADER_LEN..])
            .expect("a block holds the head of a value");
        let whole = usize::from(head.name_len) + head.value_len.get() as usize;
        let part = usize::from(head.part_len.get());
        held += part;
        if part > XATTR_VALUE_ROOM || *total.get_or_insert(whole) != whole || held > whole {
            return Ok(Err(Damage::field(next, want, "length")));
        }
        next = head.next.get();
        if next == 0 {
            let whole = held == whole;
            return Ok(if whole { Ok(()) } else { Err(Damage::field(first, want, "length")) });
        }
    }
    Ok(Err(Damage::field(next, want, "chain")))
}
