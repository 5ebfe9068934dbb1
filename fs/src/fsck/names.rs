//! Walking all names from the root, and counting what they lead to.

use std::rc::Rc;

use super::check::{Check, Seen};
use super::finding::Code;
use super::inode::{Look, look};
use super::mend::mend_fields;
use super::reader::Gone;
use super::work::{Named, Work};
use crate::format::{FORM_INLINE_DIR, InodeCore, Kind, MODE_DIRECTORY, Timestamp};
use crate::inode::InodeRef;
use crate::store::{Block, Fault, Want};

/// Inodes that are read at once.
const BATCH: usize = 64;

/// A directory whose names are to be followed.
pub(crate) struct Directory {
    ino: u64,
    names: Vec<Named>,
}

/// Walks from the root.
pub(crate) async fn walk(c: &mut Check) -> Result<(), Gone> {
    let root = InodeRef { ino: c.superblock.root_ino, generation: c.superblock.root_generation };
    let want = Want::new(Kind::Inode, root.ino);
    let read = c.reader.get(root.ino, want).await?;
    let sound = read.ok().filter(|block| {
        let core = InodeCore::of(block);
        core.is_directory() && core.generation.get() == root.generation
    });
    let block = match sound {
        Some(block) => block,
        None => {
            let text = "the root directory cannot be used; a new one takes its place, and what had names in it goes to lost+found";
            c.note(Code::Root, root.ino, text);
            Rc::new(fresh_root(c, root))
        }
    };
    let look = enter(c, root, root.ino, &block).await?;
    follow(c, Directory { ino: root.ino, names: look.names }).await
}

fn fresh_root(c: &mut Check, root: InodeRef) -> Block {
    let mut block = c.blank(root.ino, Want::new(Kind::Inode, root.ino));
    let core = InodeCore::of_mut(&mut block);
    core.generation = root.generation.into();
    core.mode = (MODE_DIRECTORY | 0o755).into();
    core.nlink = 2.into();
    core.blocks = 1.into();
    core.parent = root.ino.into();
    core.form = FORM_INLINE_DIR;
    let made = Timestamp::new(c.superblock.created);
    (core.atime, core.mtime, core.ctime, core.btime) = (made, made, made, made);
    c.put(root.ino, block.clone());
    block
}

/// Follows the names of a directory, and of those in it.
pub(crate) async fn follow(c: &mut Check, first: Directory) -> Result<(), Gone> {
    let mut todo = vec![first];
    while let Some(directory) = todo.pop() {
        let mut kept = Vec::with_capacity(directory.names.len());
        for some in directory.names.chunks(BATCH) {
            follow_some(c, directory.ino, some, &mut kept, &mut todo).await?;
        }
        c.report.names += kept.len() as u64;
        count_entries(c, directory.ino, kept.len() as u64).await?;
        if kept.len() < directory.names.len() {
            c.work.push(Work::Names { ino: directory.ino, names: kept });
        }
    }
    Ok(())
}

async fn count_entries(c: &mut Check, ino: u64, names: u64) -> Result<(), Gone> {
    let want = Want::new(Kind::Inode, ino);
    let Ok(block) = c.reader.get(ino, want).await? else {
        return Ok(());
    };
    let told = InodeCore::of(&block).entries.get();
    if told != names {
        c.note(
            Code::EntryCount,
            ino,
            format!("directory {ino} tells of {told} names and holds {names}"),
        );
        c.mend(ino, want, |block| InodeCore::of_mut(block).entries = names.into()).await?;
    }
    Ok(())
}

async fn follow_some(
    c: &mut Check,
    within: u64,
    names: &[Named],
    kept: &mut Vec<Named>,
    todo: &mut Vec<Directory>,
) -> Result<(), Gone> {
    let wanted: Vec<_> =
        names.iter().map(|name| (name.ino, Want::new(Kind::Inode, name.ino))).collect();
    let looks = c.reader.get_many(&wanted).await?;
    for (name, found) in names.iter().zip(looks) {
        let block = match found {
            Ok(block) => Some(block),
            Err(damage) => {
                c.note_damage(Code::Inode, damage, "its fields are mended, or its names removed");
                mend_fields(c, damage).await?
            }
        };
        let Some(block) = block else {
            let text = format!("'{}' in directory {within} leads to no inode", shown(name));
            c.note(Code::DirEntry, within, text);
            continue;
        };
        if let Some(why) = meet(c, within, name, &block, todo).await? {
            let text = format!("'{}' in directory {within} {why}", shown(name));
            c.note(Code::DirEntry, within, text);
            continue;
        }
        kept.push(name.clone());
    }
    Ok(())
}

