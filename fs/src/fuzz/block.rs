//! Blocks of every kind: judged when they arrive, and shown whatever they hold.

use super::{UUID, draft};
use crate::dump::{self, Node};
use crate::format::{Header, KINDS, Kind, seal};
use crate::store::{Block, Memory, Want};

/// The kind of a block, and the bytes after its header.
///
/// # Panics
/// Where a property does not hold.
pub fn fs_block(data: &[u8]) {
    let Some((kind, data)) = data.split_first() else { return };
    let kind = KINDS[usize::from(*kind) % KINDS.len()];
    let geometry = draft().superblock().geometry;
    let (bno, owner) = match kind {
        Kind::Group => (geometry.group_header(1), 1),
        Kind::Bitmap => (geometry.group_header(1) + 1, 1),
        Kind::Slot => (geometry.slot_block(0), 0),
        _ => (1000, 1000),
    };
    let want = Want::new(kind, owner);
    let mut block = Block::zeroed();
    let len = data.len().min(block.bytes().len() - 64);
    block.bytes_mut()[64..64 + len].copy_from_slice(&data[..len]);
    block.set_header(&Header::new(&UUID, bno, want, 3));
    seal(block.bytes_mut());
    let shown = Node::from(dump::block(bno, &block, Some(&UUID)));
    assert!(shown.to_string().contains(kind.name()), "it is shown");
    let mut memory = Memory::after(geometry, UUID, 3);
    if let Err(damage) = memory.store().arrived(bno, want, block) {
        assert_eq!((damage.bno, damage.want), (bno, want));
    }
}
