//! One file on two cores: what one of them removes is gone for the other, too.

mod files;

use std::future::Future;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};

use byway_engine::api::Disk;
use byway_engine::block::BlockDevice;
use byway_engine::block::mem::MemDevice;
use byway_engine::core::{Core, CoreConfig, CoreHandle, yield_now};
use byway_engine::exec::Class;
use byway_engine::memory::ArenaConfig;
use byway_engine::reactor::ReactorThread;
use byway_fs::file::File;

const LEN: u64 = 1 << 20;

/// Runs a future on another core and waits for it on this one.
async fn on<T: Send + 'static, F: Future<Output = T> + 'static>(
    core: CoreHandle,
    make: impl FnOnce(Rc<Core>) -> F + Send + 'static,
) -> T {
    let (to, from) = mpsc::channel();
    let call = move |core: &Rc<Core>| {
        let future = make(Rc::clone(core));
        let task = async move { to.send(future.await).unwrap() };
        drop(core.spawn(Class::Foreground, "there", task));
    };
    core.send(Box::new(call)).expect("the core lives");
    loop {
        match from.try_recv() {
            Ok(value) => return value,
            Err(_) => yield_now().await,
        }
    }
}

async fn fill(disk: &Disk, value: u8) {
    for at in (0..LEN).step_by(64 << 10) {
        let mut lease = disk.core().lease(64 << 10).unwrap();
        lease.fill(value);
        disk.write(at, lease).await.0.unwrap();
    }
}

/// The value that all bytes have, read block by block.
async fn value_of(disk: &Disk) -> u8 {
    let mut seen = None;
    for at in (0..LEN).step_by(4096) {
        let (result, lease) = disk.read(at, disk.core().lease(4096).unwrap()).await;
        result.unwrap();
        assert!(lease.iter().all(|byte| *seen.get_or_insert(*byte) == *byte), "at {at}");
    }
    seen.unwrap()
}

async fn until(stage: &AtomicU32, wanted: u32) {
    while stage.load(Ordering::Acquire) < wanted {
        yield_now().await;
    }
}

/// The other core's part: it fills the file, and overwrites it until it is told that it was removed;
/// then it must find zeroes, wherever the space has gone.
async fn other_core(core: Rc<Core>, file: File, stage: Arc<AtomicU32>) -> u8 {
    let disk = Disk::open(&core, &file).unwrap();
    fill(&disk, 1).await;
    assert_eq!(value_of(&disk).await, 1);
    stage.store(1, Ordering::Release);
    until(&stage, 2).await;
    let value = value_of(&disk).await;
    fill(&disk, 2).await;
    stage.store(3, Ordering::Release);
    until(&stage, 4).await;
    value
}

async fn home_core(core: Rc<Core>, other: CoreHandle) {
    let device: Arc<dyn BlockDevice> = Arc::new(MemDevice::new(64 << 20).unwrap());
    files::make(Rc::clone(&core), Arc::clone(&device)).await;
    let (volume, table) = files::mount(Rc::clone(&core), device).await;
    let file = files::open(&volume, &table, "a").await;
    file.truncate(LEN).await.unwrap();
    let stage = Arc::new(AtomicU32::new(0));
    let (theirs, their_stage) = (file.clone(), Arc::clone(&stage));
    let there = on(other, move |core| other_core(core, theirs, their_stage));
    let here = async {
        let disk = Disk::open(&core, &file).unwrap();
        until(&stage, 1).await;
        assert_eq!(value_of(&disk).await, 1, "what the other core wrote");
        file.punch(0..LEN).await.unwrap();
        file.flush().await.unwrap();
        stage.store(2, Ordering::Release);
        until(&stage, 3).await;
        assert_eq!(value_of(&disk).await, 2, "also where this core knew a hole");
        stage.store(4, Ordering::Release);
    };
    let there = core.spawn(Class::Foreground, "there", there);
    here.await;
    assert_eq!(there.await, Ok(0), "the other core found zeroes after the punch");
    volume.unmount().await.unwrap();
}

#[test]
fn a_punch_on_one_core_is_seen_on_the_other() {
    let arena = ArenaConfig { len: 64 << 20, huge: false };
    let config = CoreConfig { arena, ..CoreConfig::default() };
    let home = ReactorThread::start(config.clone()).unwrap();
    let other = ReactorThread::start(config).unwrap();
    let handle = other.handle();
    home.block_on(move |core| home_core(core, handle)).expect("the story ends well");
}
