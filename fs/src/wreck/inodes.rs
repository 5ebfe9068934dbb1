//! Dinodes and what they own that tell something wrong.

use super::WreckError;
use super::target::Target;
use crate::dir::{Page, clear_run};
use crate::extents::SHARED;
use crate::format::{
    BLOCK_LEN, BODY_AT, FORM_EXTENTS, FORM_INDEXED_DIR, FORM_INLINE_DIR, HEADER_LEN, InodeCore,
    Kind, LEAF_HEAD_LEN, XATTR_VALUE_AT, tree_head, tree_records,
};
use crate::fsck::Code;
use crate::store::Block;

pub(super) async fn wreck(t: &Target, code: Code) -> Result<String, WreckError> {
    match code {
        Code::InodeField => {
            field(t, "a file", |core| !core.is_directory(), |core| core.flags = (1 << 30).into())
                .await
        }
        Code::InodeBlocks => {
            let more = |core: &mut InodeCore| core.blocks = (core.blocks.get() + 3).into();
            field(t, "a file", |core| !core.is_directory(), more).await
        }
        Code::LinkCount => {
            let more = |core: &mut InodeCore| core.nlink = (core.nlink.get() + 1).into();
            field(t, "a file", |core| !core.is_directory(), more).await
        }
        Code::Parent => {
            let other = |core: &mut InodeCore| core.parent = 999.into();
            field(t, "a directory in the root", InodeCore::is_directory, other).await
        }
        Code::EntryCount => {
            let more = |core: &mut InodeCore| core.entries = (core.entries.get() + 1).into();
            field(t, "a directory in the root", InodeCore::is_directory, more).await
        }
        Code::ExtentNode => tree(t, FORM_EXTENTS, "a file of extents").await,
        Code::DirNode => tree(t, FORM_INDEXED_DIR, "a directory of some hundred names").await,
        Code::ExtentRecord => {
            let (bno, at) = extent(t, |_| true).await?;
            t.alter(bno, |block| block.bytes_mut()[at..at + 8].fill(0)).await?;
            Ok(format!("an extent in block {bno} lies at block 0"))
        }
        Code::DoubleClaim => double_claim(t).await,
        Code::DirEntry => dir_entry(t).await,
        Code::Unreachable => unreachable_files(t).await,
        _ => xattr(t).await,
    }
}

async fn field(
    t: &Target,
    needs: &'static str,
    is_wanted: impl FnMut(&InodeCore) -> bool,
    change: impl FnOnce(&mut InodeCore),
) -> Result<String, WreckError> {
    let (ino, _) = t.inode(needs, is_wanted).await?;
    t.alter(ino, |block| change(InodeCore::of_mut(block))).await?;
    Ok(format!("a field of inode {ino} was changed"))
}

async fn tree(t: &Target, form: u8, needs: &'static str) -> Result<String, WreckError> {
    let (ino, _) = t.inode(needs, |core| core.form == form && core.blocks.get() > 1).await?;
    t.alter(ino, |block| block.bytes_mut()[BODY_AT..BODY_AT + 2].fill(0xff)).await?;
    Ok(format!("the tree of inode {ino} counts 65,535 entries"))
}

/// The first leaf of a tree of extents that is as it is wanted: its block, and where in it the
/// place of the first extent is kept.
async fn extent(
    t: &Target,
    mut is_wanted: impl FnMut(&Block) -> bool,
) -> Result<(u64, usize), WreckError> {
    let has_leaf =
        |area: &[u8]| tree_head(area).level.get() == 0 && tree_head(area).count.get() > 0;
    let inline = t.find(Kind::Inode, |_, block| {
        let is_file = InodeCore::of(block).form == FORM_EXTENTS;
        is_file && has_leaf(&block.bytes()[BODY_AT..]) && is_wanted(block)
    });
    if let Some((bno, _)) = inline.await? {
        return Ok((bno, BODY_AT + 16));
    }
    let node = t.find(Kind::ExtentNode, |_, block| {
        has_leaf(&block.bytes()[HEADER_LEN..]) && is_wanted(block)
    });
    let (bno, _) = node.await?.ok_or(WreckError::Nothing("files of extents"))?;
    Ok((bno, HEADER_LEN + 16))
}

