//! Why no volume was made.

use std::fmt;

use byway_engine::error::{IoError, SetupError};

use crate::format::PlanError;

/// Why no volume was made, on the device that is named beside it.
#[derive(Debug)]
pub enum MkfsErrorKind {
    /// The device carries something; the words name it.
    Occupied(String),
    /// The numbers that were asked for do not go with the device.
    Plan(PlanError),
    /// The label is longer than 64 bytes or has control characters.
    Label,
    /// Sectors of the device are larger than a block; their bytes.
    SectorLen(u32),
    /// The device takes no writes.
    ReadOnly,
    /// The core has no memory left for the writes.
    Memory,
    /// The device, or random numbers, could not be had.
    Setup(SetupError),
    /// The device failed.
    Io(Box<IoError>),
}

/// A failure to make a volume. The device may hold parts of one, but no superblock.
#[derive(Debug)]
pub struct MkfsError {
    /// The device's name.
    pub device: String,
    /// What is wrong.
    pub kind: MkfsErrorKind,
}

impl fmt::Display for MkfsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.device)?;
        match &self.kind {
            MkfsErrorKind::Occupied(what) => {
                write!(f, "carries {what}: use --force to destroy it")
            }
            MkfsErrorKind::Plan(error) => error.fmt(f),
            MkfsErrorKind::Label => {
                f.write_str("the label cannot be written: use at most 64 bytes without controls")
            }
            MkfsErrorKind::SectorLen(len) => {
                write!(f, "has sectors of {len} bytes: use a device with at most 4096")
            }
            MkfsErrorKind::ReadOnly => f.write_str("takes no writes: open it for writing"),
            MkfsErrorKind::Memory => f.write_str("no memory for the writes: give cores more"),
            MkfsErrorKind::Setup(error) => error.fmt(f),
            MkfsErrorKind::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for MkfsError {}

impl From<PlanError> for MkfsErrorKind {
    fn from(error: PlanError) -> MkfsErrorKind {
        MkfsErrorKind::Plan(error)
    }
}

impl From<SetupError> for MkfsErrorKind {
    fn from(error: SetupError) -> MkfsErrorKind {
        MkfsErrorKind::Setup(error)
    }
}

impl From<Box<IoError>> for MkfsErrorKind {
    fn from(error: Box<IoError>) -> MkfsErrorKind {
        MkfsErrorKind::Io(error)
    }
}
