//! Checking and repairing a volume.
//!
//! A check walks everything that the root, the orphans and the slots lead to, counts who uses each
//! block, and compares. It looks at what a mount would see: journals are replayed into an overlay
//! first. A repair changes the overlay and checks again, until nothing is found; only then does the
//! overlay go to the device, the superblock last.
//!
//! Invariant: a check without repair writes nothing.

mod check;
mod claims;
mod finding;
mod groups;
mod inode;
mod journals;
mod judge;
mod lost;
mod mend;
mod names;
mod reader;
mod repair;
mod slots;
mod space;
mod superblock;
mod tree;
mod work;
mod xattr;

use std::fmt;
use std::rc::Rc;

use byway_engine::api::Disk;
use byway_engine::block::BlockDevice;
use byway_engine::core::Core;
use byway_engine::error::{IoError, SetupError};

pub use claims::Claims;
pub use finding::{CODES, Code, FINDINGS_MAX, Finding, Report};

use crate::format::{SUPER_AT, SuperError};
use check::Check;
use reader::Reader;

/// A repair that finds something new in so many passes is given up.
pub const PASSES_MAX: u32 = 8;

/// What a check is to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FsckOptions {
    /// Mend what is found.
    pub repair: bool,
}

/// Where a check is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The pass over the volume, from 1.
    pub pass: u32,
    /// The stage of the pass.
    pub stage: &'static str,
}

/// Why there is no result.
#[derive(Debug)]
pub enum FsckError {
    /// The device cannot be used.
    Setup(SetupError),
    /// The device does not answer.
    Gone(Box<IoError>),
    /// There is no volume, or one that this program does not understand.
    NoVolume(SuperError),
    /// The repair found no end; nothing was written.
    Endless(Box<Report>),
}

impl fmt::Display for FsckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FsckError::Setup(error) => error.fmt(f),
            FsckError::Gone(error) => write!(f, "{error}; look at the device"),
            FsckError::NoVolume(why) => write!(f, "{why}"),
            FsckError::Endless(report) => write!(
                f,
                "after {PASSES_MAX} passes there are still {} findings and nothing was written; keep a copy made with `byway fs image` and report it",
                report.findings.len()
            ),
        }
    }
}

impl std::error::Error for FsckError {}

impl From<Box<IoError>> for FsckError {
    fn from(error: Box<IoError>) -> FsckError {
        FsckError::Gone(error)
    }
}

/// Checks the volume on a device, which nobody has mounted.
///
/// # Errors
/// Where there is no volume, the device fails, or a repair finds no end.
pub async fn fsck(
    core: &Rc<Core>,
    device: &dyn BlockDevice,
    options: FsckOptions,
    mut progress: impl FnMut(Progress),
) -> Result<Report, FsckError> {
    let disk = Disk::open(core, device).map_err(FsckError::Setup)?;
    let supers = superblock::find(&disk).await?.map_err(FsckError::NoVolume)?;
    let reader = Reader::new(disk, supers.superblock.uuid);
    let mut check = Check::new(reader, supers.superblock, options.repair);
    check.version_max = check.superblock.version;
    for pass in 1..=PASSES_MAX {
        check.start_over();
        one_pass(&mut check, pass, &mut progress).await?;
        if check.found == 0 || !options.repair {
            return finish(check, pass, options).await;
        }
    }
    Err(FsckError::Endless(Box::new(check.report)))
}

async fn one_pass(
    c: &mut Check,
    pass: u32,
    progress: &mut impl FnMut(Progress),
) -> Result<(), Box<IoError>> {
    let mut at = |stage| progress(Progress { pass, stage });
    at("superblock and journals");
    superblock::compare(c).await?;
    if pass == 1 {
        journals::replay(c).await?;
    }
    at("groups and slots");
    groups::look(c).await?;
    let orphans = slots::look(c).await?;
    at("names");
    c.report.inodes = 0;
    c.report.names = 0;
    names::walk(c).await?;
    slots::look_at_orphans(c, orphans).await?;
    groups::claim_pending(c).await?;
    at("lost inodes");
    lost::look(c).await?;
    at("counts");
    names::compare(c).await?;
    inode::compare_shares(c).await?;
    space::compare(c).await?;
    space::compare_counts(c).await?;
    if c.repair && !c.work.is_empty() {
        at("repairs");
        repair::run(c).await?;
    }
    Ok(())
}

async fn finish(mut check: Check, pass: u32, options: FsckOptions) -> Result<Report, FsckError> {
    check.report.repaired = options.repair && check.found == 0 && pass > 1;
    if options.repair && check.reader.changes() > 0 {
        check.reader.write_back(SUPER_AT).await?;
    }
    Ok(check.report)
}
