//! The sizes that a volume must bear, with the time and the peak of memory of each step: a volume of
//! 64 TiB on a sparse file, its mount, a million names, their listing, a check of them all.
//!
//! `cargo bench -p byway-fs --bench scale -- FILE [NAMES]` makes the file; with a third
//! argument it checks what is there, in a process of its own, and removes it.

use std::error::Error;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use byway_engine::block::BlockDevice;
use byway_engine::block::file::{FileDevice, FileOptions};
use byway_engine::reactor::Reactor;
use byway_fs::fsck::{FsckOptions, fsck};
use byway_fs::mkfs::{MkfsOptions, mkfs};
use byway_fs::names::New;
use byway_fs::volume::{MountOptions, Volume};

/// Bytes of the sparse file.
const SIZE: u64 = 64 << 40;
/// Names where the command line tells no number.
const NAMES: u32 = 1_000_000;
/// Creates between two syncs.
const SYNC_EVERY: u32 = 10_000;

/// Prints how long a step took, and begins the next.
fn step(what: &str, since: &mut Instant) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("?");
    println!("{what}: {:.3} s, peak memory so far {}", since.elapsed().as_secs_f64(), peak.trim());
    *since = Instant::now();
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("name a file on tmpfs")?;
    let names: u32 = arguments.next().map_or(Ok(NAMES), |names| names.parse())?;
    let only_check = arguments.next().is_some();
    if !only_check {
        File::create_new(&path)?.set_len(SIZE)?;
    }
    let kept = path.clone();
    Reactor::new(&Default::default())?.run(|core| async move {
        let options = FileOptions { direct: false, ..FileOptions::default() };
        let device: Arc<dyn BlockDevice> = Arc::new(FileDevice::open(Path::new(&path), options)?);
        let mut since = Instant::now();
        if !only_check {
            let summary = mkfs(&core, &*device, &MkfsOptions::default()).await?;
            step(&format!("mkfs of 64 TiB, {} bytes written", summary.written), &mut since);
            let volume = Volume::mount(&core, Arc::clone(&device), MountOptions::default()).await?;
            step("mount", &mut since);
            let root = volume.open_root();
            for number in 1..=names {
                let new = New { mode: 0o644, ..New::default() };
                root.create(format!("file-{number:08}").as_bytes(), new, true).await?;
                if number % SYNC_EVERY == 0 {
                    volume.sync().await?;
                }
            }
            step(&format!("{names} creates"), &mut since);
            let (mut listing, mut listed) = (root.names(), 0u64);
            while listing.next().await?.is_some() {
                listed += 1;
            }
            step(&format!("{listed} names listed"), &mut since);
            drop(listing);
            drop(root);
            volume.unmount().await?;
            step("unmount", &mut since);
            return Ok::<(), Box<dyn Error>>(());
        }
        let report = fsck(&core, &*device, FsckOptions::default(), |_| {}).await?;
        step(
            &format!("fsck of {} inodes, clean: {}", report.inodes, report.is_clean()),
            &mut since,
        );
        let volume = Volume::mount(&core, Arc::clone(&device), MountOptions::default()).await?;
        step("mount", &mut since);
        volume.unmount().await?;
        Ok(())
    })?;
    if only_check {
        std::fs::remove_file(kept)?;
    }
    Ok(())
}
