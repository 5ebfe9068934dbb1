//! Making volumes on real devices: what is refused, what a failure leaves, how much is written.

mod power;

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;

use byway_engine::block::file::{FileDevice, FileOptions};
use byway_engine::block::mem::MemDevice;
use byway_engine::block::wrap::{Fault, FaultAction, FaultPlan, FaultRule, Pick};
use byway_engine::block::{Io, Op};
use byway_engine::core::{CoreConfig, PollMode};
use byway_engine::error::ErrorKind;
use byway_engine::memory::ArenaConfig;
use byway_engine::reactor::Reactor;

use super::*;
use crate::format::{SUPER_AT, SuperError};
use crate::store::Block;

const MIB: u64 = 1 << 20;

type Device = Arc<dyn BlockDevice>;

fn on_a_core<T: 'static, F: Future<Output = T> + 'static>(work: impl FnOnce(Rc<Core>) -> F) -> T {
    let arena = ArenaConfig { len: 8 << 20, huge: false };
    let config = CoreConfig { arena, poll_mode: PollMode::Never, ..CoreConfig::default() };
    Reactor::new(&config).unwrap().run(work)
}

fn mem(mib: u64) -> Device {
    Arc::new(MemDevice::new(mib * MIB).unwrap())
}

fn make_on(device: &Device, options: &MkfsOptions) -> Result<Summary, MkfsError> {
    let (device, options) = (Arc::clone(device), options.clone());
    on_a_core(|core| async move { mkfs(&core, &*device, &options).await })
}

fn block_at(device: &Device, bno: u64) -> Block {
    let device = Arc::clone(device);
    on_a_core(|core| async move {
        let disk = Disk::open(&core, &*device).unwrap();
        let (result, lease) = disk.read(bno * 4096, core.lease(4096).unwrap()).await;
        result.unwrap();
        Block::from_bytes(lease.first_chunk().unwrap())
    })
}

fn put(device: &Device, offset: u64, bytes: [u8; 512]) {
    let device = Arc::clone(device);
    on_a_core(|core| async move {
        let disk = Disk::open(&core, &*device).unwrap();
        let mut lease = core.lease(512).unwrap();
        lease.copy_from_slice(&bytes);
        disk.submit(Io::write(offset, lease)).await.result.unwrap();
    });
}

fn superblock(device: &Device) -> Result<Superblock, SuperError> {
    Superblock::parse(&block_at(device, SUPER_AT), SUPER_AT)
}

fn named(label: &str) -> MkfsOptions {
    MkfsOptions { label: label.into(), ..MkfsOptions::default() }
}

#[test]
fn every_block_of_the_draft_is_on_the_device() {
    let device = mem(64);
    let summary = make_on(&device, &named("images")).unwrap();
    assert_eq!(superblock(&device).as_ref(), Ok(&summary.superblock));
    let copy = summary.superblock.geometry.backups().next().unwrap();
    let copy = Superblock::parse(&block_at(&device, copy), copy);
    assert_eq!(copy.as_ref(), Ok(&summary.superblock));
    let root = summary.superblock.root_ino;
    let core = block_at(&device, root);
    assert_eq!(crate::format::InodeCore::of(&core).check(root), Ok(()));
    let again = make_on(&device, &MkfsOptions { force: true, ..named("more") }).unwrap();
    assert_ne!(again.superblock.uuid, summary.superblock.uuid);
    assert_ne!(again.superblock.cluster_key, summary.superblock.cluster_key);
}

#[test]
fn what_would_be_destroyed_is_named() {
    let device = mem(64);
    make_on(&device, &named("images")).unwrap();
    let refused = make_on(&device, &named("x")).unwrap_err().to_string();
    assert_eq!(
        refused,
        "mem:67108864: carries the Byway volume \"images\": use --force to destroy it"
    );
    put(&device, SUPER_AT * 4096, [0; 512]);
    let refused = make_on(&device, &named("x")).unwrap_err().to_string();
    assert!(refused.contains("the Byway volume \"images\""), "a copy tells: {refused}");
    let other = mem(64);
    let mut ext = [0; 512];
    ext[56..58].copy_from_slice(b"\x53\xef");
    put(&other, 1024, ext);
    let refused = make_on(&other, &named("x")).unwrap_err().to_string();
    assert!(refused.contains("an ext2, ext3 or ext4 file system"), "{refused}");
    make_on(&other, &MkfsOptions { force: true, ..named("x") }).unwrap();
    assert_eq!(block_at(&other, 0), Block::zeroed(), "the old magic is gone");
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_written() {
    let device = mem(4);
    let refused = make_on(&device, &named("x")).unwrap_err().to_string();
    assert!(refused.contains("at least 8 MiB"), "{refused}");
    let device = mem(64);
    let refused = make_on(&device, &named(&"x".repeat(65))).unwrap_err().to_string();
    assert!(refused.contains("at most 64 bytes"), "{refused}");
    assert_eq!(superblock(&device), Err(SuperError::Absent));
}

#[test]
fn a_failure_at_any_write_leaves_no_volume_or_a_whole_one() {
    let device = mem(64);
    let mut failures = 0;
    for skip in 0.. {
        make_on(&device, &MkfsOptions { force: true, ..named("old") }).unwrap();
        let fail = FaultAction::Fail(ErrorKind::Media);
        let rule = FaultRule::new(fail).on(Op::Write).pick(Pick::Nth(skip + 1));
        let plan = FaultPlan::new(1).rule(rule);
        let broken: Device = Arc::new(Fault::new(Arc::clone(&device), plan));
        match make_on(&broken, &MkfsOptions { force: true, ..named("new") }) {
            Ok(made) => {
                assert_eq!(superblock(&device), Ok(made.superblock));
                break;
            }
            Err(MkfsError { kind: MkfsErrorKind::Io(_), .. }) if skip == 0 => {
                assert_eq!(superblock(&device).unwrap().label, "old", "nothing has happened");
            }
            Err(MkfsError { kind: MkfsErrorKind::Io(_), .. }) => {
                assert_eq!(superblock(&device), Err(SuperError::Absent));
            }
            Err(other) => panic!("{other}"),
        }
        failures += 1;
    }
    assert!(failures > 10, "{failures}");
}

/// A sparse file in memory, gone at the end.
struct Sparse(PathBuf);

impl Sparse {
    fn new(len: u64) -> Sparse {
        let name = format!("byway-mkfs-{}-{len}", std::process::id());
        let path = PathBuf::from("/dev/shm").join(name);
        std::fs::File::create(&path).unwrap().set_len(len).unwrap();
        Sparse(path)
    }
}

impl Drop for Sparse {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn sixty_four_tebibytes_take_little_writing() {
    let file = Sparse::new(64 << 40);
    let options = FileOptions { direct: false, ..FileOptions::default() };
    let device: Device = Arc::new(FileDevice::open(&file.0, options).unwrap());
    let summary = make_on(&device, &named("huge")).unwrap();
    assert!(summary.written < 64 * MIB, "{} bytes", summary.written);
    assert_eq!(summary.superblock.geometry.groups(), 65_536);
    assert_eq!(superblock(&device), Ok(summary.superblock));
    let kept = std::fs::metadata(&file.0).unwrap().blocks() * 512;
    assert!(kept <= summary.written, "{kept} bytes of storage");
}
