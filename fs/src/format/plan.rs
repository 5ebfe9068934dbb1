//! Choosing the numbers of a new volume, and judging those of an old one.

use std::fmt;

use super::{BITS_PER_BLOCK, BLOCK_LEN, GROUPS_MAX, Geometry, SLOTS};

/// Blocks of the smallest volume: 8 MiB.
pub const VOLUME_BLOCKS_MIN: u64 = 2048;
/// Blocks of the smallest group size: 8 MiB.
pub const GROUP_SIZE_MIN: u32 = 2048;
/// Blocks of the greatest group size: 16 GiB.
pub const GROUP_SIZE_MAX: u32 = 1 << 22;
/// Blocks of the group size of a volume that has room for it: 1 GiB.
pub const GROUP_SIZE_DEFAULT: u32 = 1 << 18;
/// Blocks of the smallest journal: 1 MiB.
pub const JOURNAL_BLOCKS_MIN: u32 = 256;
/// Blocks of the greatest journal: 1 GiB.
pub const JOURNAL_BLOCKS_MAX: u32 = 1 << 18;
/// Blocks of the journal of a volume that has room for it: 256 MiB.
pub const JOURNAL_BLOCKS_DEFAULT: u32 = 1 << 16;
/// Journals that are made with the volume where it has room for them.
pub const JOURNALS_DEFAULT: u16 = 8;

/// A small volume is divided into at least so many groups, if they stay large enough.
const GROUPS_WANTED: u64 = 16;

/// What the maker of a volume asks for; None leaves the choice to [`Geometry::plan`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlanOptions {
    /// Bytes of a group: a power of two from 8 MiB to 16 GiB.
    pub group_len: Option<u64>,
    /// Bytes of a journal: from 1 MiB to 1 GiB, whole blocks.
    pub journal_len: Option<u64>,
    /// Journals to make at once: 1 to 64.
    pub journals: Option<u16>,
}

/// Why no volume can be made as asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanError {
    /// The device is smaller than the smallest volume; its bytes.
    TooSmall(u64),
    /// The device has more groups of this size than a volume can have.
    TooManyGroups,
    /// The size of a group is no power of two from 8 MiB to 16 GiB.
    GroupLen(u64),
    /// The size of a journal is not whole blocks from 1 MiB to 1 GiB.
    JournalLen(u64),
    /// The number of journals is not from 1 to 64.
    Journals(u16),
    /// So many journals of this size have no room.
    NoRoomForJournals,
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlanError::TooSmall(len) => {
                write!(f, "{len} bytes are too few for a volume: it takes at least 8 MiB")
            }
            PlanError::TooManyGroups => {
                write!(f, "more than {GROUPS_MAX} groups: choose a larger --group-size")
            }
            PlanError::GroupLen(len) => {
                write!(f, "a group of {len} bytes: choose a power of two from 8M to 16G")
            }
            PlanError::JournalLen(len) => {
                write!(f, "a journal of {len} bytes: choose whole blocks from 1M to 1G")
            }
            PlanError::Journals(count) => write!(f, "{count} journals: choose 1 to {SLOTS}"),
            PlanError::NoRoomForJournals => {
                f.write_str("no room for the journals: choose a smaller --journal-size or fewer")
            }
        }
    }
}

impl std::error::Error for PlanError {}

impl Geometry {
    /// The numbers of a new volume on a device of `len` bytes.
    pub fn plan(len: u64, options: &PlanOptions) -> Result<Geometry, PlanError> {
        let blocks = len / BLOCK_LEN as u64;
        if blocks < VOLUME_BLOCKS_MIN {
            return Err(PlanError::TooSmall(len));
        }
        let group_blocks = group_size(blocks, options.group_len)?;
        let journal_blocks = journal_size(blocks, group_blocks, options.journal_len)?;
        let mut geometry = Geometry { blocks, group_blocks, journal_blocks, journals: 0 };
        if blocks.div_ceil(u64::from(group_blocks)) > GROUPS_MAX {
            return Err(PlanError::TooManyGroups);
        }
        geometry.journals = match options.journals {
            Some(count) if count == 0 || count > SLOTS => return Err(PlanError::Journals(count)),
            Some(count) => count,
            None => journals_for(blocks, journal_blocks),
        };
        while !geometry.has_room_for_journals() {
            geometry.journals -= 1;
            if options.journals.is_some() || geometry.journals == 0 {
                return Err(PlanError::NoRoomForJournals);
            }
        }
        Ok(geometry)
    }

