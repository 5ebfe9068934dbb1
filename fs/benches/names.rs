//! Creates, finds and unlinks files in one directory of a new volume, with a sync for every
//! thousand, and tells how many it did a second. The volume is in memory or on a device, which
//! loses what it holds. Memory of `touched` was written before, so that the kernel clears no pages
//! while the clock runs.
//!
//! `cargo bench -p byway-fs --bench names -- [touched | /dev/DEVICE]`

use std::error::Error;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use byway_engine::api::Disk;
use byway_engine::block::BlockDevice;
use byway_engine::block::file::{FileDevice, FileOptions};
use byway_engine::block::mem::MemDevice;
use byway_engine::core::Core;
use byway_engine::reactor::Reactor;
use byway_fs::mkfs::{MkfsOptions, mkfs};
use byway_fs::names::New;
use byway_fs::store::FsError;
use byway_fs::volume::{Directory, MountOptions, Volume};

/// Files.
const FILES: u32 = 100_000;
/// Operations between two syncs.
const SYNC_EVERY: u32 = 1000;
/// Bytes of the device in memory.
const DEVICE_LEN: u64 = 4 << 30;
/// Bytes that are touched with one write.
const PIECE: u32 = 1 << 20;

/// Does something with the name of each file.
async fn each(
    root: &Directory,
    what: &str,
    act: impl AsyncFn(&Directory, &[u8]) -> Result<(), FsError>,
) -> Result<(), FsError> {
    let names: Vec<String> = (0..FILES).map(|number| format!("file-{number:06}")).collect();
    let start = Instant::now();
    for (done, name) in (1..).zip(&names) {
        act(root, name.as_bytes()).await?;
        if done % SYNC_EVERY == 0 {
            root.volume().sync().await?;
        }
    }
    let rate = f64::from(FILES) / start.elapsed().as_secs_f64();
    println!("{what}: {rate:.0}/s");
    Ok(())
}

/// Writes over the first quarter of a device, where everything of the volume will lie.
async fn touch(core: &Rc<Core>, device: &dyn BlockDevice) -> Result<(), Box<dyn Error>> {
    let disk = Disk::open(core, device)?;
    let mut lease = core.lease(PIECE).ok_or("no memory")?;
    lease.fill(1);
    for at in (0..device.info().size / 4).step_by(PIECE as usize) {
        let (written, back) = disk.write(at, lease).await;
        written?;
        lease = back;
    }
    Ok(())
}

fn device(name: Option<&str>) -> Result<Arc<dyn BlockDevice>, Box<dyn Error>> {
    Ok(match name {
        None | Some("touched") => Arc::new(MemDevice::new(DEVICE_LEN)?),
        Some(path) => Arc::new(FileDevice::open(Path::new(path), FileOptions::default())?),
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let new = New { mode: 0o644, uid: 0, gid: 0 };
    let name = std::env::args().nth(1);
    Reactor::new(&Default::default())?.run(|core| async move {
        let device = device(name.as_deref())?;
        if name.as_deref() == Some("touched") {
            touch(&core, &*device).await?;
        }
        mkfs(&core, &*device, &MkfsOptions { force: true, ..MkfsOptions::default() }).await?;
        let volume = Volume::mount(&core, device, MountOptions::default()).await?;
        let root = volume.open_root();
        each(&root, "creates", async |dir, name| dir.create(name, new, true).await.map(drop))
            .await?;
        each(&root, "lookups", async |dir, name| dir.lookup(name, true).await.map(drop)).await?;
        each(&root, "unlinks", async |dir, name| dir.unlink(name).await).await?;
        drop(root);
        volume.unmount().await?;
        Ok(())
    })
}
