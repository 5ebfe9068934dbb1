//! Where everything lies on a volume: arithmetic over the numbers that the superblock holds.

use super::BLOCK_LEN;

/// The superblock, 64 KiB into the volume.
pub const SUPER_AT: u64 = 16;
/// The two copies of the view.
pub const VIEWS_AT: u64 = 32;
/// The heartbeat of slot 0; one block a slot.
pub const HEARTBEATS_AT: u64 = 64;
/// The mail of slot 0; one block a slot.
pub const MAIL_AT: u64 = 128;
/// The block of slot 0; one block a slot.
pub const SLOTS_AT: u64 = 192;
/// The map of initialised groups.
pub const GROUP_MAP_AT: u64 = 256;
/// Blocks of the map of groups.
pub const GROUP_MAP_BLOCKS: u64 = 33;
/// Blocks before the header of group 0.
pub const STATIC_BLOCKS: u64 = 320;
/// Slots of a volume.
pub const SLOTS: u16 = 64;
/// Bits that one bitmap block holds.
pub const BITS_PER_BLOCK: u64 = 32_000;
/// The shortest group that is used, in blocks.
pub const GROUP_BLOCKS_MIN: u64 = 256;

/// The numbers that say where things lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Geometry {
    /// Blocks of the volume.
    pub blocks: u64,
    /// Blocks of a group but for the last one; a power of two.
    pub group_blocks: u32,
    /// Blocks of a journal.
    pub journal_blocks: u32,
}

impl Geometry {
    /// Groups of the volume; a last one that is too short to be used does not count.
    pub fn groups(&self) -> u32 {
        let whole = self.blocks / u64::from(self.group_blocks);
        let rest = self.blocks % u64::from(self.group_blocks);
        (whole + u64::from(rest >= GROUP_BLOCKS_MIN)) as u32
    }

    /// The group that a block belongs to.
    pub fn group_of(&self, bno: u64) -> u32 {
        (bno / u64::from(self.group_blocks)) as u32
    }

    /// The first block of a group.
    pub fn group_start(&self, group: u32) -> u64 {
        u64::from(group) * u64::from(self.group_blocks)
    }

    /// Blocks of one group.
    pub fn group_len(&self, group: u32) -> u64 {
        u64::from(self.group_blocks).min(self.blocks - self.group_start(group))
    }

    /// The header of a group.
    pub fn group_header(&self, group: u32) -> u64 {
        if group == 0 { STATIC_BLOCKS } else { self.group_start(group) }
    }

    /// Blocks of one group's bitmap; they follow its header.
    pub fn bitmap_blocks(&self, group: u32) -> u32 {
        self.group_len(group).div_ceil(BITS_PER_BLOCK) as u32
    }

    /// The volume's size in bytes.
    pub fn len(&self) -> u64 {
        self.blocks * BLOCK_LEN as u64
    }

    /// True where the volume has no blocks.
    pub fn is_empty(&self) -> bool {
        self.blocks == 0
    }
}
