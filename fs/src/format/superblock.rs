//! The superblock: what a volume is, how long it is, and what one must understand to use it.
//!
//! Invariants: everything lies in the first 512 bytes of its block, so that one sector holds all
//! that growing changes; copies are written before the primary. The uuid in block headers is the
//! header's own: blocks of an older volume on the same device are foreign.

use std::fmt;

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::view::{table, table_mut};
use super::{
    BLOCK_LEN, Geometry, HEADER_LEN, Header, Kind, MAGIC, SLOTS, Timestamp, check, header, seal,
};
use crate::store::{Block, Damage, Fault, Time, Want};

/// The level of the format that this program writes and reads.
pub const FORMAT_LEVEL: u32 = 1;
/// Features that one may ignore, of those known.
pub const COMPAT: u64 = 0;
/// Features that one must know to write, of those known.
pub const RO_COMPAT: u64 = 0;
/// Features that one must know to use the volume at all, of those known.
pub const INCOMPAT: u64 = 0;
/// Bytes of the label.
pub const LABEL_LEN: usize = 64;

/// The mark in `tuning` while a volume grows: a mount ends what is left to do.
pub const TUNING_GROWING: u32 = 2;

/// What the superblock is.
pub const SUPER_WANT: Want = Want { kind: Kind::Super, owner: 0 };

/// What follows the header in the superblock.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct SuperCore {
    /// [`FORMAT_LEVEL`]: a greater one may mean anything.
    pub format_level: U32,
    /// Not 0 while a tool changes the volume as a whole: half done, it must not be mounted.
    pub tuning: U32,
    /// Features that one may ignore.
    pub compat: U64,
    /// Features that one must know to write.
    pub ro_compat: U64,
    /// Features that one must know to use the volume at all.
    pub incompat: U64,
    /// Blocks of the volume.
    pub blocks: U64,
    /// Blocks of a group.
    pub group_blocks: U32,
    /// Blocks of a journal.
    pub journal_blocks: U32,
    /// Journals that were made with the volume.
    pub journals: U32,
    /// Slots of the volume: 64.
    pub slots: U32,
    /// Bytes of a sector of the device that it was made on.
    pub sector_len: U32,
    /// What the self-test of the LUN said, for clusters: 0 not tested, 1 safe, 2 safe with resets
    /// of the logical unit, 3 unsafe.
    pub lun_verdict: U32,
    /// The number of the root directory.
    pub root_ino: U64,
    /// Its generation.
    pub root_generation: U32,
    /// Zero.
    pub reserved_a: [u8; 4],
    /// When the volume was made.
    pub created: Timestamp,
    /// The name of the volume, UTF-8, padded with zeroes.
    pub label: [u8; LABEL_LEN],
    /// The key of the hash that places names in directories.
    pub dir_hash_key: [u8; 16],
    /// The secret that nodes of the cluster know each other by.
    pub cluster_key: [u8; 32],
    /// Zero.
    pub reserved_b: [u8; 240],
}

const _: () = assert!(size_of::<SuperCore>() == 512 - HEADER_LEN);

/// A superblock that was judged.
#[derive(Clone, PartialEq, Eq)]
pub struct Superblock {
    /// The volume's uuid: every block carries it.
    pub uuid: [u8; 16],
    /// The version of this superblock: it rises with each change.
    pub version: u64,
    /// Where things lie.
    pub geometry: Geometry,
    /// The name of the volume.
    pub label: String,
    /// Bytes of a sector of the device that it was made on.
    pub sector_len: u32,
    /// What the self-test of the LUN said.
    pub lun_verdict: u32,
    /// The number of the root directory.
    pub root_ino: u64,
    /// Its generation.
    pub root_generation: u32,
    /// When the volume was made.
    pub created: Time,
    /// The key of the hash that places names in directories.
    pub dir_hash_key: [u8; 16],
    /// The secret of the cluster.
    pub cluster_key: [u8; 32],
    /// Features that one may ignore.
    pub compat: u64,
    /// Features that one must know to write.
    pub ro_compat: u64,
    /// Not 0: a tool has not finished changing the volume.
    pub tuning: u32,
}

