//! `byway mkfs`: a new volume.

use std::fs;
use std::os::unix::fs::MetadataExt;

use byway_bench::words::size;
use byway_engine::usage::unix_time_ms;
use byway_fs::format::{BLOCK_LEN, PlanOptions};
use byway_fs::mkfs::{MkfsOptions, Summary, mkfs as make};
use serde::Serialize;

use super::args::MkfsArgs;
use super::info::uuid_text;
use super::on;
use crate::cli::failure::Failure;
use crate::cli::{output, text};

/// What was made, for programs.
#[derive(Serialize)]
struct Json {
    uuid: String,
    label: String,
    blocks: u64,
    block_len: usize,
    group_blocks: u32,
    groups: u32,
    journals: u16,
    journal_blocks: u32,
    bytes_written: u64,
}

pub(crate) fn mkfs(args: &MkfsArgs) -> Result<(), Failure> {
    let options = options(args)?;
    let summary = on::device(&args.uri, false, |core, device| async move {
        on::unused(&core, &device).await?;
        make(&core, &*device, &options).await.map_err(|error| Failure::failed(error.to_string()))
    })?;
    if args.json {
        return text::print_json(&json(&summary));
    }
    let json = json(&summary);
    let sized = |blocks: u64| text::size(blocks * BLOCK_LEN as u64);
    output::print(&format!(
        "volume {} {}\n  {} in {} groups of {}, {} journals of {}; {} written\n",
        json.uuid,
        if json.label.is_empty() { "without a label" } else { &json.label },
        sized(json.blocks),
        json.groups,
        sized(json.group_blocks.into()),
        json.journals,
        sized(json.journal_blocks.into()),
        text::size(json.bytes_written),
    ))
}

fn options(args: &MkfsArgs) -> Result<MkfsOptions, Failure> {
    let bytes = |flag: &'static str, word: &Option<String>| {
        word.as_ref().map(|word| size(word).map_err(|error| error.of(flag))).transpose()
    };
    Ok(MkfsOptions {
        label: args.label.clone(),
        uuid: None,
        plan: PlanOptions {
            group_len: bytes("--group-size", &args.group_size)?,
            journal_len: bytes("--journal-size", &args.journal_size)?,
            journals: args.journals,
        },
        owner: own_ids(),
        now: i128::from(unix_time_ms()) * 1_000_000,
        force: args.force,
    })
}

/// The user and group of this process; root's where the kernel does not say.
pub(crate) fn own_ids() -> (u32, u32) {
    fs::metadata("/proc/self").map_or((0, 0), |own| (own.uid(), own.gid()))
}

fn json(summary: &Summary) -> Json {
    let superblock = &summary.superblock;
    let geometry = superblock.geometry;
    Json {
        uuid: uuid_text(&superblock.uuid),
        label: superblock.label.clone(),
        blocks: geometry.blocks,
        block_len: BLOCK_LEN,
        group_blocks: geometry.group_blocks,
        groups: geometry.groups(),
        journals: geometry.journals,
        journal_blocks: geometry.journal_blocks,
        bytes_written: summary.written,
    }
}
