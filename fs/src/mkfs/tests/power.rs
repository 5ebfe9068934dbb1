//! The power fails while a volume is made, on disks with a cache and sectors of either length.

use std::collections::BTreeSet;

use byway_engine::sim::{DiskConfig, DiskSnapshot, Latency, SimDisk, World, WorldConfig};

use super::*;
use crate::format::{BACKUPS_AT, Kind, check};
use crate::store::Want;

/// How one making of a volume ended: with which label its superblock and its copies are sound.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Left {
    primary: Option<String>,
    copies: Vec<String>,
}

/// A world in which a volume is made, whole, and then another one over it.
fn start(seed: u64, block_len: u32) -> (World, SimDisk) {
    let mut world = World::new(seed, WorldConfig::default());
    let host = world.add_host("a");
    let latency = Latency::fixed(1000);
    let size = 64 * MIB;
    let disk = world.add_disk(DiskConfig { size, block_len, latency, ..DiskConfig::default() });
    let device = disk.clone();
    let made = world.start(host, |core| async move {
        mkfs(&core, &device, &named("old")).await.unwrap();
    });
    world.run().unwrap();
    made.try_take().unwrap();
    (world, disk)
}

fn block_in(snapshot: &DiskSnapshot, bno: u64) -> Block {
    let mut block = Block::zeroed();
    snapshot.read(bno * 4096, block.bytes_mut());
    block
}

/// Whoever finds a superblock of the new volume, or a copy of it, finds all of the volume.
fn judge(snapshot: &DiskSnapshot) -> Left {
    let at = |bno| Superblock::parse(&block_in(snapshot, bno), bno).ok();
    let copies: Vec<Superblock> = BACKUPS_AT.into_iter().filter_map(at).collect();
    let primary = at(SUPER_AT);
    for found in primary.iter().chain(&copies).filter(|found| found.label == "new") {
        let sound = |bno, want| check(block_in(snapshot, bno).bytes(), &found.uuid, bno, want);
        for slot in 0..64u16 {
            let bno = found.geometry.slot_block(slot);
            assert_eq!(sound(bno, Want::new(Kind::Slot, slot.into())), Ok(()));
        }
        let header = found.geometry.group_header(0);
        assert_eq!(sound(header, Want::new(Kind::Group, 0)), Ok(()));
        assert_eq!(sound(header + 1, Want::new(Kind::Bitmap, 0)), Ok(()));
        assert_eq!(sound(found.root_ino, Want::new(Kind::Inode, found.root_ino)), Ok(()));
    }
    let label = |volume: Superblock| volume.label;
    Left { primary: primary.map(label), copies: copies.into_iter().map(label).collect() }
}

#[test]
fn a_power_loss_leaves_a_whole_volume_or_none() {
    let mut seen = BTreeSet::new();
    for seed in 0..120 {
        let (mut world, disk) = start(seed, if seed % 2 == 0 { 512 } else { 4096 });
        let host = world.add_host("b");
        let device = disk.clone();
        world.start(host, |core| async move {
            let options = MkfsOptions { force: true, ..named("new") };
            let _ = mkfs(&core, &device, &options).await;
        });
        world.run_for(seed * 1000).unwrap();
        world.crash(host);
        disk.power_loss();
        seen.insert(judge(&disk.durable_snapshot()));
    }
    let labels: BTreeSet<_> = seen.iter().map(|left| left.primary.as_deref()).collect();
    assert_eq!(labels, [None, Some("new"), Some("old")].into(), "the cuts fall everywhere");
    let early = seen.iter().find(|left| left.primary.is_none() && left.copies == ["new"]);
    assert!(early.is_some(), "copies come before the superblock");
}
