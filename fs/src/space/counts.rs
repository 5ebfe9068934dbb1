//! What the slots' blocks count: blocks in use and inodes, as deltas of the operations of each.

use crate::format::{InodeCore, Kind, SLOTS, SlotCore};
use crate::store::{Op, Stop, Want};

/// What the volume holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Blocks in use, without what is reserved.
    pub blocks: u64,
    /// Inodes.
    pub inodes: u64,
}

fn change(op: &mut Op<'_>, apply: impl FnOnce(&mut SlotCore)) -> Result<(), Stop> {
    let slot = op.slot();
    let bno = op.geometry().slot_block(slot);
    let block = op.edit(bno, Want::new(Kind::Slot, u64::from(slot)))?;
    apply(SlotCore::of_mut(block));
    Ok(())
}

/// Counts blocks that came into use, or left it.
pub(super) fn count_blocks(op: &mut Op<'_>, delta: i64) -> Result<(), Stop> {
    change(op, |core| core.blocks_used.set(core.blocks_used.get().wrapping_add(delta)))
}

/// Counts inodes that were made, or ended.
pub fn count_inodes(op: &mut Op<'_>, delta: i64) -> Result<(), Stop> {
    change(op, |core| core.inodes.set(core.inodes.get().wrapping_add(delta)))
}

/// Counts blocks of an inode. A count that would fall below zero stays there: it is for people, and
/// `byway fsck` sets it right.
pub(crate) fn count_of_inode(op: &mut Op<'_>, ino: u64, delta: i64) -> Result<(), Stop> {
    let core = InodeCore::of_mut(op.edit(ino, Want::new(Kind::Inode, ino))?);
    core.blocks.set(core.blocks.get().saturating_add_signed(delta));
    Ok(())
}

/// The sums over all slots.
pub fn usage(op: &Op<'_>) -> Result<Usage, Stop> {
    let (mut blocks, mut inodes) = (0_i64, 0_i64);
    for slot in 0..SLOTS {
        let bno = op.geometry().slot_block(slot);
        let block = op.read(bno, Want::new(Kind::Slot, u64::from(slot)))?;
        let core = SlotCore::of(&block);
        blocks = blocks.wrapping_add(core.blocks_used.get());
        inodes = inodes.wrapping_add(core.inodes.get());
    }
    Ok(Usage { blocks: blocks.max(0).unsigned_abs(), inodes: inodes.max(0).unsigned_abs() })
}
