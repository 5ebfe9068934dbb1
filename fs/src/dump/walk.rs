//! Structures of several blocks, read from a device.

use std::fmt;
use std::rc::Rc;

use byway_engine::api::Disk;
use byway_engine::block::BlockDevice;
use byway_engine::core::Core;
use byway_engine::error::{IoError, SetupError};

use super::{Map, Node, block};
use crate::format::{
    BACKUPS_AT, BLOCK_LEN, BODY_AT, Geometry, HEADER_LEN, InodeCore, Kind, SLOTS, SUPER_AT,
    SlotCore, SuperError, Superblock, check, header, tree_children, tree_head, tree_records,
};
use crate::journal::{Fed, Head, JournalPlace, Scan};
use crate::store::{Block, Want};

/// Blocks that one dump shows at most.
pub const DUMP_BLOCKS_MAX: usize = 4096;

/// What to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The superblock.
    Super,
    /// A copy of the superblock, by its number from 0 on.
    Backup(usize),
    /// The block of a slot.
    Slot(u16),
    /// The header of a group, and its bitmap.
    Group(u32),
    /// The map of initialised groups.
    GroupMap,
    /// A dinode, and all blocks of metadata that it leads to.
    Inode(u64),
    /// The journal of a slot: its head, and the commits that a replay would find.
    Journal(u16),
    /// A block, whatever it is.
    Block(u64),
}

/// Why there is nothing to show.
#[derive(Debug)]
pub enum DumpError {
    /// There is no superblock, not even a copy.
    Super(SuperError),
    /// The volume has no such thing; the words name it.
    NoSuch(String),
    /// The core has no memory left.
    Memory,
    /// The device cannot be opened.
    Setup(SetupError),
    /// The device failed.
    Io(Box<IoError>),
}

/// A device that carries a volume.
pub struct Walker {
    disk: Disk,
    superblock: Superblock,
}

impl Walker {
    /// Opens a device and finds the superblock, or the first copy of it that is sound.
    pub async fn open(core: &Rc<Core>, device: &dyn BlockDevice) -> Result<Walker, DumpError> {
        let disk = Disk::open(core, device).map_err(DumpError::Setup)?;
        let mut primary = None;
        for bno in [SUPER_AT].into_iter().chain(BACKUPS_AT) {
            if (bno + 1) * BLOCK_LEN as u64 > disk.info().size {
                break;
            }
            match Superblock::parse(&read(&disk, bno).await?, bno) {
                Ok(superblock) => return Ok(Walker { disk, superblock }),
                Err(error) => _ = primary.get_or_insert(error),
            }
        }
        Err(DumpError::Super(primary.unwrap_or(SuperError::Absent)))
    }

    /// The superblock that was found.
    pub fn superblock(&self) -> &Superblock {
        &self.superblock
    }

    /// Shows a structure.
    pub async fn dump(&self, target: Target) -> Result<Node, DumpError> {
        let geometry = self.superblock.geometry;
        match target {
            Target::Super => self.one(SUPER_AT).await,
            Target::Backup(index) => {
                let bno = geometry.backups().nth(index);
                self.one(bno.ok_or_else(|| no_such("copy", index as u64))?).await
            }
            Target::Slot(slot) => self.one(slot_block(&geometry, slot)?).await,
            Target::Group(group) => self.group(group).await,
            Target::GroupMap => {
                let first = crate::format::GROUP_MAP_AT;
                let blocks = u64::from(geometry.groups()).div_ceil(crate::format::BITS_PER_BLOCK);
                self.many(first..first + blocks).await
            }
            Target::Inode(ino) => self.inode(ino).await,
            Target::Journal(slot) => self.journal(slot).await,
            Target::Block(bno) => self.one(bno).await,
        }
    }

    async fn read(&self, bno: u64) -> Result<Block, DumpError> {
        match bno < self.superblock.geometry.blocks {
            true => read(&self.disk, bno).await,
            false => Err(no_such("block", bno)),
        }
    }

    fn show(&self, bno: u64, content: &Block) -> Node {
        block(bno, content, Some(&self.superblock.uuid)).into()
    }

    async fn one(&self, bno: u64) -> Result<Node, DumpError> {
        Ok(self.show(bno, &self.read(bno).await?))
    }

    async fn many(&self, blocks: std::ops::Range<u64>) -> Result<Node, DumpError> {
        let mut all = Vec::new();
        for bno in blocks {
            all.push(self.one(bno).await?);
        }
        Ok(all.into())
    }

    async fn group(&self, group: u32) -> Result<Node, DumpError> {
        let geometry = &self.superblock.geometry;
        if group >= geometry.groups() {
            return Err(no_such("group", group.into()));
        }
        let header = geometry.group_header(group);
        let map = Map::new().put("header", self.one(header).await?);
        let bitmap = header + 1..header + 1 + u64::from(geometry.bitmap_blocks());
        Ok(map.put("bitmap", self.many(bitmap).await?).into())
    }

    /// A dinode and, level by level, what it leads to. Nothing is shown twice.
    async fn inode(&self, ino: u64) -> Result<Node, DumpError> {
        let dinode = self.read(ino).await?;
        let map = Map::new().put("dinode", self.show(ino, &dinode));
        let mut waiting = children_of_dinode(&dinode);
        let (mut seen, mut blocks, mut at) = (Vec::new(), Vec::new(), 0);
        while let Some(bno) = waiting.get(at).copied() {
            at += 1;
            if blocks.len() >= DUMP_BLOCKS_MAX {
                break;
            }
            if seen.contains(&bno) || bno >= self.superblock.geometry.blocks {
                continue;
            }
            seen.push(bno);
            let child = self.read(bno).await?;
            blocks.push(self.show(bno, &child));
            if self.belongs(&child, bno, ino) {
                waiting.extend(children_of_node(&child));
            }
        }
        Ok(map.put("blocks", blocks).put("is_cut", at < waiting.len()).into())
    }

