//! Lab protocols of a mounted volume.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use byway_engine::core::Core;
use byway_engine::sim::{DiskConfig, HostId, Latency, SimDisk, World, WorldConfig};

use super::*;
use crate::format::PlanOptions;
use crate::mkfs::{MkfsOptions, mkfs};
use crate::names::{self, New};

mod commits;
mod crash;
mod directories;
mod growth;
mod mounts;
mod speed;

const MIB: u64 = 1 << 20;
const SECOND: u64 = 1_000_000_000;
const NEW: New = New { mode: 0o644, uid: 0, gid: 0 };

/// The smallest journal, so that it fills and goes round.
fn small() -> MkfsOptions {
    let plan = PlanOptions { journal_len: Some(MIB), journals: Some(2), ..PlanOptions::default() };
    MkfsOptions { plan, uuid: Some([5; 16]), ..MkfsOptions::default() }
}

/// Nobody else can be there.
fn alone() -> MountOptions {
    MountOptions { watch: false, host: "lab".into(), ..MountOptions::default() }
}

/// A world with one host and one disk that carries a volume.
fn lab(seed: u64, config: DiskConfig) -> (World, HostId, SimDisk) {
    let mut world = World::new(seed, WorldConfig::default());
    let host = world.add_host("a");
    let disk = world.add_disk(config);
    let device = disk.clone();
    let made = world.start(host, |core| async move {
        mkfs(&core, &device, &small()).await.unwrap();
    });
    world.run_until(u64::MAX, || made.is_finished()).unwrap();
    made.try_take().expect("a volume was made");
    (world, host, disk)
}

fn quick() -> DiskConfig {
    DiskConfig { latency: Latency::fixed(20_000), ..DiskConfig::default() }
}

/// Runs a protocol on a host to its end.
fn act<T, F>(world: &mut World, host: HostId, main: impl FnOnce(Rc<Core>) -> F) -> T
where
    T: 'static,
    F: std::future::Future<Output = T> + 'static,
{
    let done = world.start(host, main);
    let deadline = world.now() + 600 * SECOND;
    world.run_until(deadline, || done.is_finished()).unwrap();
    done.try_take().expect("the protocol came to its end")
}

async fn mount(core: &Rc<Core>, disk: &SimDisk, options: MountOptions) -> Volume {
    Volume::mount(core, Arc::new(disk.clone()), options).await.unwrap()
}

async fn create(volume: &Volume, name: &str) {
    let root = volume.root();
    let made = volume.run(|op| names::create(op, root, name.as_bytes(), NEW, true)).await;
    made.unwrap();
}

async fn unlink(volume: &Volume, name: &str) {
    let root = volume.root();
    let removed = volume.run(|op| names::unlink(op, root, name.as_bytes())).await.unwrap();
    if removed.orphan {
        volume.finish_orphans();
    }
}

/// The names in the root directory.
async fn list(volume: &Volume) -> BTreeSet<String> {
    let (root, mut names, mut after) = (volume.root(), BTreeSet::new(), 0);
    loop {
        let listing = volume.run(|op| names::readdir(op, root, after, 100)).await.unwrap();
        let before = after;
        for listed in listing.iter() {
            after = listed.entry.cookie;
            names.insert(String::from_utf8(listed.name.to_vec()).unwrap());
        }
        if after == before {
            return names;
        }
    }
}