/// Why a superblock cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuperError {
    /// The block is no superblock at all.
    Absent,
    /// It is, but something in it cannot be right.
    Damaged(Damage),
    /// The volume has a greater format level.
    Level(u32),
    /// The volume has features that are not known: their bits.
    Incompat(u64),
}

/// What may be done with a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everything.
    ReadWrite,
    /// Reading: it has features, these bits, that one must know to write.
    ReadOnly(u64),
    /// Nothing before the tool that was changing it has finished.
    HalfTuned,
}

impl SuperCore {
    /// The table in a superblock.
    pub fn of(block: &Block) -> &SuperCore {
        table(block, HEADER_LEN)
    }

    /// The table in a superblock, to be changed.
    pub fn of_mut(block: &mut Block) -> &mut SuperCore {
        table_mut(block, HEADER_LEN)
    }

    /// Where things lie, unjudged; a number of journals beyond 16 bits is cut to one that fails.
    pub fn geometry(&self) -> Geometry {
        Geometry {
            blocks: self.blocks.get(),
            group_blocks: self.group_blocks.get(),
            journal_blocks: self.journal_blocks.get(),
            journals: u16::try_from(self.journals.get()).unwrap_or(u16::MAX),
        }
    }

    fn check(&self, bno: u64) -> Result<(), Damage> {
        let damage = |name| Damage::field(bno, SUPER_WANT, name);
        let geometry = self.geometry();
        geometry.check().map_err(damage)?;
        let root = crate::store::Run { start: self.root_ino.get(), len: 1 };
        let sector = self.sector_len.get();
        let wrong = [
            (self.slots.get() != u32::from(SLOTS), "slots"),
            (!sector.is_power_of_two() || !(512..=4096).contains(&sector), "sector_len"),
            (self.lun_verdict.get() > 3, "lun_verdict"),
            (!geometry.is_inside_group(root), "root_ino"),
            (self.root_generation.get() == 0, "root_generation"),
            (!self.created.is_legal(), "created"),
            (label_of(&self.label).is_none(), "label"),
        ];
        match wrong.iter().find(|(wrong, _)| *wrong) {
            Some((_, name)) => Err(damage(name)),
            None => Ok(()),
        }
    }

    /// Bytes without a meaning are zero, unless a feature that is not known gives them one.
    fn check_reserved(&self, block: &Block, bno: u64) -> Result<(), Damage> {
        let unknown = self.compat.get() & !COMPAT | self.ro_compat.get() & !RO_COMPAT;
        let zero = self.reserved_a == [0; 4]
            && self.reserved_b == [0; 240]
            && block.bytes()[512..].iter().all(|byte| *byte == 0);
        match unknown != 0 || zero {
            true => Ok(()),
            false => Err(Damage { bno, want: SUPER_WANT, fault: Fault::Reserved }),
        }
    }
}

impl Superblock {
    /// Judges the superblock, or a copy of it, that was read from `bno`.
    pub fn parse(block: &Block, bno: u64) -> Result<Superblock, SuperError> {
        let head = header(block.bytes());
        if head.magic.get() != MAGIC {
            return Err(SuperError::Absent);
        }
        check(block.bytes(), &head.uuid, bno, SUPER_WANT)?;
        let core = SuperCore::of(block);
        let incompat = core.incompat.get() & !INCOMPAT;
        match (core.format_level.get(), incompat) {
            (0, _) => return Err(Damage::field(bno, SUPER_WANT, "format_level").into()),
            (FORMAT_LEVEL, 0) => {}
            (FORMAT_LEVEL, bits) => return Err(SuperError::Incompat(bits)),
            (level, _) => return Err(SuperError::Level(level)),
        }
        core.check_reserved(block, bno)?;
        core.check(bno)?;
        Ok(Superblock {
            uuid: head.uuid,
            version: head.version.get(),
            geometry: core.geometry(),
            label: label_of(&core.label).expect("the label was checked"),
            sector_len: core.sector_len.get(),
            lun_verdict: core.lun_verdict.get(),
            root_ino: core.root_ino.get(),
            root_generation: core.root_generation.get(),
            created: core.created.time(),
            dir_hash_key: core.dir_hash_key,
            cluster_key: core.cluster_key,
            compat: core.compat.get(),
            ro_compat: core.ro_compat.get(),
            tuning: core.tuning.get(),
        })
    }