    /// True for a sound block of an inode.
    fn belongs(&self, block: &Block, bno: u64, ino: u64) -> bool {
        let kind = Kind::from_code(header(block.bytes()).kind.get());
        let sound = |kind| check(block.bytes(), &self.superblock.uuid, bno, Want::new(kind, ino));
        kind.is_some_and(|kind| sound(kind).is_ok())
    }

    async fn journal(&self, slot: u16) -> Result<Node, DumpError> {
        let geometry = &self.superblock.geometry;
        let block = self.read(slot_block(geometry, slot)?).await?;
        let core = SlotCore::of(&block);
        let (start, blocks) = (core.journal_start.get(), core.journal_blocks.get());
        let end = start.saturating_add(blocks.into());
        if u64::from(blocks) <= crate::format::JOURNAL_HEADS || end > geometry.blocks {
            return Err(no_such("journal of slot", slot.into()));
        }
        let place = JournalPlace { uuid: self.superblock.uuid, slot, start, blocks };
        let heads = [self.read(start).await?, self.read(start + 1).await?];
        let map = Map::new()
            .put("start", start)
            .put("blocks", blocks)
            .put("heads", vec![self.show(start, &heads[0]), self.show(start + 1, &heads[1])]);
        match Head::of_copies(&place, [&heads[0], &heads[1]]) {
            Ok(head) => Ok(map.put("commits", self.commits(place, &head).await?).into()),
            Err(damage) => Ok(map.put("fault", damage.to_string()).into()),
        }
    }

    /// The commits from the tail on, until one does not follow.
    async fn commits(&self, place: JournalPlace, head: &Head) -> Result<Vec<Node>, DumpError> {
        let mut scan = Scan::new(place, head);
        let mut commits = Vec::new();
        for _ in 0..place.ring() {
            let (seq, start) = scan.end();
            let bno = place.bno(scan.position());
            match scan.feed(&self.read(bno).await?) {
                Fed::More => {}
                Fed::End => break,
                Fed::Commit(changes) => {
                    let changes = changes.iter().map(|change| {
                        let image = change.image.map(|(pos, _)| place.bno(pos));
                        Map::new()
                            .put("bno", change.bno)
                            .put("kind", change.want.kind.name())
                            .put("owner", change.want.owner)
                            .put("version", change.version)
                            .put("image", image.map_or("freed".into(), Node::from))
                            .into()
                    });
                    let changes = changes.collect::<Vec<Node>>();
                    let map = Map::new().put("seq", seq).put("first", place.bno(start));
                    commits.push(map.put("changes", changes).into());
                }
            }
        }
        Ok(commits)
    }
}

fn slot_block(geometry: &Geometry, slot: u16) -> Result<u64, DumpError> {
    let bno = (slot < SLOTS).then(|| geometry.slot_block(slot));
    bno.ok_or_else(|| no_such("slot", slot.into()))
}

/// The blocks that a dinode leads to: children of its body's tree, leaves of a directory whose
/// index has one level, the root of its attributes.
fn children_of_dinode(dinode: &Block) -> Vec<u64> {
    let core = InodeCore::of(dinode);
    let body = &dinode.bytes()[BODY_AT..][..core.body_len()];
    let mut all = match core.form {
        crate::format::FORM_EXTENTS => children_of_area(body, false),
        crate::format::FORM_INDEXED_DIR => children_of_area(body, true),
        _ => Vec::new(),
    };
    all.extend(Some(core.xattr_root.get()).filter(|bno| *bno != 0));
    all
}

/// The blocks that a node leads to.
fn children_of_node(node: &Block) -> Vec<u64> {
    let area = &node.bytes()[HEADER_LEN..];
    match Kind::from_code(header(node.bytes()).kind.get()) {
        Some(Kind::ExtentNode) => children_of_area(area, false),
        Some(Kind::DirNode | Kind::XattrNode) => children_of_area(area, true),
        Some(Kind::XattrValue) => {
            let head: &crate::format::XattrValueHead = crate::format::view::table(node, HEADER_LEN);
            Some(head.next.get()).filter(|bno| *bno != 0).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// The children of an area; those of a leaf where its records name blocks of metadata.
fn children_of_area(area: &[u8], records_lead: bool) -> Vec<u64> {
    let head = tree_head(area);
    let count = usize::from(head.count.get());
    match head.level.get() {
        0 if records_lead => {
            tree_records(area, count).iter().map(|record| record.value.get()).collect()
        }
        0 => Vec::new(),
        _ => tree_children(area, count).iter().map(|child| child.child.get()).collect(),
    }
}

async fn read(disk: &Disk, bno: u64) -> Result<Block, DumpError> {
    let lease = disk.core().lease(BLOCK_LEN as u32).ok_or(DumpError::Memory)?;
    let (result, lease) = disk.read(bno * BLOCK_LEN as u64, lease).await;
    result.map_err(DumpError::Io)?;
    Ok(Block::from_bytes(lease.first_chunk().expect("the lease has a block's length")))
}

fn no_such(what: &str, number: u64) -> DumpError {
    DumpError::NoSuch(format!("{what} {number}"))
}

impl fmt::Display for DumpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DumpError::Super(error) => error.fmt(f),
            DumpError::NoSuch(what) => write!(f, "the volume has no {what}: see `byway fs info`"),
            DumpError::Memory => f.write_str("no memory for a read: give cores more"),
            DumpError::Setup(error) => error.fmt(f),
            DumpError::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for DumpError {}
