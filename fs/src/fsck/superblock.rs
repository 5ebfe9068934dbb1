//! The superblock and its copies: which of them to believe.

use std::rc::Rc;

use byway_engine::api::Disk;

use super::check::Check;
use super::finding::Code;
use super::reader::{Gone, Reader};
use crate::format::{BACKUPS_AT, SUPER_AT, SuperError, Superblock};
use crate::store::Block;

/// What there is of superblocks on a device.
pub(crate) struct Supers {
    /// The one to believe.
    pub(crate) superblock: Superblock,
    /// Where it was read from.
    pub(crate) from: u64,
}

/// Looks for a superblock: the primary, else the newest of its copies.
///
/// # Errors
/// The reason why the primary cannot be used, where no copy can either.
pub(crate) async fn find(disk: &Disk) -> Result<Result<Supers, SuperError>, Gone> {
    let reader = Reader::new(disk.clone(), [0; 16]);
    let primary = parse(reader.raw(SUPER_AT).await?, SUPER_AT);
    let why = match primary {
        Ok(superblock) => return Ok(Ok(Supers { superblock, from: SUPER_AT })),
        // A volume that this program does not understand is not to be repaired by it.
        Err(SuperError::Level(_) | SuperError::Incompat(_)) => return Ok(primary.map(never)),
        Err(why) => why,
    };
    let mut best: Option<Supers> = None;
    for from in BACKUPS_AT {
        let Ok(superblock) = parse(reader.raw(from).await?, from) else {
            continue;
        };
        if best.as_ref().is_none_or(|best| superblock.version > best.superblock.version) {
            best = Some(Supers { superblock, from });
        }
    }
    Ok(best.ok_or(why))
}

fn never(superblock: Superblock) -> Supers {
    Supers { superblock, from: SUPER_AT }
}

fn parse(block: Option<Rc<Block>>, bno: u64) -> Result<Superblock, SuperError> {
    Superblock::parse(&*block.ok_or(SuperError::Absent)?, bno)
}

/// Compares the primary and all copies with the superblock that is believed.
pub(crate) async fn compare(c: &mut Check) -> Result<(), Gone> {
    let copies: Vec<u64> = c.geometry().backups().collect();
    for bno in [SUPER_AT].into_iter().chain(copies) {
        let read = c.reader.raw(bno).await?;
        let says = parse(read, bno);
        let is_same = says.as_ref().is_ok_and(|superblock| *superblock == c.superblock);
        if is_same {
            continue;
        }
        let (code, what) = match bno == SUPER_AT {
            true => (Code::Superblock, "the superblock"),
            false => (Code::BackupSuperblock, "the copy of the superblock"),
        };
        let how = if says.is_ok() { "differs" } else { "cannot be used" };
        c.note(code, bno, format!("{what} in block {bno} {how}; it is written again"));
        let block = c.superblock.to_block(bno);
        c.put(bno, block);
    }
    Ok(())
}
