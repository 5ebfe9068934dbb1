//! Where everything lies on a volume: arithmetic over the numbers that the superblock holds.
//!
//! Invariants: places never depend on the volume's length, so that a volume that grows keeps them;
//! the bitmap of a group that is cut short has the blocks of a whole one.

use super::BLOCK_LEN;
use crate::store::Run;

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
/// The most groups of a volume: what the map of groups has bits for.
pub const GROUPS_MAX: u64 = GROUP_MAP_BLOCKS * BITS_PER_BLOCK;

/// Copies of the superblock are the last blocks before 64 MiB, 1, 4, 16, 64, 256 GiB and 1 TiB: at
/// the end of a group or inside one, never where a header, a bitmap or the static area lies.
pub const BACKUPS_AT: [u64; 7] = [
    (1 << 14) - 1,
    (1 << 18) - 1,
    (1 << 20) - 1,
    (1 << 22) - 1,
    (1 << 24) - 1,
    (1 << 26) - 1,
    (1 << 28) - 1,
];

/// The numbers that say where things lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Geometry {
    /// Blocks of the volume.
    pub blocks: u64,
    /// Blocks of a group but for the last one; a power of two.
    pub group_blocks: u32,
    /// Blocks of a journal.
    pub journal_blocks: u32,
    /// Journals that were made with the volume: those of slots 0 to `journals` - 1.
    pub journals: u16,
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

    /// Blocks of every group's bitmap; they follow its header.
    pub fn bitmap_blocks(&self) -> u32 {
        u64::from(self.group_blocks).div_ceil(BITS_PER_BLOCK) as u32
    }

    /// The block of the slot table that belongs to `slot`.
    pub fn slot_block(&self, slot: u16) -> u64 {
        SLOTS_AT + u64::from(slot)
    }

    /// The volume's size in bytes.
    pub fn len(&self) -> u64 {
        self.blocks * BLOCK_LEN as u64
    }

    /// True where the volume has no blocks.
    pub fn is_empty(&self) -> bool {
        self.blocks == 0
    }

    /// True where a run of blocks lies inside one group that is used.
    pub fn is_inside_group(&self, run: Run) -> bool {
        let Some(last) = run.start.checked_add(run.len).and_then(|end| end.checked_sub(1)) else {
            return false;
        };
        let group = run.start / u64::from(self.group_blocks);
        run.len > 0
            && last < self.blocks
            && group == last / u64::from(self.group_blocks)
            && group < u64::from(self.groups())
    }

    /// The copies of the superblock that lie inside the volume.
    pub fn backups(&self) -> impl Iterator<Item = u64> + use<> {
        let blocks = self.blocks;
        BACKUPS_AT.into_iter().filter(move |at| *at < blocks)
    }

    /// Where the journal of a slot lies that was made with the volume; None for slots that get
    /// theirs when they are first taken, and where the volume has no room for it.
    pub fn journal_at(&self, slot: u16) -> Option<Run> {
        let most = u64::from(self.group_blocks).saturating_sub(1 + u64::from(self.bitmap_blocks()));
        if slot >= self.journals || u64::from(self.journal_blocks) > most {
            return None;
        }
        let mut before = 0;
        (0..self.groups()).find_map(|group| {
            let wanted = usize::from(slot) - before;
            let here = self.journal_places(group).take(wanted + 1);
            let (count, last) = here.fold((0, None), |(count, _), run| (count + 1, Some(run)));
            before += count;
            last.filter(|_| count == wanted + 1)
        })
    }

    /// The runs of a group that are in use before anything is allocated in it, in order: the static
    /// area, header and bitmap, copies of the superblock, journals. Neighbours are joined.
    pub fn reserved(&self, group: u32) -> Vec<Run> {
        let header = self.group_header(group);
        let bitmap = header + 1 + u64::from(self.bitmap_blocks());
        let start = self.group_start(group);
        let mut runs = vec![Run { start, len: bitmap - start }];
        runs.extend(self.backups_in(group).map(|start| Run { start, len: 1 }));
        let journals = (0..self.journals).map_while(|slot| self.journal_at(slot));
        runs.extend(journals.filter(|run| self.group_of(run.start) == group));
        runs.sort_unstable();
        runs.into_iter().fold(Vec::new(), joined)
    }

    /// How many blocks of a group [`Geometry::reserved`] names.
    pub fn reserved_len(&self, group: u32) -> u64 {
        self.reserved(group).iter().map(|run| run.len).sum()
    }

    /// Blocks of the whole volume that can be allocated: those of groups, less what is reserved.
    pub fn allocatable(&self) -> u64 {
        let Some(last) = self.groups().checked_sub(1) else { return 0 };
        let end = self.group_start(last) + self.group_len(last);
        let heads = u64::from(last + 1) * u64::from(1 + self.bitmap_blocks());
        let backups = BACKUPS_AT.iter().filter(|at| **at < end).count() as u64;
        let journals = u64::from(self.journals) * u64::from(self.journal_blocks);
        end.saturating_sub(STATIC_BLOCKS + heads + backups + journals)
    }

    fn backups_in(&self, group: u32) -> impl Iterator<Item = u64> + use<> {
        let (start, len) = (self.group_start(group), self.group_len(group));
        BACKUPS_AT.into_iter().filter(move |at| *at >= start && *at - start < len)
    }

    /// The places for journals in a group: one after the other behind the bitmap, around the copies
    /// of the superblock.
    fn journal_places(&self, group: u32) -> impl Iterator<Item = Run> + use<> {
        let len = u64::from(self.journal_blocks);
        let end = self.group_start(group) + self.group_len(group);
        let backups: Vec<u64> = self.backups_in(group).collect();
        let mut at = self.group_header(group) + 1 + u64::from(self.bitmap_blocks());
        std::iter::from_fn(move || {
            let blocks = |at: u64| backups.iter().find(|bno| (at..at + len).contains(bno));
            while let Some(backup) = blocks(at) {
                at = backup + 1;
            }
            let run = Run { start: at, len };
            at += len;
            (at <= end).then_some(run)
        })
    }
}

fn joined(mut runs: Vec<Run>, run: Run) -> Vec<Run> {
    match runs.last_mut().filter(|last| last.start + last.len == run.start) {
        Some(last) => last.len += run.len,
        None => runs.push(run),
    }
    runs
}

#[cfg(test)]
mod tests;
