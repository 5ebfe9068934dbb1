//! Looking at one dinode: its fields, its extents, its attributes, its names.

use std::rc::Rc;

use super::check::Check;
use super::finding::Code;
use super::reader::Gone;
use super::tree::{Walked, walk};
use super::work::{Named, Work};
use crate::dir::{Flaw, Page};
use crate::extents::{SHARED, UNWRITTEN};
use crate::format::{
    BODY_AT, COOKIE_END, FORM_EXTENTS, FORM_INDEXED_DIR, FORM_INLINE_DIR, HEADER_LEN, InodeCore,
    Kind,
};
use crate::store::{Block, Damage, Run, Want};
use crate::tree::Record;

/// What a dinode has, as far as it can be read.
pub(crate) struct Look {
    /// Its fields.
    pub(crate) core: InodeCore,
    /// Blocks that it owns, itself among them.
    pub(crate) blocks: u64,
    /// Its names, where it is a directory.
    pub(crate) names: Vec<Named>,
}

/// Looks at a dinode that was read and judged, and claims what it owns.
pub(crate) async fn look(c: &mut Check, ino: u64, block: &Rc<Block>) -> Result<Look, Gone> {
    let core = *InodeCore::of(block);
    c.version_max = c.version_max.max(block.header().version.get());
    let mut look = Look { core, blocks: 1, names: Vec::new() };
    match core.form {
        FORM_EXTENTS => extents(c, ino, block, &mut look).await?,
        FORM_INDEXED_DIR => indexed(c, ino, block, &mut look).await?,
        FORM_INLINE_DIR => {
            let area = &block.bytes()[BODY_AT..BODY_AT + core.body_len()];
            let found = names_of(area, 0, COOKIE_END, &mut look.names);
            if let Err(flaw) = found {
                let damage = Damage::field(ino, Want::new(Kind::Inode, ino), flaw);
                c.note_damage(Code::DirLeaf, damage, "the names after it are lost");
                rewrite_names(c, ino, &look);
            }
        }
        _ => {}
    }
    super::xattr::look(c, ino, block, &mut look).await?;
    Ok(look)
}

async fn extents(c: &mut Check, ino: u64, block: &Block, look: &mut Look) -> Result<(), Gone> {
    let walked = tree_of(c, ino, block, Kind::ExtentNode, look).await?;
    let mut records = Vec::with_capacity(walked.records.len());
    let mut is_whole = walked.damages.is_empty();
    for damage in walked.damages {
        let remedy = "what it maps reads as a hole";
        c.note_damage(Code::ExtentNode, damage, remedy);
    }
    let mut end = 0;
    for record in walked.records {
        match extent_flaw(c, record, end) {
            None => {
                end = record.key + u64::from(record.len);
                look.blocks += u64::from(record.len);
                let run = Run { start: record.value, len: record.len.into() };
                c.is_shared |= c.claims.add(run) && record.flags & SHARED == 0;
                records.push(record);
            }
            Some(flaw) => {
                is_whole = false;
                let Record { key, value, len, .. } = record;
                let what = format!(
                    "inode {ino}: the extent of {len} blocks at {key} lies at {value}: {flaw}; it is dropped"
                );
                c.note(Code::ExtentRecord, ino, what);
            }
        }
    }
    if !is_whole {
        c.work.push(Work::Extents { ino, records });
    }
    Ok(())
}

/// What is wrong with an extent that follows one that ends at `end`.
fn extent_flaw(c: &Check, record: Record, end: u64) -> Option<&'static str> {
    let run = Run { start: record.value, len: record.len.into() };
    let reserved = |group| c.geometry().reserved(group);
    if record.key < end {
        return Some("it overlaps the one before it");
    }
    if record.flags & !(SHARED | UNWRITTEN) != 0 {
        return Some("unknown flags");
    }
    if record.key.checked_add(record.len.into()).is_none_or(|end| end > 1 << 51) {
        return Some("it ends beyond the largest file");
    }
    if !c.geometry().is_inside_group(run) {
        return Some("it is not inside one group");
    }
    let hits =
        |other: &Run| other.start < run.start + run.len && run.start < other.start + other.len;
    reserved(c.geometry().group_of(run.start))
        .iter()
        .any(hits)
        .then_some("the volume's own blocks lie there")
}

async fn tree_of(
    c: &mut Check,
    ino: u64,
    block: &Block,
    node: Kind,
    look: &mut Look,
) -> Result<Walked, Gone> {
    let root = (ino, block, Want::new(Kind::Inode, ino));
    let area = (BODY_AT, look.core.body_len());
    let walked = walk(&c.reader, root, area, Want::new(node, ino)).await?;
    for bno in &walked.nodes {
        c.claim_block(*bno);
        look.blocks += 1;
    }
    Ok(walked)
}

