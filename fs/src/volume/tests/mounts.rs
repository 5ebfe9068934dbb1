//! What is mounted and what is refused, and with which words.

use super::*;
use crate::format::{BACKUPS_AT, BLOCK_LEN, SUPER_AT, Superblock};
use crate::store::Block;
use crate::volume::blocks::{read_block, write_block};

async fn refused(core: &Rc<Core>, disk: &SimDisk, options: MountOptions) -> Refusal {
    match Volume::mount(core, Arc::new(disk.clone()), options).await {
        Ok(_) => panic!("it must not be mounted"),
        Err(error) => error.refusal,
    }
}

/// Changes the superblock of a volume that nobody has mounted.
async fn change(core: &Rc<Core>, disk: &SimDisk, change: impl FnOnce(&mut Superblock)) {
    let disk = Disk::open(core, disk).unwrap();
    let block = read_block(&disk, SUPER_AT).await.unwrap();
    let mut superblock = Superblock::parse(&block, SUPER_AT).unwrap();
    change(&mut superblock);
    write_block(&disk, SUPER_AT, &superblock.to_block(SUPER_AT)).await.unwrap();
}

#[test]
fn a_volume_in_use_is_refused_and_one_whose_node_died_is_not() {
    let (mut world, host, disk) = lab(1, quick());
    let other = world.add_host("b");
    let device = disk.clone();
    act(&mut world, host, |core| async move {
        let volume = mount(&core, &device, alone()).await;
        create(&volume, "a").await;
        volume.commit().await.unwrap();
        create(&volume, "never committed").await;
    });
    let device = disk.clone();
    let refusal = act(&mut world, other, |core| async move {
        refused(&core, &device, MountOptions::default()).await
    });
    assert!(matches!(refusal, Refusal::InUse { slot: 0, host } if host == "lab"));
    world.crash(host);
    disk.settle_orphans();
    act(&mut world, other, |core| async move {
        let device = Arc::new(disk);
        let mounted = Volume::mount_and_tell(&core, device, MountOptions::default()).await;
        let (volume, replayed) = mounted.unwrap();
        assert!(replayed.commits >= 1 && replayed.applied >= 1, "{replayed:?}");
        assert_eq!(list(&volume).await.into_iter().collect::<Vec<_>>(), ["a"]);
    });
}

#[test]
fn a_volume_for_reading_is_written_by_nobody() {
    let (mut world, host, disk) = lab(2, quick());
    act(&mut world, host, |core| async move {
        let volume = mount(&core, &disk, alone()).await;
        create(&volume, "a").await;
        volume.unmount().await.unwrap();
        let before = disk.stats().served;
        let reading = MountOptions { read_only: true, ..alone() };
        let volume = mount(&core, &disk, reading.clone()).await;
        assert_eq!(list(&volume).await.len(), 1);
        let root = volume.root();
        let made = volume.run(|op| names::create(op, root, b"b", NEW, true)).await;
        assert_eq!(made.map(drop), Err(FsError::ReadOnly));
        volume.commit().await.unwrap();
        volume.unmount().await.unwrap();
        assert!(disk.stats().served > before);
        let volume = mount(&core, &disk, alone()).await;
        create(&volume, "b").await;
        volume.commit().await.unwrap();
        volume.shared.end_with(Status::Unmounted);
        assert!(matches!(refused(&core, &disk, reading).await, Refusal::Dirty(0)));
    });
}

#[test]
fn what_is_not_right_is_refused_with_its_reason() {
    let (mut world, host, disk) = lab(3, quick());
    act(&mut world, host, |core| async move {
        let foreign = MountOptions { uuid: Some([6; 16]), ..alone() };
        assert!(
            matches!(refused(&core, &disk, foreign).await, Refusal::Foreign(u) if u == [5; 16])
        );
        let slot = MountOptions { slot: Some(7), ..alone() };
        assert!(matches!(refused(&core, &disk, slot).await, Refusal::NoJournal(Some(7))));
        change(&core, &disk, |superblock| superblock.tuning = 1).await;
        assert!(matches!(refused(&core, &disk, alone()).await, Refusal::HalfTuned));
        change(&core, &disk, |superblock| superblock.tuning = 0).await;
        change(&core, &disk, |superblock| superblock.ro_compat = 8).await;
        assert!(matches!(refused(&core, &disk, alone()).await, Refusal::WriteFeatures(8)));
        let reading = MountOptions { read_only: true, ..alone() };
        mount(&core, &disk, reading).await;
        change(&core, &disk, |superblock| superblock.ro_compat = 0).await;
        disk.resize(32 * MIB);
        let refusal = refused(&core, &disk, alone()).await;
        assert!(matches!(refusal, Refusal::Truncated { device_len, .. } if device_len == 32 * MIB));
        assert!(refusal.to_string().contains("bring the device back"));
    });
}

#[test]
fn a_damaged_superblock_is_named_with_its_copies() {
    let (mut world, host, disk) = lab(4, quick());
    act(&mut world, host, |core| async move {
        let opened = Disk::open(&core, &disk).unwrap();
        let mut block = read_block(&opened, SUPER_AT).await.unwrap();
        block.bytes_mut()[300] ^= 4;
        write_block(&opened, SUPER_AT, &block).await.unwrap();
        let refusal = refused(&core, &disk, alone()).await;
        assert!(
            matches!(&refusal, Refusal::Superblock { copies, .. } if copies[..] == BACKUPS_AT[..1])
        );
        assert!(refusal.to_string().contains("byway fsck"), "{refusal}");
        let zero = Block::zeroed();
        write_block(&opened, SUPER_AT, &zero).await.unwrap();
        write_block(&opened, BACKUPS_AT[0], &zero).await.unwrap();
        assert!(matches!(refused(&core, &disk, alone()).await, Refusal::NoVolume));
        assert_eq!(zero.bytes().len(), BLOCK_LEN);
    });
}