async fn double_claim(t: &Target) -> Result<String, WreckError> {
    // A block that is shared already has two users by right.
    let is_alone = |block: &Block| {
        let at = if block.header().kind.get() == Kind::Inode.code() { BODY_AT } else { HEADER_LEN };
        tree_records(&block.bytes()[at..], 1)[0].flags.get() & SHARED == 0
    };
    let (first, from) = extent(t, is_alone).await?;
    let owner = t.read(first).await?.header().owner;
    let (second, to) = extent(t, |block| is_alone(block) && block.header().owner != owner).await?;
    let source = t.read(first).await?;
    let place = source.bytes()[from..from + 8].to_vec();
    let area = &source.bytes()[from - 16..];
    let len = tree_records(area, 1)[0].len.get().min(1);
    t.alter(second, |block| {
        block.bytes_mut()[to..to + 8].copy_from_slice(&place);
        block.bytes_mut()[to + 8..to + 12].copy_from_slice(&len.to_le_bytes());
    })
    .await?;
    Ok(format!("an extent in block {second} lies where one in block {first} lies"))
}

/// A run of names: where it lies, and where in its block.
async fn names(t: &Target) -> Result<(u64, usize), WreckError> {
    if let Some((bno, _)) = t.find(Kind::DirLeaf, |_, _| true).await? {
        return Ok((bno, HEADER_LEN));
    }
    let inline = |core: &InodeCore| core.form == FORM_INLINE_DIR && core.entries.get() > 0;
    Ok((t.inode("a directory with names", inline).await?.0, BODY_AT))
}

async fn dir_entry(t: &Target) -> Result<String, WreckError> {
    let (bno, at) = names(t).await?;
    let block = t.read(bno).await?;
    let page = Page::of(&block.bytes()[at..]).ok().filter(|page| page.count() > 0);
    page.ok_or(WreckError::Nothing("a directory with names"))?;
    // The generation follows cookie and inode of the first entry, which follows the head.
    t.alter(bno, |block| block.bytes_mut()[at + LEAF_HEAD_LEN + 16] ^= 1).await?;
    Ok(format!("a name in block {bno} leads to another generation"))
}

async fn unreachable_files(t: &Target) -> Result<String, WreckError> {
    let inline = |core: &InodeCore| core.form == FORM_INLINE_DIR && core.entries.get() > 0;
    let (ino, _) = t.inode("a small directory with names, not the root", inline).await?;
    t.alter(ino, |block| {
        let len = InodeCore::of(block).body_len();
        InodeCore::of_mut(block).entries = 0.into();
        clear_run(&mut block.bytes_mut()[BODY_AT..BODY_AT + len], 0);
    })
    .await?;
    Ok(format!("directory {ino} forgot its names"))
}

async fn xattr(t: &Target) -> Result<String, WreckError> {
    if let Some((bno, _)) = t.find(Kind::XattrValue, |_, _| true).await? {
        // Bytes that the value has.
        let at = XATTR_VALUE_AT - 24;
        t.alter(bno, |block| block.bytes_mut()[at] ^= 1).await?;
        return Ok(format!("the value in block {bno} has another length"));
    }
    let (ino, block) =
        t.inode("extended attributes", |core| core.xattr_inline_len.get() > 0).await?;
    let at = BLOCK_LEN - usize::from(InodeCore::of(&block).xattr_inline_len.get());
    t.alter(ino, |block| block.bytes_mut()[at + 1] = 0).await?;
    Ok(format!("an attribute of inode {ino} has no name"))
}