async fn indexed(c: &mut Check, ino: u64, block: &Block, look: &mut Look) -> Result<(), Gone> {
    let walked = tree_of(c, ino, block, Kind::DirNode, look).await?;
    let mut is_whole = walked.damages.is_empty();
    for damage in walked.damages {
        c.note_damage(Code::DirNode, damage, "its names go to lost+found");
    }
    let wanted: Vec<_> =
        walked.records.iter().map(|leaf| (leaf.value, Want::new(Kind::DirLeaf, ino))).collect();
    let looks = c.reader.get_many(&wanted).await?;
    for (at, found) in looks.into_iter().enumerate() {
        let (bno, want) = wanted[at];
        let first = walked.records[at].key;
        let end = walked.records.get(at + 1).map_or(COOKIE_END, |next| next.key);
        let read = found.and_then(|leaf| {
            c.claim_block(bno);
            look.blocks += 1;
            let area = &leaf.bytes()[HEADER_LEN..];
            names_of(area, first, end, &mut look.names)
                .map_err(|flaw| Damage::field(bno, want, flaw))
        });
        if let Err(damage) = read {
            is_whole = false;
            c.note_damage(Code::DirLeaf, damage, "its names go to lost+found");
        }
    }
    if !is_whole {
        rewrite_names(c, ino, look);
    }
    Ok(())
}

fn rewrite_names(c: &mut Check, ino: u64, look: &Look) {
    c.work.push(Work::Names { ino, names: look.names.clone() });
}

/// Appends the names of one run; its cookies lie in `first..end`.
fn names_of(area: &[u8], first: u64, end: u64, into: &mut Vec<Named>) -> Result<(), Flaw> {
    let page = Page::of(area)?;
    if page.first_cookie() != first {
        return Err("first cookie");
    }
    for name in page.names() {
        let name = name?;
        name.judge()?;
        if name.cookie() >= end {
            return Err("cookie");
        }
        let target = name.target();
        into.push(Named {
            name: name.name.to_vec(),
            ino: target.ino,
            generation: target.generation,
            file_type: name.head.file_type,
        });
    }
    Ok(())
}

/// The names of a directory as far as they can be read; nothing is claimed or noted.
pub(crate) async fn names_only(c: &Check, ino: u64, block: &Block) -> Result<Vec<Named>, Gone> {
    let core = InodeCore::of(block);
    let mut names = Vec::new();
    let area = (BODY_AT, core.body_len());
    if core.form == FORM_INLINE_DIR {
        // What follows a flaw is lost either way.
        let _flaw = names_of(&block.bytes()[area.0..area.0 + area.1], 0, COOKIE_END, &mut names);
        return Ok(names);
    }
    let root = (ino, block, Want::new(Kind::Inode, ino));
    let walked = walk(&c.reader, root, area, Want::new(Kind::DirNode, ino)).await?;
    let want = Want::new(Kind::DirLeaf, ino);
    let leaves: Vec<_> = walked.records.iter().map(|leaf| (leaf.value, want)).collect();
    for (leaf, record) in c.reader.get_many(&leaves).await?.into_iter().zip(&walked.records) {
        if let Ok(leaf) = leaf {
            let _flaw = names_of(&leaf.bytes()[HEADER_LEN..], record.key, COOKIE_END, &mut names);
        }
    }
    Ok(names)
}

/// Looks again at all extents where a block has two users and one of them does not say so: files
/// share it from then on, unless it is metadata, which no file may have.
pub(crate) async fn compare_shares(c: &mut Check) -> Result<(), Gone> {
    let groups: Vec<u32> = c.claims.groups().collect();
    if !c.is_shared && groups.iter().all(|group| c.claims.shared(*group).is_empty()) {
        return Ok(());
    }
    let inodes: Vec<u64> = c.inodes.keys().copied().collect();
    for ino in inodes {
        compare_shares_of(c, ino).await?;
    }
    Ok(())
}

async fn compare_shares_of(c: &mut Check, ino: u64) -> Result<(), Gone> {
    let want = Want::new(Kind::Inode, ino);
    let Ok(block) = c.reader.get(ino, want).await? else {
        return Ok(());
    };
    let core = InodeCore::of(&block);
    if core.form != FORM_EXTENTS {
        return Ok(());
    }
    let area = (BODY_AT, core.body_len());
    let walked =
        walk(&c.reader, (ino, &block, want), area, Want::new(Kind::ExtentNode, ino)).await?;
    let mut records = Vec::with_capacity(walked.records.len());
    let mut is_changed = false;
    for record in walked.records {
        match sharing(c, ino, record) {
            Sharing::Fine => records.push(record),
            Sharing::Unmarked => {
                is_changed = true;
                records.push(Record { flags: record.flags | SHARED, ..record });
            }
            Sharing::Metadata => is_changed = true,
        }
    }
    let is_known =
        c.work.iter().any(|work| matches!(work, Work::Extents { ino: other, .. } if *other == ino));
    if is_changed && !is_known {
        c.work.push(Work::Extents { ino, records });
    }
    Ok(())
}

enum Sharing {
    Fine,
    Unmarked,
    Metadata,
}

fn sharing(c: &mut Check, ino: u64, record: Record) -> Sharing {
    let run = Run { start: record.value, len: record.len.into() };
    if !c.geometry().is_inside_group(run) {
        return Sharing::Fine;
    }
    if c.metadata.any(run) {
        let text =
            format!("inode {ino}: the extent at {} covers metadata; it is dropped", record.key);
        c.note(Code::ExtentRecord, ino, text);
        return Sharing::Metadata;
    }
    if c.claims.any_shared(run) && record.flags & SHARED == 0 {
        let text = format!(
            "inode {ino}: the extent at {} has other users and does not say so; it is marked as shared",
            record.key
        );
        c.note(Code::DoubleClaim, ino, text);
        return Sharing::Unmarked;
    }
    Sharing::Fine
}
