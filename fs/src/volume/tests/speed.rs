//! How fast it is: figures for people, and no gates.

use byway_engine::block::mem::MemDevice;
use byway_engine::reactor::Reactor;

use super::*;

/// Files of one round.
const CREATES: u32 = 100_000;

/// Creates in one directory on memory, with a sync for every thousand.
#[test]
#[ignore = "a measurement: run it alone, with --release --nocapture"]
fn creates_on_memory() {
    Reactor::new(&Default::default()).unwrap().run(|core| async move {
        let device: Arc<dyn BlockDevice> = Arc::new(MemDevice::new(2 << 30).unwrap());
        // The second round finds the device's memory and the program's own there.
        for round in ["first", "second"] {
            create_all(&core, &device, round).await;
        }
    });
}

async fn create_all(core: &Rc<Core>, device: &Arc<dyn BlockDevice>, round: &str) {
    let options = MkfsOptions { uuid: Some([5; 16]), force: true, ..MkfsOptions::default() };
    mkfs(core, &**device, &options).await.unwrap();
    let volume = Volume::mount(core, Arc::clone(device), alone()).await.unwrap();
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
    std::eprintln!("{round}: {rate} creates/s, {} ns each; {counts:?}", ns / u64::from(CREATES));
    volume.unmount().await.unwrap();
}
