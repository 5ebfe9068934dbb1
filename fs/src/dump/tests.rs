//! Dumps of whole volumes, of damaged blocks, and of bytes that mean nothing.

use std::rc::Rc;
use std::sync::Arc;

use byway_engine::block::BlockDevice;
use byway_engine::block::mem::MemDevice;
use byway_engine::core::{Core, CoreConfig, PollMode};
use byway_engine::memory::ArenaConfig;
use byway_engine::reactor::Reactor;
use proptest::prelude::*;

use super::*;
use crate::format::{Geometry, KINDS, PlanOptions, SUPER_AT, seal};
use crate::mkfs::{Draft, Identity, MkfsOptions, mkfs};

fn draft() -> Draft {
    let identity = Identity {
        uuid: [9; 16],
        dir_hash_key: [1; 16],
        cluster_key: [0xab; 32],
        root_generation: 77,
        label: "images".into(),
        sector_len: 512,
        owner: (0, 0),
        created: 0,
    };
    Draft::new(Geometry::plan(64 << 20, &PlanOptions::default()).unwrap(), identity)
}

#[test]
fn every_block_of_a_new_volume_shows_without_a_fault() {
    for (bno, content) in draft().everything() {
        let shown = block(bno, &content, Some(&[9; 16]));
        assert_eq!(shown.get("fault"), Some(&"none".into()), "{shown:?}");
        assert!(shown.get("content").is_some());
    }
}

#[test]
fn people_and_programs_see_the_same() {
    let (bno, content) = draft().primary();
    let shown = Node::from(block(bno, &content, None));
    let text = shown.to_string();
    assert!(text.starts_with("bno: 16\nkind: superblock\nfault: none\nheader:\n  crc: "), "{text}");
    assert!(text.contains("\n  label: images\n"), "{text}");
    assert!(!text.contains("abababab"), "the secret of the cluster is not shown");
    let json = serde_json::to_value(&shown).unwrap();
    assert_eq!(json["content"]["label"], "images");
    assert_eq!(json["content"]["blocks"], 16_384);
    assert_eq!(json["content"]["features"]["incompat"], 0);
}

#[test]
fn what_is_wrong_with_a_block_is_told() {
    let (bno, mut content) = draft().primary();
    let fault = |content: &Block, bno, uuid: &[u8; 16]| {
        block(bno, content, Some(uuid)).get("fault").cloned().unwrap()
    };
    assert_eq!(fault(&content, bno + 1, &[9; 16]), "belongs to another place".into());
    assert_eq!(fault(&content, bno, &[8; 16]), "belongs to another volume".into());
    content.bytes_mut()[4000] = 1;
    assert_eq!(fault(&content, bno, &[9; 16]), "has a wrong checksum".into());
    assert_eq!(block(5, &Block::zeroed(), None).get("kind"), Some(&"zeroes".into()));
    let data = Block::from_bytes(&[b'x'; 4096]);
    assert_eq!(block(5, &data, None).get("kind"), Some(&"no metadata".into()));
}

proptest! {
    #[test]
    fn no_bytes_are_too_strange(
        kind in 0usize..20,
        bytes in prop::collection::vec(any::<u8>(), 4032),
        count in any::<u16>(),
        level in 0u16..3,
    ) {
        let mut content = Block::from_bytes(&[0; 4096]);
        let want = Want::new(KINDS[kind], 7);
        content.bytes_mut()[64..].copy_from_slice(&bytes);
        content.set_header(&crate::format::Header::new(&[9; 16], 600, want, 3));
        for at in [64, 512, 1024, 2560] {
            content.bytes_mut()[at..at + 2].copy_from_slice(&count.to_le_bytes());
            content.bytes_mut()[at + 2..at + 4].copy_from_slice(&level.to_le_bytes());
        }
        seal(content.bytes_mut());
        let shown = Node::from(block(600, &content, Some(&[9; 16])));
        prop_assert!(shown.to_string().starts_with("bno: 600\n"));
        prop_assert!(serde_json::to_string(&shown).is_ok());
    }
}

