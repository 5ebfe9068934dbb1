//! A node's sign of life: one block a slot, written by the node in the slot only.
//!
//! A block of zeroes says that the slot was never used. Nothing here is covered by the journal.

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::view::{table, table_mut};
use super::{BLOCK_LEN, HEADER_LEN};
use crate::store::Block;

/// The node left in order.
pub const HEARTBEAT_GONE: u32 = 0;
/// The node lives as long as `seq` moves.
pub const HEARTBEAT_ALIVE: u32 = 1;

/// What follows the header in a heartbeat block.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct HeartbeatCore {
    /// [`HEARTBEAT_GONE`] or [`HEARTBEAT_ALIVE`].
    pub state: U32,
    /// Milliseconds between two beats.
    pub interval_ms: U32,
    /// Rises with every beat.
    pub seq: U64,
    /// The life of the node in this slot: the slot block's incarnation.
    pub incarnation: U64,
    /// The oldest version that the node's journal might still replay.
    pub oldest: U64,
    /// The node's clock of versions.
    pub clock: U64,
    /// The slots that this node reaches: bit n for slot n.
    pub reach: U64,
    /// Wall clock at the beat, in nanoseconds since 1970: for people only.
    pub wall: U64,
    /// The name of the host, UTF-8, padded with zeroes: for people only.
    pub host: [u8; 64],
    /// For each slot, the `seq` that this node saw there last, cut to 32 bits.
    pub seen: [U32; 64],
    /// Zero.
    pub reserved: [u8; 3656],
}

const _: () = assert!(HEADER_LEN + size_of::<HeartbeatCore>() == BLOCK_LEN);

impl HeartbeatCore {
    /// The table in a heartbeat block.
    pub fn of(block: &Block) -> &HeartbeatCore {
        table(block, HEADER_LEN)
    }

    /// The table in a heartbeat block, to be changed.
    pub fn of_mut(block: &mut Block) -> &mut HeartbeatCore {
        table_mut(block, HEADER_LEN)
    }

    /// The name of the host, as far as it is text.
    pub fn host_name(&self) -> String {
        super::text_of(&self.host)
    }
}
