//! Making a volume.
//!
//! [`Draft`] is the volume as blocks, pure; [`mkfs`] writes it in four steps with a flush after
//! each: zeroes over every place where a superblock may lie, structures, copies of the superblock,
//! and the superblock itself. Whenever it stops before its end, the device has no volume, or a
//! whole one whose copies say so.

mod contents;
mod draft;
mod error;
mod writer;

use std::rc::Rc;

use byway_engine::api::Disk;
use byway_engine::block::BlockDevice;
use byway_engine::core::Core;

pub use contents::{HEAD_LEN, own_at, recognise};
pub use draft::{Draft, FIRST_VERSION, Identity};
pub use error::{MkfsError, MkfsErrorKind};

use crate::format::{BACKUPS_AT, BLOCK_LEN, Geometry, PlanOptions, Superblock, is_label};
use crate::store::Time;
use writer::Writer;

/// What the maker of a volume decides.
#[derive(Clone, Debug, Default)]
pub struct MkfsOptions {
    /// The name of the volume: at most 64 bytes without control characters.
    pub label: String,
    /// The uuid; None for a random one.
    pub uuid: Option<[u8; 16]>,
    /// The sizes of groups and journals, and how many journals are made at once.
    pub plan: PlanOptions,
    /// Who owns the root directory: user and group.
    pub owner: (u32, u32),
    /// The time, in nanoseconds since 1970 (UTC).
    pub now: Time,
    /// Destroy what the device carries.
    pub force: bool,
}

/// What was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The superblock.
    pub superblock: Superblock,
    /// Bytes that were written, zeroes included.
    pub written: u64,
}

/// Makes a volume on `device`.
///
/// # Errors
/// Where the device carries something and `force` is not set, where the options do not go with the
/// device, and where the device fails. There is no volume on it then.
pub async fn mkfs(
    core: &Rc<Core>,
    device: &dyn BlockDevice,
    options: &MkfsOptions,
) -> Result<Summary, MkfsError> {
    let named = |kind| MkfsError { device: device.info().name, kind };
    make(core, device, options).await.map_err(named)
}

async fn make(
    core: &Rc<Core>,
    device: &dyn BlockDevice,
    options: &MkfsOptions,
) -> Result<Summary, MkfsErrorKind> {
    let info = device.info();
    if info.read_only {
        return Err(MkfsErrorKind::ReadOnly);
    }
    if info.block_len as usize > BLOCK_LEN {
        return Err(MkfsErrorKind::SectorLen(info.block_len));
    }
    if !is_label(&options.label) {
        return Err(MkfsErrorKind::Label);
    }
    let geometry = Geometry::plan(info.size, &options.plan)?;
    let mut writer = Writer::new(Disk::open(core, device)?)?;
    if let Some(what) = carried(&mut writer, &geometry).await?.filter(|_| !options.force) {
        return Err(MkfsErrorKind::Occupied(what));
    }
    let draft = Draft::new(geometry, identity(core, options, info.block_len.max(512))?);
    write(&mut writer, &draft).await?;
    Ok(Summary { superblock: draft.superblock().clone(), written: writer.written() })
}

/// What the device carries already: by its first bytes, or by a copy of a superblock.
async fn carried(
    writer: &mut Writer,
    geometry: &Geometry,
) -> Result<Option<String>, MkfsErrorKind> {
    let found = recognise(&writer.read(0, HEAD_LEN).await?);
    if found.is_some() {
        return Ok(found);
    }
    for bno in BACKUPS_AT.into_iter().filter(|bno| *bno < geometry.blocks) {
        let bytes = writer.read(bno * BLOCK_LEN as u64, BLOCK_LEN).await?;
        if let Some(what) = bytes.first_chunk().and_then(|bytes| own_at(bytes, bno)) {
            return Ok(Some(what));
        }
    }
    Ok(None)
}

fn identity(
    core: &Rc<Core>,
    options: &MkfsOptions,
    sector_len: u32,
) -> Result<Identity, MkfsErrorKind> {
    let (mut uuid, mut dir_hash_key, mut cluster_key) = ([0; 16], [0; 16], [0; 32]);
    let mut generation = [0; 4];
    for bytes in [&mut uuid[..], &mut dir_hash_key, &mut cluster_key, &mut generation] {
        core.random(bytes)?;
    }
    // RFC 9562: version 4, the variant of the RFC.
    uuid[6] = uuid[6] & 0x0f | 0x40;
    uuid[8] = uuid[8] & 0x3f | 0x80;
    Ok(Identity {
        uuid: options.uuid.unwrap_or(uuid),
        dir_hash_key,
        cluster_key,
        root_generation: u32::from_le_bytes(generation).max(1),
        label: options.label.clone(),
        sector_len,
        owner: options.owner,
        created: options.now,
    })
}

async fn write(writer: &mut Writer, draft: &Draft) -> Result<(), MkfsErrorKind> {
    for run in draft.zeroes() {
        writer.zero(run).await?;
    }
    writer.flush().await?;
    for (bno, block) in draft.blocks() {
        writer.write(bno, &block).await?;
    }
    writer.flush().await?;
    for (bno, block) in draft.copies() {
        writer.write(bno, &block).await?;
    }
    writer.flush().await?;
    let (bno, block) = draft.primary();
    writer.write(bno, &block).await?;
    writer.flush().await
}

#[cfg(test)]
mod tests;
