//! How fast it is: figures for people, and no gates.

use byway_engine::block::mem::MemDevice;
use byway_engine::reactor::Reactor;

use super::*;

/// Creates in one directory on memory, with a sync for every thousand.
#[test]
#[ignore = "a measurement: run it alone, with --release --nocapture"]
fn creates_on_memory() {
    const CREATES: u32 = 100_000;
    Reactor::new(&Default::default()).unwrap().run(|core| async move {
        let device: Arc<dyn BlockDevice> = Arc::new(MemDevice::new(2 << 30).unwrap());
        let options = MkfsOptions { uuid: Some([5; 16]), ..MkfsOptions::default() };
        mkfs(&core, &*device, &options).await.unwrap();
        let volume = Volume::mount(&core, device, alone()).await.unwrap();
        let root = volume.root();
        let start = core.now();
        for at in 0..CREATES {
            let name = format!("file-{at}");
            volume.run(|op| names::create(op, root, name.as_bytes(), NEW, true)).await.unwrap();
            if at % 1000 == 999 {
                volume.sync().await.unwrap();
            }
        }
        let ns = core.now() - start;
        let counts = (volume.counts(), volume.cache_counts());
        let rate = u64::from(CREATES) * SECOND / ns;
        std::eprintln!("{rate} creates/s, {} ns each; {counts:?}", ns / u64::from(CREATES));
        volume.unmount().await.unwrap();
    });
}