    /// The block for `bno`, sealed. Asserts that the label fits.
    pub fn to_block(&self, bno: u64) -> Block {
        let mut block = Block::zeroed();
        block.set_header(&Header::new(&self.uuid, bno, SUPER_WANT, self.version));
        let mut label = [0; LABEL_LEN];
        label[..self.label.len()].copy_from_slice(self.label.as_bytes());
        *SuperCore::of_mut(&mut block) = SuperCore {
            format_level: FORMAT_LEVEL.into(),
            tuning: self.tuning.into(),
            compat: self.compat.into(),
            ro_compat: self.ro_compat.into(),
            incompat: 0.into(),
            blocks: self.geometry.blocks.into(),
            group_blocks: self.geometry.group_blocks.into(),
            journal_blocks: self.geometry.journal_blocks.into(),
            journals: u32::from(self.geometry.journals).into(),
            slots: u32::from(SLOTS).into(),
            sector_len: self.sector_len.into(),
            lun_verdict: self.lun_verdict.into(),
            root_ino: self.root_ino.into(),
            root_generation: self.root_generation.into(),
            reserved_a: [0; 4],
            created: Timestamp::new(self.created),
            label,
            dir_hash_key: self.dir_hash_key,
            cluster_key: self.cluster_key,
            reserved_b: [0; 240],
        };
        seal(block.bytes_mut());
        block
    }

    /// What may be done with the volume.
    pub fn access(&self) -> Access {
        match (self.tuning, self.ro_compat & !RO_COMPAT) {
            (1.., _) => Access::HalfTuned,
            (0, 0) => Access::ReadWrite,
            (0, bits) => Access::ReadOnly(bits),
        }
    }
}

/// The text of a label: UTF-8 without controls, then zeroes only.
fn label_of(bytes: &[u8; LABEL_LEN]) -> Option<String> {
    let len = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let text = std::str::from_utf8(&bytes[..len]).ok()?;
    (!text.chars().any(char::is_control)).then(|| text.to_owned())
}

/// True where a label can be written: at most 64 bytes, no controls.
pub fn is_label(label: &str) -> bool {
    label.len() <= LABEL_LEN && !label.chars().any(char::is_control)
}

impl From<Damage> for SuperError {
    fn from(damage: Damage) -> SuperError {
        SuperError::Damaged(damage)
    }
}

impl fmt::Display for SuperError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SuperError::Absent => f.write_str("no volume: make one with `byway mkfs`"),
            SuperError::Damaged(damage) => damage.fmt(f),
            SuperError::Level(level) => write!(
                f,
                "the volume has format level {level}, this program knows {FORMAT_LEVEL}: use a newer byway"
            ),
            SuperError::Incompat(bits) => {
                write!(f, "the volume has unknown features {bits:#x}: use a newer byway")
            }
        }
    }
}

impl std::error::Error for SuperError {}

impl fmt::Debug for Superblock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Superblock")
            .field("uuid", &self.uuid)
            .field("version", &self.version)
            .field("geometry", &self.geometry)
            .field("label", &self.label)
            .field("root_ino", &self.root_ino)
            .finish_non_exhaustive()
    }
}

const _: () = assert!(BLOCK_LEN >= 512);

#[cfg(test)]
mod tests;