    /// Judges numbers that were read: Err names the first that cannot be.
    pub fn check(&self) -> Result<(), &'static str> {
        let groups = GROUP_SIZE_MIN..=GROUP_SIZE_MAX;
        if !groups.contains(&self.group_blocks) || !self.group_blocks.is_power_of_two() {
            return Err("group_blocks");
        }
        let most = GROUPS_MAX * u64::from(self.group_blocks);
        if self.blocks < VOLUME_BLOCKS_MIN || self.blocks > most {
            return Err("blocks");
        }
        if !(JOURNAL_BLOCKS_MIN..=JOURNAL_BLOCKS_MAX).contains(&self.journal_blocks) {
            return Err("journal_blocks");
        }
        let journals = 1..=SLOTS;
        if !journals.contains(&self.journals) || !self.has_room_for_journals() {
            return Err("journals");
        }
        Ok(())
    }

    /// All journals have a place, and some space is left for files.
    fn has_room_for_journals(&self) -> bool {
        self.journals > 0
            && self.journal_at(self.journals - 1).is_some()
            && self.allocatable() >= u64::from(JOURNAL_BLOCKS_MIN)
    }
}

fn group_size(blocks: u64, asked: Option<u64>) -> Result<u32, PlanError> {
    let Some(len) = asked else {
        let shares = (blocks / GROUPS_WANTED).max(1);
        let small = (1 << shares.ilog2()).clamp(GROUP_SIZE_MIN.into(), GROUP_SIZE_DEFAULT.into());
        let needed = blocks.div_ceil(GROUPS_MAX).next_power_of_two();
        let size = small.max(needed);
        return u32::try_from(size)
            .ok()
            .filter(|size| *size <= GROUP_SIZE_MAX)
            .ok_or(PlanError::TooManyGroups);
    };
    let size = u32::try_from(len / BLOCK_LEN as u64).map_err(|_| PlanError::GroupLen(len))?;
    let legal = len.is_power_of_two() && (GROUP_SIZE_MIN..=GROUP_SIZE_MAX).contains(&size);
    legal.then_some(size).ok_or(PlanError::GroupLen(len))
}

fn journal_size(blocks: u64, group_blocks: u32, asked: Option<u64>) -> Result<u32, PlanError> {
    let Some(len) = asked else {
        let share = u32::try_from(blocks / 32).unwrap_or(JOURNAL_BLOCKS_DEFAULT);
        let size = share.min(JOURNAL_BLOCKS_DEFAULT).min(group_blocks / 4);
        return Ok((size - size % JOURNAL_BLOCKS_MIN).max(JOURNAL_BLOCKS_MIN));
    };
    let size = u32::try_from(len / BLOCK_LEN as u64).map_err(|_| PlanError::JournalLen(len))?;
    let range = JOURNAL_BLOCKS_MIN..=JOURNAL_BLOCKS_MAX;
    let legal = len.is_multiple_of(BLOCK_LEN as u64) && range.contains(&size);
    legal.then_some(size).ok_or(PlanError::JournalLen(len))
}

/// As many as a quarter of the volume holds, up to the default.
fn journals_for(blocks: u64, journal_blocks: u32) -> u16 {
    let fit = blocks / 4 / u64::from(journal_blocks);
    fit.clamp(1, JOURNALS_DEFAULT.into()) as u16
}

const _: () = assert!(GROUP_SIZE_MAX as u64 / BITS_PER_BLOCK + 2 < super::GROUP_BLOCKS_MIN);
