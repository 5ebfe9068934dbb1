//! How commits reach the device, who shares them, and how the journal makes room.

use byway_engine::block::{Op as DeviceOp, mem::MemDevice, wrap::Trace};
use byway_engine::error::ErrorKind;
use byway_engine::exec::Class;
use byway_engine::sim::{DiskRule, RuleAction};

use super::*;
use crate::format::{BLOCK_LEN, JOURNAL_HEADS, SLOTS_AT};
use crate::store::{LockId, Mode, Mutation};

#[test]
fn a_commit_is_one_write_and_no_flush() {
    let (mut world, host, disk) = lab(1, quick());
    act(&mut world, host, |core| async move {
        let trace = Trace::new(Arc::new(disk), 1000);
        let handle = trace.handle();
        let volume = Volume::mount(&core, Arc::new(trace), alone()).await.unwrap();
        for name in 0..30 {
            create(&volume, &format!("{name}")).await;
        }
        let before = handle.count();
        volume.commit().await.unwrap();
        let events = handle.events();
        let run = volume.geometry().journal_at(0).unwrap();
        let ring = (run.start + JOURNAL_HEADS) * BLOCK_LEN as u64
            ..(run.start + run.len) * BLOCK_LEN as u64;
        let is_beat = |offset: u64| (64..128).contains(&(offset / BLOCK_LEN as u64));
        let after: Vec<_> = events[before as usize..]
            .iter()
            .filter(|e| e.op != DeviceOp::Read && !is_beat(e.offset))
            .collect();
        assert_eq!(after.len(), 1, "{after:?}");
        assert!(after[0].op == DeviceOp::Write && ring.contains(&after[0].offset));
        let counts = volume.counts();
        assert_eq!((counts.commits, counts.commit_writes), (1, 1));
        volume.commit().await.unwrap();
        assert_eq!(volume.counts().commits, 1, "nothing changed since");
    });
}

#[test]
fn callers_that_wait_together_share_a_commit() {
    let (mut world, host, disk) = lab(2, quick());
    act(&mut world, host, |core| async move {
        let volume = mount(&core, &disk, alone()).await;
        let workers: Vec<_> = (0..50)
            .map(|name| {
                let volume = volume.clone();
                core.spawn(Class::Foreground, "worker", async move {
                    create(&volume, &format!("{name}")).await;
                    volume.commit().await.unwrap();
                })
            })
            .collect();
        for worker in workers {
            worker.await.unwrap();
        }
        assert!(volume.counts().commits <= 4, "{:?}", volume.counts());
    });
}

#[test]
fn freed_data_is_nobodys_until_its_free_is_durable() {
    let (mut world, host, disk) = lab(8, quick());
    act(&mut world, host, |core| async move {
        for mutation in [Mutation::None, Mutation::BusyReusedEarly] {
            let options = MountOptions { mutation, discard: true, ..alone() };
            let volume = mount(&core, &disk, options).await;
            create(&volume, "makes the transaction one").await;
            let run = crate::store::Run { start: 9000, len: 16 };
            let freed = volume.run(|op| {
                op.free_data(run);
                Ok(())
            });
            freed.await.unwrap();
            let is_busy = volume.run(|op| Ok(op.busy_within(run).is_some())).await.unwrap();
            assert_eq!(is_busy, mutation == Mutation::None);
            volume.commit().await.unwrap();
            // The device is told before anybody may write there again.
            volume.shared.bell.until(|| volume.shared.store.borrow().busy_blocks() == 0).await;
            unlink(&volume, "makes the transaction one").await;
            volume.unmount().await.unwrap();
        }
    });
}

#[test]
fn a_small_journal_makes_room_again_and_again() {
    let (mut world, host, disk) = lab(3, quick());
    let device = disk.clone();
    act(&mut world, host, |core| async move {
        let volume = mount(&core, &device, alone()).await;
        for name in 0..2000 {
            create(&volume, &format!("{name}")).await;
        }
        let counts = volume.counts();
        assert!(counts.waits_for_room > 0 && counts.commit_blocks > 2 * 254, "{counts:?}");
        volume.unmount().await.unwrap();
    });
    act(&mut world, host, |core| async move {
        let (volume, replayed) =
            Volume::mount_and_tell(&core, Arc::new(disk), alone()).await.unwrap();
        assert_eq!(replayed, Replayed::default(), "a volume left in order needs no replay");
        assert_eq!(list(&volume).await.len(), 2000);
        assert_eq!(volume.statfs().await.unwrap().inodes, 2001);
    });
}

