//! `byway image`: disks of virtual machines as files of a volume.

pub(crate) mod args;
mod transfer;

use byway_bench::words::size;
use byway_fs::file::FileOptions;
use byway_fs::format::FLAG_VM_PROFILE;
use byway_fs::inode::SetAttributes;
use byway_fs::names;
use byway_fs::store::FsError;

use super::failure::Failure;
use super::files::{self, Within, own};
use super::{output, text};
use args::{CloneArgs, CreateArgs, ImageCommand, PlaceArgs, RemoveArgs, ResizeArgs};

pub(crate) fn run(command: &ImageCommand) -> Result<(), Failure> {
    match command {
        ImageCommand::Create(args) => create(args),
        ImageCommand::Clone(args) => clone(args),
        ImageCommand::Resize(args) => resize(args),
        ImageCommand::Ls(args) | ImageCommand::Info(args) => list(args),
        ImageCommand::Rm(args) => remove(args),
        ImageCommand::Import(args) => transfer::import(args),
        ImageCommand::Export(args) => transfer::export(args),
    }
}

/// The size of a disk: whole sectors.
fn disk_len(word: &str) -> Result<u64, Failure> {
    match size(word)? {
        len if len > 0 && len.is_multiple_of(512) => Ok(len),
        _ => Err(Failure::usage(format!("size '{word}': no disk; use a multiple of 512 bytes"))),
    }
}

fn create(args: &CreateArgs) -> Result<(), Failure> {
    let len = disk_len(&args.size)?;
    let at = Within::open(&args.uri, false)?;
    let made = make(&at, len, args.preallocate);
    let closed = at.close();
    made.and(closed)
}

/// Makes an image, or leaves nothing.
fn make(at: &Within, len: u64, preallocate: bool) -> Result<(), Failure> {
    let (new, name) = (own(0o644), at.uri.to_string());
    at.run(move |home, path| async move {
        let root = home.volume.open_root();
        let made = root.create(&path, new, true).await?;
        let flags = SetAttributes { flags: Some(FLAG_VM_PROFILE), ..SetAttributes::default() };
        let fill = async {
            root.set_attributes(&path, flags).await?;
            let options = FileOptions { name, read_only: false };
            let file = home.files.open(made.at, options).await?;
            file.truncate(len).await?;
            if preallocate {
                file.allocate(0..len).await?;
            }
            file.flush().await
        };
        let filled = fill.await;
        if filled.is_err() {
            // The first failure is what is told.
            let _left = root.unlink(&path).await;
        }
        filled
    })
}

fn clone(args: &CloneArgs) -> Result<(), Failure> {
    if !args.to.starts_with('/') {
        let line = format!("'{}': no path of the volume; begin it with /", args.to);
        return Err(Failure::usage(line));
    }
    let at = Within::open(&args.uri, false)?;
    let (to, new, name) = (args.to.clone().into_bytes(), own(0o644), at.uri.to_string());
    let cloned = at.run(move |home, path| async move {
        let volume = &home.volume;
        let from = volume.open_root().lookup(&path, true).await?;
        let file = home.files.open(from, FileOptions { name, read_only: false }).await?;
        let root = volume.root();
        let orphan = volume
            .run(|op| {
                let (dir, _) = names::resolve_parent(op, root, root, &to)?;
                names::create_orphan(op, dir, new)
            })
            .await?;
        volume.open_inode(orphan.ino);
        let share = async {
            file.clone_to(orphan).await?;
            let publish = |op: &mut byway_fs::store::Op<'_>| {
                let (dir, name) = names::resolve_parent(op, root, root, &to)?;
                names::publish(op, orphan, dir, name)
            };
            volume.run(publish).await
        };
        let shared = share.await;
        volume.close_inode(orphan.ino);
        shared
    });
    let closed = at.close();
    cloned.and(closed)
}

fn resize(args: &ResizeArgs) -> Result<(), Failure> {
    let len = disk_len(&args.size)?;
    let at = Within::open(&args.uri, false)?;
    let options = FileOptions { name: args.uri.clone(), read_only: false };
    let file = at.volume.file(&at.path, options).map_err(|error| at.failed(&error))?;
    if len < file.size() && !args.shrink {
        let (uri, size) = (&args.uri, file.size());
        let line = format!("{uri}: has {size} bytes; add --shrink to cut off what is beyond {len}");
        return Err(Failure::usage(line));
    }
    let resized = at.run(move |_, _| async move {
        file.truncate(len).await?;
        file.flush().await
    });
    let closed = at.close();
    resized.and(closed)
}

fn list(args: &PlaceArgs) -> Result<(), Failure> {
    let rows: Vec<_> =
        files::rows(&args.uri)?.into_iter().filter(|row| row.kind == "file").collect();
    if args.json {
        return text::print_json(&rows);
    }
    let cells = rows
        .iter()
        .map(|row| vec![row.name.clone(), text::size(row.size), text::size(row.allocated)]);
    let cells: Vec<_> = cells.collect();
    output::print(&text::table(&["name", "size", "taken"], &cells))
}

fn remove(args: &RemoveArgs) -> Result<(), Failure> {
    for word in &args.uri {
        let at = Within::open(word, false)?;
        let removed = at.run(|home, path| async move {
            match home.volume.open_root().unlink(&path).await {
                Err(FsError::IsDirectory) => Err(FsError::Invalid("a folder, and no image")),
                other => other,
            }
        });
        at.close().and(removed)?;
    }
    Ok(())
}