fn shown(name: &Named) -> String {
    String::from_utf8_lossy(&name.name).chars().flat_map(char::escape_debug).collect()
}

/// A name leads to an inode: it is met for the first time, or again. Why the name cannot stay.
async fn meet(
    c: &mut Check,
    within: u64,
    name: &Named,
    block: &Rc<Block>,
    todo: &mut Vec<Directory>,
) -> Result<Option<&'static str>, Gone> {
    let core = InodeCore::of(block);
    if core.generation.get() != name.generation {
        return Ok(Some("leads to an inode that is another one by now"));
    }
    if u32::from(name.file_type) != core.file_type() >> 12 {
        return Ok(Some("tells of another type than its inode"));
    }
    if let Some(seen) = c.inodes.get_mut(&name.ino) {
        if seen.is_directory {
            return Ok(Some("is a second name of a directory"));
        }
        seen.found += 1;
        return Ok(None);
    }
    let at = InodeRef { ino: name.ino, generation: name.generation };
    let look = enter(c, at, within, block).await?;
    if look.core.is_directory() {
        if let Some(parent) = c.inodes.get_mut(&within) {
            parent.found += 1;
        }
        todo.push(Directory { ino: name.ino, names: look.names });
    }
    Ok(None)
}

/// An inode is met for the first time.
pub(crate) async fn enter(
    c: &mut Check,
    at: InodeRef,
    within: u64,
    block: &Rc<Block>,
) -> Result<Look, Gone> {
    let look = look(c, at.ino, block).await?;
    c.claim_block(at.ino);
    c.report.inodes += 1;
    let core = &look.core;
    let is_directory = core.is_directory();
    let seen = Seen {
        generation: at.generation,
        nlink: core.nlink.get(),
        found: if is_directory { 2 } else { 1 },
        parent: core.parent.get(),
        found_in: within,
        is_directory,
        is_orphan: false,
    };
    c.inodes.insert(at.ino, seen);
    let (told, owned) = (core.blocks.get(), look.blocks);
    if told != owned {
        let text = format!("inode {} tells of {told} blocks and owns {owned}", at.ino);
        c.note(Code::InodeBlocks, at.ino, text);
        let want = Want::new(Kind::Inode, at.ino);
        c.mend(at.ino, want, |block| InodeCore::of_mut(block).blocks = owned.into()).await?;
    }
    Ok(look)
}

impl Directory {
    /// A directory that was met, and its names.
    pub(crate) fn new(ino: u64, names: Vec<Named>) -> Directory {
        Directory { ino, names }
    }
}

/// Whether a damage may be in the fields of a dinode that is otherwise sound.
pub(crate) fn is_in_fields(fault: Fault) -> bool {
    matches!(fault, Fault::Field(_) | Fault::Reserved)
}

/// Compares what names lead to with what inodes tell.
pub(crate) async fn compare(c: &mut Check) -> Result<(), Gone> {
    let wrong: Vec<(u64, Seen)> = c
        .inodes
        .iter()
        .filter(|(_, seen)| !seen.is_orphan)
        .filter(|(_, seen)| {
            seen.found != seen.nlink || (seen.is_directory && seen.parent != seen.found_in)
        })
        .map(|(ino, seen)| (*ino, *seen))
        .collect();
    for (ino, seen) in wrong {
        if seen.found != seen.nlink {
            let text = format!("inode {ino} tells of {} links and has {}", seen.nlink, seen.found);
            c.note(Code::LinkCount, ino, text);
        }
        if seen.is_directory && seen.parent != seen.found_in {
            let text = format!("directory {ino} is in {} and names {}", seen.found_in, seen.parent);
            c.note(Code::Parent, ino, text);
        }
        let (nlink, parent) = (seen.found, seen.found_in);
        c.mend(ino, Want::new(Kind::Inode, ino), |block| {
            let core = InodeCore::of_mut(block);
            core.nlink = nlink.into();
            core.parent = if seen.is_directory { parent.into() } else { core.parent };
        })
        .await?;
    }
    Ok(())
}
