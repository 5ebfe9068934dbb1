//! How a volume is to be mounted, and why it may be refused.

use std::fmt;

use byway_engine::error::{IoError, SetupError};

use crate::format::BLOCK_LEN;
use crate::store::{CACHE_BLOCKS_DEFAULT, Damage, FsError, Mutation};

/// How often everything is made durable where nobody asks for it, in nanoseconds.
pub const COMMIT_INTERVAL_NS: u64 = 5_000_000_000;

/// How a volume is to be mounted.
#[derive(Clone)]
pub struct MountOptions {
    /// Nothing is written to the device.
    pub read_only: bool,
    /// The volume that must be there.
    pub uuid: Option<[u8; 16]>,
    /// The slot to be taken; the first with a journal where none is named.
    pub slot: Option<u16>,
    /// A heartbeat that says that somebody is alive is watched for a while, to see whether it moves.
    /// Off only where the caller knows that nobody is.
    pub watch: bool,
    /// How often everything is made durable where nobody asks for it, in nanoseconds.
    pub commit_interval_ns: u64,
    /// The device is told of space that became free.
    pub discard: bool,
    /// Clean blocks of metadata that are kept in memory.
    pub cache_blocks_max: usize,
    /// The name of this host, for people who find the volume in use.
    pub host: String,
    /// Finishes, in the background, what is half removed.
    pub finish_orphans: bool,
    /// A rule that is broken on purpose.
    pub mutation: Mutation,
}

impl Default for MountOptions {
    fn default() -> MountOptions {
        MountOptions {
            read_only: false,
            uuid: None,
            slot: None,
            watch: true,
            commit_interval_ns: COMMIT_INTERVAL_NS,
            discard: false,
            cache_blocks_max: CACHE_BLOCKS_DEFAULT,
            host: String::new(),
            finish_orphans: true,
            mutation: Mutation::None,
        }
    }
}

/// Why a volume is not mounted.
#[derive(Debug)]
pub struct MountError {
    /// The device.
    pub device: String,
    /// The reason.
    pub refusal: Refusal,
}

/// The reason for which a volume is not mounted.
#[derive(Debug)]
pub enum Refusal {
    /// There is no volume on the device.
    NoVolume,
    /// The superblock is damaged; these blocks hold sound copies of it.
    Superblock {
        /// What is wrong.
        problem: String,
        /// Where sound copies lie.
        copies: Vec<u64>,
    },
    /// The volume was made by a newer program; the words say in which way.
    TooNew(String),
    /// It has features, these bits, that one must know to write.
    WriteFeatures(u64),
    /// A tool that changes the volume as a whole has not finished.
    HalfTuned,
    /// The device is shorter than the volume, both in bytes.
    Truncated {
        /// Bytes of the device.
        device_len: u64,
        /// Bytes of the volume.
        volume_len: u64,
    },
    /// Another volume was wanted; this one is there.
    Foreign([u8; 16]),
    /// The device has sectors, this many bytes long, that the volume was not made for.
    Sector(u32),
    /// The device takes no writes.
    ReadOnlyDevice,
    /// Somebody uses the volume.
    InUse {
        /// The slot whose heartbeat moves.
        slot: u16,
        /// The name of the host there.
        host: String,
    },
    /// The slot that was asked for, or every one, has no journal.
    NoJournal(Option<u16>),
    /// A journal must be replayed, and nothing may be written.
    Dirty(u16),
    /// What is on disk cannot be right.
    Damaged(Damage),
    /// The device failed.
    Io(Box<IoError>),
    /// The device cannot be opened, or the core lacks memory.
    Setup(SetupError),
    /// The first operations failed.
    Failed(FsError),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::NoVolume => f.write_str("no volume: make one with `byway mkfs`"),
            Refusal::Superblock { problem, copies } => superblock(f, problem, copies),
            Refusal::TooNew(problem) => f.write_str(problem),
            Refusal::WriteFeatures(bits) => {
                write!(f, "unknown features {bits:#x}: mount it read-only, or use a newer byway")
            }
            Refusal::HalfTuned => {
                f.write_str("a change of the whole volume has not finished: run `byway fsck`")
            }
            Refusal::Truncated { device_len, volume_len } => write!(
                f,
                "the volume has {volume_len} bytes and the device only {device_len}: \
                 bring the device back to its size"
            ),
            Refusal::Foreign(uuid) => {
                write!(f, "another volume is there, {}: look for the right device", Uuid(uuid))
            }
            Refusal::Sector(len) => {
                write!(f, "its sectors have {len} bytes: at most {BLOCK_LEN} work")
            }
            Refusal::ReadOnlyDevice => {
                f.write_str("the device takes no writes: mount it read-only")
            }
            Refusal::InUse { slot, host } => {
                write!(f, "in use by {host:?} in slot {slot}: unmount it there")
            }
            Refusal::NoJournal(Some(slot)) => write!(f, "slot {slot} has no journal: take another"),
            Refusal::NoJournal(None) => f.write_str("no slot has a journal: run `byway fsck`"),
            Refusal::Dirty(slot) => write!(
                f,
                "the journal of slot {slot} must be replayed: mount it once with writing allowed"
            ),
            Refusal::Damaged(damage) => damage.fmt(f),
            Refusal::Io(error) => error.fmt(f),
            Refusal::Setup(error) => error.fmt(f),
            Refusal::Failed(error) => error.fmt(f),
        }
    }
}

fn superblock(f: &mut fmt::Formatter<'_>, problem: &str, copies: &[u64]) -> fmt::Result {
    write!(f, "the superblock cannot be used ({problem}); ")?;
    match copies {
        [] => f.write_str("no copy of it is sound: restore the volume from a backup"),
        _ => write!(f, "sound copies are at blocks {copies:?}: run `byway fsck` to restore it"),
    }
}

/// A uuid in its usual form.
struct Uuid<'a>(&'a [u8; 16]);

impl fmt::Display for Uuid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            let dash = if matches!(at, 4 | 6 | 8 | 10) { "-" } else { "" };
            write!(f, "{dash}{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Display for MountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.device, self.refusal)
    }
}

impl std::error::Error for MountError {}

impl Refusal {
    /// What it is for a volume that is mounted.
    pub(super) fn into_error(self) -> FsError {
        match self {
            Refusal::Damaged(damage) => FsError::Damaged(damage),
            Refusal::Io(error) => FsError::Io(error),
            Refusal::Failed(error) => error,
            _ => FsError::ReadOnly,
        }
    }
}

impl From<Box<IoError>> for Refusal {
    fn from(error: Box<IoError>) -> Refusal {
        Refusal::Io(error)
    }
}

impl From<SetupError> for Refusal {
    fn from(error: SetupError) -> Refusal {
        Refusal::Setup(error)
    }
}

impl From<Damage> for Refusal {
    fn from(damage: Damage) -> Refusal {
        Refusal::Damaged(damage)
    }
}

impl From<FsError> for Refusal {
    fn from(error: FsError) -> Refusal {
        match error {
            FsError::Io(error) => Refusal::Io(error),
            FsError::Damaged(damage) => Refusal::Damaged(damage),
            other => Refusal::Failed(other),
        }
    }
}
