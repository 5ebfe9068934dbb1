//! Any structure of a volume, for people and programs.
//!
//! [`block`] shows one block, whatever it is: pure, and never at a loss. [`Walker`] reads structures
//! of several blocks from a device: a file's tree, a directory's names, the commits of a journal.
//! Damage does not end a dump: it is shown where it was found.

mod node;
mod parts;
mod tables;
mod walk;

pub use node::{Map, Node};
pub use walk::{DUMP_BLOCKS_MAX, DumpError, Target, Walker};

use crate::format::{HEADER_LEN, Kind, LEAF_AREA_LEN, MAGIC, NODE_AT, check, header};
use crate::store::{Block, Want};

/// One block that was read from `bno`. With the volume's uuid, blocks of others are told.
pub fn block(bno: u64, block: &Block, uuid: Option<&[u8; 16]>) -> Map {
    let head = header(block.bytes());
    let map = Map::new().put("bno", bno);
    if block == &Block::zeroed() {
        return map.put("kind", "zeroes");
    }
    let Some(kind) = Kind::from_code(head.kind.get()).filter(|_| head.magic.get() == MAGIC) else {
        return map.put("kind", "no metadata").put("bytes", tables::bytes(block.bytes()));
    };
    let want = Want::new(kind, head.owner.get());
    let fault = check(block.bytes(), uuid.unwrap_or(&head.uuid), bno, want).err();
    let fault = fault.map_or("none".to_owned(), |damage| damage.fault.to_string());
    let map = map.put("kind", kind.name()).put("fault", fault).put("header", heading(block));
    match content(kind, block) {
        Some(content) => map.put("content", content),
        None => map,
    }
}

fn heading(block: &Block) -> Map {
    let head = header(block.bytes());
    Map::new()
        .put("crc", format!("{:08x}", head.crc.get()))
        .put("uuid", Node::hex(&head.uuid))
        .put("bno", head.bno)
        .put("owner", head.owner)
        .put("version", head.version)
        .put("level", head.level)
        .put("epoch", head.epoch)
        .put("slot", head.slot)
}

fn content(kind: Kind, block: &Block) -> Option<Map> {
    Some(match kind {
        Kind::Super => tables::superblock(block),
        Kind::View | Kind::Mail => return None,
        Kind::Heartbeat => tables::heartbeat(block),
        Kind::Slot => tables::slot(block),
        Kind::GroupMap | Kind::Bitmap => tables::bits(block),
        Kind::JournalHead => tables::journal_head(block),
        Kind::JournalDesc => tables::desc(block),
        Kind::JournalCommit => tables::commit(block),
        Kind::Group => tables::group(block),
        Kind::Inode => tables::inode(block),
        Kind::ExtentNode
        | Kind::DirNode
        | Kind::RefcountNode
        | Kind::PendingNode
        | Kind::OrphanNode
        | Kind::XattrNode => parts::tree(&block.bytes()[NODE_AT..]),
        Kind::DirLeaf => parts::names(&block.bytes()[HEADER_LEN..][..LEAF_AREA_LEN]),
        Kind::XattrValue => tables::xattr_value(block),
    })
}

#[cfg(test)]
mod tests;