#[test]
fn a_lock_that_is_given_away_leaves_nothing_behind() {
    let (mut world, host, disk) = lab(4, quick());
    act(&mut world, host, |core| async move {
        let volume = mount(&core, &disk, alone()).await;
        create(&volume, "a").await;
        let before = volume.counts();
        let ino = volume.root().ino;
        volume.downgrade(LockId::Inode(ino), Mode::Unlocked).await.unwrap();
        let after = volume.counts();
        assert_eq!((after.commits, after.rounds), (before.commits + 1, before.rounds + 1));
        let snapshot = disk.durable_snapshot();
        let mut block = crate::store::Block::zeroed();
        snapshot.read(ino * BLOCK_LEN as u64, block.bytes_mut());
        let want = Want::new(Kind::Inode, ino);
        crate::format::check(block.bytes(), &[5; 16], ino, want).unwrap();
        let misses = volume.cache_counts().misses;
        assert_eq!(list(&volume).await.len(), 1);
        assert!(volume.cache_counts().misses > misses, "its blocks left the memory");
        assert_eq!(volume.lock_counts().downgrades, 1);
    });
}

#[test]
fn a_journal_that_cannot_be_written_withdraws_the_volume() {
    let (mut world, host, disk) = lab(5, quick());
    act(&mut world, host, |core| async move {
        let volume = mount(&core, &disk, alone()).await;
        create(&volume, "a").await;
        volume.commit().await.unwrap();
        create(&volume, "b").await;
        disk.add_rule(DiskRule::every(DeviceOp::Write, RuleAction::Fail(ErrorKind::Media)));
        assert!(matches!(volume.commit().await, Err(FsError::Io(_))));
        assert!(matches!(volume.status(), Status::Withdrawn(FsError::Io(_))));
        let root = volume.root();
        let made = volume.run(|op| names::create(op, root, b"c", NEW, true)).await;
        assert_eq!(made.map(drop), Err(FsError::ReadOnly));
        assert!(list(&volume).await.contains("a"), "reading goes on");
        assert!(
            matches!(volume.commit().await, Err(FsError::Io(_))),
            "and nobody is told otherwise"
        );
    });
}

#[test]
fn damage_fails_its_operation_and_is_remembered() {
    let (mut world, host, disk) = lab(6, quick());
    act(&mut world, host, |core| async move {
        let volume = mount(&core, &disk, alone()).await;
        let (at, zeroes) = ((SLOTS_AT + 1) * BLOCK_LEN as u64, BLOCK_LEN as u64);
        volume.disk().write_zeroes(at, zeroes, false).await.unwrap();
        assert!(matches!(volume.statfs().await, Err(FsError::Damaged(d)) if d.bno == SLOTS_AT + 1));
        assert!(volume.needs_fsck() && volume.status() == Status::Active);
        create(&volume, "a").await;
    });
}

#[test]
fn misses_of_one_block_share_a_read_and_clean_blocks_make_room() {
    let (mut world, host, disk) = lab(7, quick());
    act(&mut world, host, |core| async move {
        let options = MountOptions { cache_blocks_max: 0, ..alone() };
        let volume = mount(&core, &disk, options).await;
        for name in 0..3000 {
            create(&volume, &format!("{name}")).await;
        }
        volume.checkpoint().await.unwrap();
        let root = volume.root();
        let inodes = volume.run(|op| names::readdir(op, root, 0, 3000)).await.unwrap();
        for entry in inodes.iter().map(|listed| listed.entry) {
            volume.run(|op| crate::inode::read(op, entry.target).map(drop)).await.unwrap();
        }
        let counts = volume.cache_counts();
        assert!(counts.evictions > 1000, "{counts:?}");
        let target = inodes.iter().next().unwrap().entry.target;
        volume.downgrade(LockId::Inode(target.ino), Mode::Unlocked).await.unwrap();
        let before = volume.cache_counts().misses;
        let readers: Vec<_> = (0..10)
            .map(|_| {
                let volume = volume.clone();
                core.spawn(Class::Foreground, "reader", async move {
                    volume.run(|op| crate::inode::read(op, target).map(drop)).await.unwrap();
                })
            })
            .collect();
        for reader in readers {
            reader.await.unwrap();
        }
        assert_eq!(volume.cache_counts().misses, before + 1);
    });
}

#[test]
fn a_volume_lives_on_a_memory_device_too() {
    let reactor = byway_engine::reactor::Reactor::new(&Default::default());
    let Ok(reactor) = reactor else { return };
    reactor.run(|core| async move {
        let device: Arc<dyn BlockDevice> = Arc::new(MemDevice::new(64 * MIB).unwrap());
        mkfs(&core, &*device, &small()).await.unwrap();
        let volume =
            Volume::mount(&core, Arc::clone(&device), MountOptions::default()).await.unwrap();
        create(&volume, "a").await;
        volume.sync().await.unwrap();
        volume.unmount().await.unwrap();
        let volume = Volume::mount(&core, device, MountOptions::default()).await.unwrap();
        assert_eq!(list(&volume).await.len(), 1);
        volume.unmount().await.unwrap();
    });
}
