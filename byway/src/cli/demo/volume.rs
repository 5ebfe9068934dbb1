//! The volume of the demo: made on the LUN, with one image in it, and checked at the end.
//!
//! Every byte of the image is written once before the load: what is overwritten later needs no
//! change of metadata, so that a killed export loses nothing that it had acknowledged.

use std::str::FromStr;

use byway::volume::MountedVolume;
use byway::{Uri, UriError};
use byway_bench::words::show_size;
use byway_engine::api::PollQueue;
use byway_engine::block::{BlockDevice, Io};
use byway_engine::core::CoreConfig;
use byway_engine::memory::ArenaConfig;
use byway_fs::file::FileOptions;
use byway_fs::format::BLOCK_LEN;
use byway_fs::fsck::{FsckOptions, Report, fsck};
use byway_fs::mkfs::{MkfsOptions, mkfs};
use byway_fs::names::{self, New};
use byway_fs::store::FsError;

use super::{CHUNK, say};
use crate::cli::failure::Failure;
use crate::cli::fs::on;

/// The image's name in the root of the volume.
const IMAGE: &str = "disk.img";

/// A volume with an image.
pub(super) struct DemoVolume {
    lun: String,
    /// The image's URI.
    pub(super) image: String,
    /// Its length in bytes.
    pub(super) len: u64,
}

impl DemoVolume {
    /// Makes a volume on a LUN, and an image that fills most of it.
    pub(super) fn make(lun: &str) -> Result<DemoVolume, Failure> {
        let summary = on::device(lun, false, |core, device| async move {
            let options = MkfsOptions { label: "demo".into(), ..MkfsOptions::default() };
            mkfs(&core, &*device, &options)
                .await
                .map_err(|error| Failure::failed(error.to_string()))
        })?;
        let sized = show_size(summary.superblock.geometry.len());
        say(&format!("volume     made on the LUN: {sized}, with a journal for each of its hosts"))?;
        let volume = MountedVolume::mount(&uri(lun)?, false)?;
        let made = fill(&volume);
        let closed = volume.close().map_err(|error| failed(&error));
        let len = made?;
        closed?;
        say(&format!(
            "image      {IMAGE} of {} lies in it, every byte written once",
            show_size(len)
        ))?;
        Ok(DemoVolume { lun: lun.to_owned(), image: format!("fs:[{lun}]/{IMAGE}"), len })
    }

    /// Checks the volume, which nobody uses any more.
    pub(super) fn check(&self) -> Result<Report, Failure> {
        say("fsck       checks the volume that the killed export has left behind")?;
        on::device(&self.lun, true, |core, device| async move {
            let report = fsck(&core, &*device, FsckOptions::default(), |_| {}).await;
            report.map_err(|error| on::named(&device, error))
        })
    }
}

fn uri(word: &str) -> Result<Uri, UriError> {
    Uri::from_str(word)
}

fn failed(error: &FsError) -> Failure {
    Failure::failed(format!("the demo's volume: {error}; report this"))
}

/// Makes the image and writes it; its length.
fn fill(volume: &MountedVolume) -> Result<u64, Failure> {
    let len = volume.run(|home| async move {
        let new = New { mode: 0o600, ..New::default() };
        let root = home.volume.root();
        home.volume.run(|op| names::create(op, root, IMAGE.as_bytes(), new, true)).await?;
        let free = home.volume.statfs().await?.blocks_free * BLOCK_LEN as u64;
        Ok(free / 10 * 9 / CHUNK * CHUNK)
    });
    let len = len.map_err(|error| failed(&error))?;
    let options = FileOptions { name: format!("the demo's {IMAGE}"), read_only: false };
    let file = volume.file(IMAGE.as_bytes(), options).map_err(|error| failed(&error))?;
    let longer = file.clone();
    let done = volume.run(move |_| async move { longer.truncate(len).await });
    done.map_err(|error| failed(&error))?;
    write_all(&file, len)?;
    Ok(len)
}

fn write_all(file: &dyn BlockDevice, len: u64) -> Result<(), Failure> {
    let arena =
        ArenaConfig { len: (2 * CHUNK) as usize + file.memory_len(), ..ArenaConfig::default() };
    let mut queue = PollQueue::open(file, &CoreConfig { arena, ..CoreConfig::default() })?;
    let no_memory = || Failure::failed("no memory for the image; raise ulimit -l");
    let mut lease = queue.lease(CHUNK as u32).ok_or_else(no_memory)?;
    lease.fill(0);
    for offset in (0..len).step_by(CHUNK as usize) {
        let (result, payload) = queue.run_one(Io::write(offset, lease));
        result.map_err(|error| Failure::failed(format!("the image: {error}")))?;
        lease = payload.into_lease().expect("a device gives the lease back");
    }
    let (result, _) = queue.run_one(Io::flush());
    result.map(drop).map_err(|error| Failure::failed(format!("the image: {error}")))
}
