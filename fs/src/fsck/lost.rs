//! Inodes that nothing leads to: found by their blocks, which are set in a bitmap and nobody's.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::check::Check;
use super::claims::ones;
use super::finding::Code;
use super::names::{Directory, enter, follow};
use super::reader::Gone;
use super::work::Work;
use crate::format::{BITS_PER_BLOCK, Bits, InodeCore, Kind, header};
use crate::inode::InodeRef;
use crate::store::{Block, Want};

/// Words of bits in one bitmap block.
const WORDS: usize = BITS_PER_BLOCK as usize / 64;

/// Looks for lost inodes, and follows the names of lost directories.
pub(crate) async fn look(c: &mut Check) -> Result<(), Gone> {
    let candidates = candidates(c).await?;
    // A lost directory brings back what is in it: what others name is found through them.
    let named = named_by(c, &candidates).await?;
    let (first, second): (Vec<_>, Vec<_>) =
        candidates.into_iter().partition(|(ino, _)| !named.contains(ino));
    for (ino, block) in first.into_iter().chain(second) {
        if !c.inodes.contains_key(&ino) {
            rescue(c, ino, &block).await?;
        }
    }
    Ok(())
}

async fn candidates(c: &mut Check) -> Result<Vec<(u64, Rc<Block>)>, Gone> {
    let mut found = Vec::new();
    let groups: Vec<u32> = c.groups.keys().copied().collect();
    for group in groups {
        for bno in nobodys(c, group).await? {
            let read = c.reader.raw(bno).await?;
            found.extend(
                read.filter(|block| is_lost_inode(c, bno, block)).map(|block| (bno, block)),
            );
        }
    }
    Ok(found)
}

/// Blocks that are set in a group's bitmap and claimed by nobody. Where bitmap or pending frees
/// cannot be used there are none: an inode that was deleted looks like a lost one there.
async fn nobodys(c: &mut Check, group: u32) -> Result<Vec<u64>, Gone> {
    let (first, start) = (c.geometry().group_header(group) + 1, c.geometry().group_start(group));
    let want = Want::new(Kind::Bitmap, group.into());
    let end = start + c.geometry().group_len(group);
    let mut found = Vec::new();
    if !c.groups[&group].pending_sound {
        return Ok(found);
    }
    for index in 0..u64::from(c.geometry().bitmap_blocks()) {
        let read = c.reader.get(first + index, want).await?;
        let base = start + index * BITS_PER_BLOCK;
        let Ok(block) = read else { continue };
        let claimed = c.claims.bits(group).unwrap_or_default();
        let claimed = claimed.iter().skip(index as usize * WORDS).copied();
        let words = Bits::of(&block).words().zip(claimed.chain(std::iter::repeat(0)));
        let words = (base..).step_by(64).zip(words);
        let nobodys = |(first, (set, claimed)): (u64, (u64, u64))| {
            ones(set & !claimed).map(move |bit| first + bit)
        };
        found.extend(words.flat_map(nobodys).filter(|bno| *bno < end));
    }
    Ok(found)
}

fn is_lost_inode(c: &Check, bno: u64, block: &Block) -> bool {
    let says = header(block.bytes());
    let is_inode = says.kind.get() == Kind::Inode.code() && says.uuid == *c.reader.uuid();
    let want = Want::new(Kind::Inode, bno);
    is_inode
        && super::judge::judge(block, c.reader.uuid(), bno, want).is_ok()
        && InodeCore::of(block).nlink.get() > 0
}

/// Inodes that lost directories name.
async fn named_by(c: &mut Check, candidates: &[(u64, Rc<Block>)]) -> Result<BTreeSet<u64>, Gone> {
    let mut named = BTreeSet::new();
    for (ino, block) in candidates {
        if InodeCore::of(block).is_directory() {
            let names = super::inode::names_only(c, *ino, block).await?;
            named.extend(names.iter().map(|name| name.ino).filter(|other| other != ino));
        }
    }
    Ok(named)
}

async fn rescue(c: &mut Check, ino: u64, block: &Rc<Block>) -> Result<(), Gone> {
    let core = InodeCore::of(block);
    let (generation, file_type) = (core.generation.get(), (core.file_type() >> 12) as u8);
    c.note(Code::Unreachable, ino, format!("inode {ino} has no name; it gets one in lost+found"));
    let at = InodeRef { ino, generation };
    let found = enter(c, at, c.superblock.root_ino, block).await?;
    if found.core.is_directory() {
        follow(c, Directory::new(ino, found.names)).await?;
    }
    c.work.push(Work::Rescue { ino, generation, file_type });
    Ok(())
}
