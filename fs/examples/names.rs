//! Creates, finds and unlinks files in one directory of a volume in memory, with a sync for every
//! thousand, and tells how many it did a second.
//!
//! `cargo run --release -p byway-fs --example names`

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use byway_engine::block::BlockDevice;
use byway_engine::block::mem::MemDevice;
use byway_engine::reactor::Reactor;
use byway_fs::mkfs::{MkfsOptions, mkfs};
use byway_fs::names::New;
use byway_fs::store::FsError;
use byway_fs::volume::{Directory, MountOptions, Volume};

/// Files.
const FILES: u32 = 100_000;
/// Operations between two syncs.
const SYNC_EVERY: u32 = 1000;
/// Bytes of the device.
const DEVICE_LEN: u64 = 4 << 30;

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

fn main() -> Result<(), Box<dyn Error>> {
    let new = New { mode: 0o644, uid: 0, gid: 0 };
    Reactor::new(&Default::default())?.run(|core| async move {
        let device: Arc<dyn BlockDevice> = Arc::new(MemDevice::new(DEVICE_LEN)?);
        mkfs(&core, &*device, &MkfsOptions::default()).await?;
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
