//! The block of a slot: what the volume remembers of the node that is, or was, mounted in it.
//!
//! Invariants: the counts are deltas, the sum over all slots is the volume's; they may be negative
//! in one slot. A slot without a journal of its own has `journal_start` 0.

use zerocopy::little_endian::{I64, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::view::{table, table_mut};
use super::{BLOCK_LEN, HEADER_LEN, Kind};
use crate::store::{Block, Damage, Fault, Want};

/// Nobody is mounted in the slot, and its journal has nothing to replay.
pub const SLOT_CLEAN: u32 = 0;
/// A node is mounted, or died while it was.
pub const SLOT_MOUNTED: u32 = 1;

/// The root area of the slot's tree of orphans begins here in its block.
pub const SLOT_ORPHANS_AT: usize = 1024;
/// Bytes of that root area: to the end of the block.
pub const SLOT_ORPHANS_LEN: usize = 3072;

/// What follows the header in the block of a slot.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct SlotCore {
    /// [`SLOT_CLEAN`] or [`SLOT_MOUNTED`].
    pub state: U32,
    /// Blocks of the slot's journal; 0 without one.
    pub journal_blocks: U32,
    /// The first block of the slot's journal; 0 without one.
    pub journal_start: U64,
    /// How often the slot was taken: a life of a node is named by slot and incarnation.
    pub incarnation: U64,
    /// The greatest version that was used in the slot when its state was written.
    pub clock: U64,
    /// Blocks that operations of this slot took less those that they gave back.
    pub blocks_used: I64,
    /// Inodes that operations of this slot made less those that they ended.
    pub inodes: I64,
    /// Zero.
    pub reserved: [u8; 912],
}

const _: () = assert!(HEADER_LEN + size_of::<SlotCore>() == SLOT_ORPHANS_AT);
const _: () = assert!(SLOT_ORPHANS_AT + SLOT_ORPHANS_LEN == BLOCK_LEN);

impl SlotCore {
    /// The table in the block of a slot.
    pub fn of(block: &Block) -> &SlotCore {
        table(block, HEADER_LEN)
    }

    /// The table in the block of a slot, to be changed.
    pub fn of_mut(block: &mut Block) -> &mut SlotCore {
        table_mut(block, HEADER_LEN)
    }

    /// Judges the fields; where the journal lies is judged where it is used.
    pub fn check(&self, bno: u64, slot: u16) -> Result<(), Damage> {
        let want = Want::new(Kind::Slot, u64::from(slot));
        if self.state.get() > SLOT_MOUNTED {
            return Err(Damage::field(bno, want, "state"));
        }
        if (self.journal_start.get() == 0) != (self.journal_blocks.get() == 0) {
            return Err(Damage::field(bno, want, "journal"));
        }
        match self.reserved.iter().all(|byte| *byte == 0) {
            true => Ok(()),
            false => Err(Damage { bno, want, fault: Fault::Reserved }),
        }
    }
}
