//! Disks from and to files of this host.

use byway_fs::file::FileOptions;

use super::args::{ImportArgs, OutArgs};
use super::make;
use crate::cli::failure::Failure;
use crate::cli::files::Within;
use crate::cli::files::copy::{Inside, host, into_volume, out_of_volume};

pub(super) fn import(args: &ImportArgs) -> Result<(), Failure> {
    let len = std::fs::metadata(&args.file).map_err(|e| host(&args.file, &e))?.len();
    let at = Within::open(&args.uri, false)?;
    make(&at, len.next_multiple_of(512), false)?;
    let imported = raw_in(args, &at);
    if imported.is_err() {
        // The first failure is what is told.
        let _left = at.run(|home, path| async move { home.volume.open_root().unlink(&path).await });
    }
    let closed = at.close();
    imported.and(closed)
}

fn raw_in(args: &ImportArgs, at: &Within) -> Result<(), Failure> {
    let inside = inside(at, false)?;
    into_volume(&args.file, &inside)?;
    inside.finish(inside.file.size().next_multiple_of(512))
}

pub(super) fn export(args: &OutArgs) -> Result<(), Failure> {
    let at = Within::open(&args.uri, true)?;
    let exported = inside(&at, true).and_then(|from| out_of_volume(&from, &args.file).map(drop));
    let closed = at.close();
    exported.and(closed)
}

fn inside(at: &Within, read_only: bool) -> Result<Inside<'_>, Failure> {
    let name = at.uri.to_string();
    let options = FileOptions { name: name.clone(), read_only };
    let file = at.volume.file(&at.path, options).map_err(|error| at.failed(&error))?;
    Ok(Inside { volume: &at.volume, file, name })
}
