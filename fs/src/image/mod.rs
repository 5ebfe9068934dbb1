//! A copy of the metadata of a volume, for reports of bugs.
//!
//! The copy is a volume itself, as long as the original and sparse: it can be dumped, checked and
//! mounted. Journals are replayed into it and empty. It holds no byte of a file: data is not copied,
//! and what small files keep inside their dinodes is zero. Names and attributes stay as they are,
//! unless they are to be scrambled.
//!
//! Invariant: nothing is written to the original.

mod scramble;
mod scrub;

use std::fmt;
use std::rc::Rc;

use byway_engine::api::Disk;
use byway_engine::block::BlockDevice;
use byway_engine::core::Core;
use byway_engine::error::{IoError, SetupError};

use crate::format::{BLOCK_LEN, GROUP_MAP_AT, GROUP_MAP_BLOCKS, SLOTS, SUPER_AT};
use crate::fsck::{Check, FsckError, survey};
use crate::store::Block;

/// Writes that are under way at once.
const WRITES_MAX: usize = 64;

/// What a copy shall hide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImageOptions {
    /// Letters of names become other letters, and the values of attributes zeroes.
    pub scramble: bool,
}

/// What was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Blocks of 4,096 bytes that were copied.
    pub blocks: u64,
    /// Blocks that could not be read: they are zeroes in the copy.
    pub unread: u64,
}

/// Why there is no copy.
#[derive(Debug)]
pub enum ImageError {
    /// The volume cannot be looked at.
    Volume(FsckError),
    /// The place for the copy cannot be used.
    Target(SetupError),
    /// A device failed.
    Gone(Box<IoError>),
    /// The place for the copy is shorter than the volume, so many bytes.
    TooShort(u64),
}

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImageError::Volume(error) => error.fmt(f),
            ImageError::Target(error) => error.fmt(f),
            ImageError::Gone(error) => write!(f, "{error}; look at the device"),
            ImageError::TooShort(len) => {
                write!(
                    f,
                    "the copy needs a place of {len} bytes; give it a sparse file of that length"
                )
            }
        }
    }
}

impl std::error::Error for ImageError {}

impl From<Box<IoError>> for ImageError {
    fn from(error: Box<IoError>) -> ImageError {
        ImageError::Gone(error)
    }
}

/// Copies the metadata of the volume on `from`, which nobody has mounted, to `to`, which reads as
/// zeroes and is at least as long.
///
/// # Errors
/// Where there is no volume, `to` is too short, or a device fails.
pub async fn copy(
    core: &Rc<Core>,
    from: &dyn BlockDevice,
    to: &dyn BlockDevice,
    options: ImageOptions,
) -> Result<Summary, ImageError> {
    let check = survey(core, from).await.map_err(ImageError::Volume)?;
    if to.info().size < check.geometry().len() {
        return Err(ImageError::TooShort(check.geometry().len()));
    }
    let target = Disk::open(core, to).map_err(ImageError::Target)?;
    let mut summary = Summary::default();
    // The superblock goes last, so that a copy that was broken off is no volume.
    let blocks: Vec<u64> = places(&check).into_iter().filter(|bno| *bno != SUPER_AT).collect();
    for some in blocks.chunks(WRITES_MAX) {
        copy_some(&check, &target, some, options, &mut summary).await?;
    }
    target.flush().await?;
    copy_some(&check, &target, &[SUPER_AT], options, &mut summary).await?;
    target.flush().await?;
    Ok(summary)
}

/// Every block that is copied, in order.
fn places(c: &Check) -> Vec<u64> {
    let geometry = c.geometry();
    let mut places: Vec<u64> = (SUPER_AT..GROUP_MAP_AT + GROUP_MAP_BLOCKS).collect();
    places.extend(geometry.backups());
    places.extend(
        (0..SLOTS)
            .filter_map(|slot| geometry.journal_at(slot))
            .flat_map(|run| [run.start, run.start + 1]),
    );
    for group in c.groups.keys() {
        let header = geometry.group_header(*group);
        places.extend(header..=header + u64::from(geometry.bitmap_blocks()));
    }
    places.extend(c.metadata.blocks());
    places.sort_unstable();
    places.dedup();
    places
}

async fn copy_some(
    c: &Check,
    target: &Disk,
    blocks: &[u64],
    options: ImageOptions,
    summary: &mut Summary,
) -> Result<(), ImageError> {
    let mut sent = Vec::with_capacity(blocks.len());
    for bno in blocks {
        let Some(block) = c.reader.raw(*bno).await? else {
            summary.unread += 1;
            continue;
        };
        if block.bytes().iter().all(|byte| *byte == 0) {
            continue;
        }
        let mut block = Block::clone(&block);
        scrub::scrub(&mut block, options);
        let lease = target.core().lease(BLOCK_LEN as u32);
        let mut lease = lease.ok_or_else(|| no_memory(*bno))?;
        lease.copy_from_slice(block.bytes());
        let io = byway_engine::block::Io::write(bno * BLOCK_LEN as u64, lease);
        sent.push(target.submit(io));
        summary.blocks += 1;
    }
    for write in sent {
        write.await.result?;
    }
    Ok(())
}

fn no_memory(bno: u64) -> ImageError {
    let (op, kind) = (byway_engine::block::Op::Write, byway_engine::error::ErrorKind::Transient);
    let why = "image: the core's arena is used up; give it more memory";
    let (offset, len) = (bno * BLOCK_LEN as u64, BLOCK_LEN as u64);
    ImageError::Gone(Box::new(IoError::new(kind, op, offset, len, why)))
}
