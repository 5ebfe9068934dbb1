//! `byway fs info`, `label` and `grow`: what a volume is, and what changes it as a whole.

use std::sync::Arc;

use byway_fs::dump::Walker;
use byway_fs::format::{BLOCK_LEN, Superblock};
use byway_fs::tune;
use byway_fs::volume::{MountOptions, Refusal, Statfs, Volume};
use serde::Serialize;

use super::args::{LabelArgs, VolumeArgs};
use super::on;
use crate::cli::failure::Failure;
use crate::cli::{output, text};

/// What a volume is, for programs.
#[derive(Serialize)]
struct Json {
    uuid: String,
    label: String,
    version: u64,
    block_len: usize,
    blocks: u64,
    group_blocks: u32,
    groups: u32,
    journals: u16,
    journal_blocks: u32,
    root_inode: u64,
    created_ns: i128,
    /// The host that uses it, if one does.
    used_by: Option<String>,
    /// Absent where the volume is in use, or must be checked or replayed first.
    blocks_allocatable: Option<u64>,
    blocks_free: Option<u64>,
    inodes: Option<u64>,
    /// Why there are no such numbers.
    note: Option<String>,
}

pub(super) fn info(args: &VolumeArgs) -> Result<(), Failure> {
    let json = on::device(&args.uri, true, |core, device| async move {
        let walker = Walker::open(&core, &*device).await.map_err(|e| on::named(&device, e))?;
        let superblock = walker.superblock().clone();
        drop(walker);
        let options = MountOptions { read_only: true, ..MountOptions::default() };
        let (mut used_by, mut note, mut counts) = (None, None, None);
        match Volume::mount(&core, device.clone(), options).await {
            Ok(volume) => {
                counts = Some(volume.statfs().await.map_err(|e| on::named(&device, e))?);
                volume.unmount().await.map_err(|e| on::named(&device, e))?;
            }
            Err(error) => match error.refusal {
                Refusal::InUse { host, .. } => used_by = Some(host),
                refusal => note = Some(refusal.to_string()),
            },
        }
        Ok(json(&superblock, used_by, counts, note))
    })?;
    if args.json { text::print_json(&json) } else { output::print(&page(&args.uri, &json)) }
}

fn json(
    superblock: &Superblock,
    used_by: Option<String>,
    counts: Option<Statfs>,
    note: Option<String>,
) -> Json {
    let geometry = superblock.geometry;
    Json {
        uuid: uuid_text(&superblock.uuid),
        label: superblock.label.clone(),
        version: superblock.version,
        block_len: BLOCK_LEN,
        blocks: geometry.blocks,
        group_blocks: geometry.group_blocks,
        groups: geometry.groups(),
        journals: geometry.journals,
        journal_blocks: geometry.journal_blocks,
        root_inode: superblock.root_ino,
        created_ns: superblock.created,
        used_by,
        blocks_allocatable: counts.map(|counts| counts.blocks),
        blocks_free: counts.map(|counts| counts.blocks_free),
        inodes: counts.map(|counts| counts.inodes),
        note,
    }
}

fn page(uri: &str, json: &Json) -> String {
    let sized = |blocks: u64| text::size(blocks * BLOCK_LEN as u64);
    let mut rows = vec![
        ("uuid", json.uuid.clone()),
        ("label", json.label.clone()),
        ("size", format!("{} ({} blocks of {BLOCK_LEN})", sized(json.blocks), json.blocks)),
        ("groups", format!("{} of {}", json.groups, sized(json.group_blocks.into()))),
        ("journals", format!("{} of {}", json.journals, sized(json.journal_blocks.into()))),
        ("root", format!("inode {}", json.root_inode)),
    ];
    if let Some((free, all)) = json.blocks_free.zip(json.blocks_allocatable) {
        rows.push(("free", format!("{} of {}", sized(free), sized(all))));
    }
    if let Some(inodes) = json.inodes {
        rows.push(("inodes", inodes.to_string()));
    }
    if let Some(host) = &json.used_by {
        rows.push(("used by", if host.is_empty() { "a host".into() } else { host.clone() }));
    }
    if let Some(note) = &json.note {
        rows.push(("note", note.clone()));
    }
    let lines = rows.iter().map(|(name, value)| format!("  {name:<10}{value}\n"));
    format!("{uri}\n{}", lines.collect::<String>())
}

pub(super) fn label(args: &LabelArgs) -> Result<(), Failure> {
    let wanted = args.label.clone();
    let label = on::device(&args.uri, wanted.is_none(), |core, device| async move {
        let Some(label) = wanted else {
            let walker = Walker::open(&core, &*device).await.map_err(|e| on::named(&device, e))?;
            return Ok(Some(walker.superblock().label.clone()));
        };
        on::unused(&core, &device).await?;
        tune::label(&core, &*device, &label).await.map_err(|e| on::named(&device, e))?;
        Ok(None)
    })?;
    label.map_or(Ok(()), |label| output::print(&format!("{label}\n")))
}

pub(super) fn grow(args: &VolumeArgs) -> Result<(), Failure> {
    let grown = on::device(&args.uri, false, |core, device| async move {
        let named = |error| on::named(&device, error);
        let options = MountOptions::default();
        let mounted = Volume::mount(&core, Arc::clone(&device), options).await;
        let volume = mounted.map_err(|error| Failure::failed(error.to_string()))?;
        let before = volume.geometry().blocks;
        let grown = volume.grow().await;
        volume.unmount().await.map_err(named)?;
        Ok((before, grown.map_err(named)?))
    })?;
    if args.json {
        return text::print_json(
            &serde_json::json!({ "blocks_before": grown.0, "blocks": grown.1 }),
        );
    }
    let sized = |blocks: u64| text::size(blocks * BLOCK_LEN as u64);
    output::print(&format!("{}: {} before, {} now\n", args.uri, sized(grown.0), sized(grown.1)))
}

/// A uuid in its usual form.
pub(super) fn uuid_text(uuid: &[u8; 16]) -> String {
    let digits: String = uuid.iter().map(|byte| format!("{byte:02x}")).collect();
    let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    parts.join("-")
}