type Device = Arc<dyn BlockDevice>;

fn on_a_core<T: 'static, F: Future<Output = T> + 'static>(work: impl FnOnce(Rc<Core>) -> F) -> T {
    let arena = ArenaConfig { len: 8 << 20, huge: false };
    let config = CoreConfig { arena, poll_mode: PollMode::Never, ..CoreConfig::default() };
    Reactor::new(&config).unwrap().run(work)
}

fn dump(device: &Device, target: Target) -> Result<Node, DumpError> {
    let device = Arc::clone(device);
    on_a_core(|core| async move { Walker::open(&core, &*device).await?.dump(target).await })
}

fn volume() -> Device {
    let device: Device = Arc::new(MemDevice::new(64 << 20).unwrap());
    let made = Arc::clone(&device);
    on_a_core(|core| async move {
        let options = MkfsOptions { label: "images".into(), ..MkfsOptions::default() };
        mkfs(&core, &*made, &options).await.unwrap();
    });
    device
}

#[test]
fn a_walk_shows_whatever_is_asked_for() {
    let device = volume();
    let superblock = dump(&device, Target::Super).unwrap();
    let root = superblock.get("content").unwrap().get("root_ino").unwrap();
    let Node::Number(root) = root else { panic!("{root:?}") };
    let inode = dump(&device, Target::Inode(*root as u64)).unwrap();
    let names = inode.get("dinode").unwrap().get("content").unwrap().get("names").unwrap();
    assert_eq!(names.get("count"), Some(&0u16.into()));
    assert_eq!(inode.get("blocks"), Some(&Vec::new().into()));
    let journal = dump(&device, Target::Journal(0)).unwrap();
    assert_eq!(journal.get("commits"), Some(&Vec::new().into()));
    assert_eq!(journal.get("heads").unwrap().list().unwrap().len(), 2);
    let group = dump(&device, Target::Group(0)).unwrap();
    assert_eq!(group.get("bitmap").unwrap().list().unwrap().len(), 1);
    assert_eq!(dump(&device, Target::GroupMap).unwrap().list().unwrap().len(), 1);
    assert!(dump(&device, Target::Slot(63)).is_ok());
    assert!(dump(&device, Target::Backup(0)).is_ok());
    assert_eq!(dump(&device, Target::Block(0)).unwrap().get("kind"), Some(&"zeroes".into()));
}

#[test]
fn what_is_not_there_is_named() {
    let device = volume();
    let words = |target| dump(&device, target).unwrap_err().to_string();
    assert_eq!(
        words(Target::Block(1 << 40)),
        "the volume has no block 1099511627776: see `byway fs info`"
    );
    assert!(words(Target::Journal(40)).contains("no journal of slot 40"));
    assert!(words(Target::Slot(64)).contains("no slot 64"));
    assert!(words(Target::Group(999)).contains("no group 999"));
    assert!(words(Target::Backup(1)).contains("no copy 1"));
    let empty: Device = Arc::new(MemDevice::new(64 << 20).unwrap());
    let words = dump(&empty, Target::Super).unwrap_err().to_string();
    assert_eq!(words, "no volume: make one with `byway mkfs`");
}

#[test]
fn a_copy_helps_where_the_superblock_is_gone() {
    let device = volume();
    let spoilt = Arc::clone(&device);
    on_a_core(|core| async move {
        let disk = byway_engine::api::Disk::open(&core, &*spoilt).unwrap();
        let mut lease = core.lease(4096).unwrap();
        lease.fill(0x55);
        disk.write(SUPER_AT * 4096, lease).await.0.unwrap();
    });
    let shown = dump(&device, Target::Super).unwrap();
    assert_eq!(shown.get("kind"), Some(&"no metadata".into()));
    assert!(dump(&device, Target::Slot(0)).unwrap().get("content").is_some());
}
