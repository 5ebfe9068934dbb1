//! Volumes that grow while they are mounted, and power losses in the middle of that.

use super::*;
use crate::format::{Access, SUPER_AT, Superblock};
use crate::fsck::{FsckOptions, fsck};
use crate::volume::blocks::read_block;

async fn is_whole(core: &Rc<Core>, disk: &SimDisk) {
    let report = fsck(core, disk, FsckOptions::default(), |_| {}).await.unwrap();
    assert!(report.is_clean(), "{:?}", report.findings);
}

#[test]
fn a_volume_grows_under_its_users() {
    let (mut world, host, disk) = lab(1, quick());
    act(&mut world, host, |core| async move {
        let volume = mount(&core, &disk, alone()).await;
        create(&volume, "a").await;
        let before = volume.statfs().await.unwrap();
        disk.resize(300 * MIB);
        assert_eq!(volume.grow().await, Ok(300 * MIB / 4096));
        let after = volume.statfs().await.unwrap();
        assert!(after.blocks > before.blocks + 50_000, "{before:?} {after:?}");
        assert_eq!(after.inodes, 2);
        create(&volume, "b").await;
        volume.unmount().await.unwrap();
        is_whole(&core, &disk).await;
        let volume = mount(&core, &disk, alone()).await;
        assert_eq!(list(&volume).await.len(), 2);
        assert_eq!(volume.geometry().blocks, 300 * MIB / 4096);
        volume.unmount().await.unwrap();
    });
}

#[test]
fn a_growth_that_is_broken_off_is_finished_by_the_next_mount() {
    let mut marked = 0;
    for step in 0..40 {
        let (mut world, host, disk) = lab(step, quick());
        let device = disk.clone();
        let ready = Rc::new(std::cell::Cell::new(None));
        let told = Rc::clone(&ready);
        let running = world.start(host, |core| async move {
            let volume = mount(&core, &device, alone()).await;
            create(&volume, "a").await;
            volume.commit().await.unwrap();
            device.resize(300 * MIB);
            told.set(Some(core.now()));
            volume.grow().await.unwrap();
        });
        world.run_until(u64::MAX, || ready.get().is_some()).unwrap();
        let until = world.now() + step * 100_000;
        world.run_until(until, || running.is_finished()).unwrap();
        world.crash(host);
        disk.power_loss();
        let device = disk.clone();
        let looked = world.restart(host, |core| async move {
            let opened = Disk::open(&core, &device).unwrap();
            let block = read_block(&opened, SUPER_AT).await.unwrap();
            let superblock = Superblock::parse(&block, SUPER_AT).unwrap();
            let volume = mount(&core, &device, alone()).await;
            create(&volume, "b").await;
            assert_eq!(list(&volume).await.len(), 2);
            volume.grow().await.unwrap();
            create(&volume, "c").await;
            volume.unmount().await.unwrap();
            is_whole(&core, &device).await;
            superblock.access() == Access::HalfTuned
        });
        world.run_until(u64::MAX, || looked.is_finished()).unwrap();
        marked += u32::from(looked.try_take().unwrap());
    }
    assert!(marked > 0, "some of them stopped in the middle");
}
