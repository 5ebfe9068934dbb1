//! What users see of the cache of a file's data.

use std::rc::Rc;

use byway_engine::api::Disk;
use byway_engine::block::{Io, Op};

use super::super::{File, FilesOptions, Policy};
use super::lab::{BLOCK, Lab};
use crate::names;

const SIZE: u64 = 1 << 20;

fn set_policy(lab: &Lab, file: &File, policy: Policy) {
    let file = file.clone();
    lab.run(async move { file.set_cache_policy(policy).await }).unwrap();
}

/// A file of ones whose reads are cached, known to a channel.
fn image(lab: &Lab) -> (File, Disk) {
    let file = lab.file("image", SIZE);
    let disk = lab.disk(&file);
    lab.write(&disk, 0, &vec![1; SIZE as usize]);
    lab.flush(&disk);
    set_policy(lab, &file, Policy::Read);
    (file, disk)
}

fn pass(lab: &Lab, disk: &Disk, len: usize) {
    for at in (0..SIZE).step_by(len) {
        assert_eq!(lab.read(disk, at, len), vec![1; len], "at {at}");
    }
}

#[test]
fn a_second_pass_reads_nothing_from_the_device() {
    for len in [512, 4096, 65_536] {
        let lab = Lab::new();
        let (file, disk) = image(&lab);
        pass(&lab, &disk, len);
        // What is still being fetched arrives.
        drop(disk);
        (0..1000).for_each(|_| {
            lab.core.turn(false);
        });
        let disk = lab.disk(&file);
        pass(&lab, &disk, len);
        let before = lab.ios(Op::Read);
        pass(&lab, &disk, len);
        pass(&lab, &lab.disk(&file), 4096);
        assert_eq!(lab.ios(Op::Read), before, "in pieces of {len}");
        let counts = lab.files.cache_counts();
        assert!(counts.hits >= SIZE / BLOCK && counts.bytes == SIZE, "{counts:?}");
    }
}

#[test]
fn a_reader_in_order_is_served_ahead() {
    let lab = Lab::new();
    let (_file, disk) = image(&lab);
    let before = lab.ios(Op::Read);
    pass(&lab, &disk, 4096);
    let reads = lab.ios(Op::Read) - before;
    assert!(reads < 64, "{reads} requests of the device for 256 reads");
}

#[test]
fn the_policy_none_keeps_nothing_and_is_found_again() {
    let lab = Lab::new();
    let (file, disk) = image(&lab);
    pass(&lab, &disk, 4096);
    set_policy(&lab, &file, Policy::None);
    let before = lab.ios(Op::Read);
    let hits = lab.files.cache_counts().hits;
    pass(&lab, &disk, 4096);
    assert_eq!(lab.ios(Op::Read) - before, SIZE / BLOCK);
    assert_eq!(lab.files.cache_counts().hits, hits);
    set_policy(&lab, &file, Policy::Read);
    let at = file.inode();
    drop((disk, file));
    let file = lab.open(at);
    let disk = lab.disk(&file);
    pass(&lab, &disk, 4096);
    let before = lab.ios(Op::Read);
    pass(&lab, &disk, 4096);
    assert_eq!(lab.ios(Op::Read), before, "the file opened with its policy");
}

#[test]
fn what_another_channel_writes_is_read_next() {
    let lab = Lab::new();
    let (file, one) = image(&lab);
    let two = lab.disk(&file);
    pass(&lab, &one, 4096);
    lab.write(&two, 8192 + 512, &[2; 512]);
    let bytes = lab.read(&one, 8192, 4096);
    assert_eq!((bytes[511], bytes[512], bytes[1023], bytes[1024]), (1, 2, 2, 1));
    lab.submit(&two, Io::write_zeroes(0, 4096, true)).result.unwrap();
    assert_eq!(lab.read(&one, 0, 4096), [0; 4096]);
    let (writer, cut) = (file.clone(), file.clone());
    lab.run(async move { writer.write_at(4096, vec![3; 4096]).await }).unwrap();
    assert_eq!(lab.read(&one, 4096, 4096), [3; 4096]);
    lab.run(async move {
        cut.truncate(16_384 + 100).await?;
        cut.truncate(SIZE).await
    })
    .unwrap();
    let bytes = lab.read(&one, 16_384, 4096);
    assert!(bytes[..100].iter().all(|byte| *byte == 1) && bytes[100..].iter().all(|b| *b == 0));
}

#[test]
fn a_clone_keeps_what_its_source_loses() {
    let lab = Lab::new();
    let (file, disk) = image(&lab);
    pass(&lab, &disk, 4096);
    let (to, from) = (lab.orphan(), file.clone());
    lab.volume.open_inode(to.ino);
    lab.run(async move { from.clone_to(to).await }).unwrap();
    let copy = lab.open(to);
    set_policy(&lab, &copy, Policy::Read);
    let theirs = lab.disk(&copy);
    lab.write(&disk, 0, &[2; 4096]);
    pass(&lab, &theirs, 4096);
    assert_eq!(lab.read(&disk, 0, 8192)[4095..4097], [2, 1]);
    lab.write(&theirs, 4096, &[3; 4096]);
    assert_eq!(lab.read(&disk, 4096, 4096), [1; 4096]);
    assert_eq!(lab.read(&theirs, 4096, 4096), [3; 4096]);
}

#[test]
fn the_bound_holds_and_a_scan_leaves_what_is_hot() {
    let mut lab = Lab::new();
    let bound = 3 << 20;
    lab.files = super::super::Files::with_options(&lab.volume, FilesOptions { cache_len: bound });
    let file = lab.file("large", 16 << 20);
    let disk = lab.disk(&file);
    for n in 0..64_u64 {
        lab.write(&disk, n << 18, &vec![n as u8; 1 << 18]);
    }
    lab.flush(&disk);
    set_policy(&lab, &file, Policy::Read);
    let hot = |lab: &Lab| (0..64).for_each(|n| drop(lab.read(&disk, (n * 4 % 128) * BLOCK, 4096)));
    (0..4).for_each(|_| hot(&lab));
    for at in ((1 << 20)..(16 << 20)).step_by(65_536) {
        assert_eq!(lab.read(&disk, at, 65_536)[0], (at >> 18) as u8);
        let counts = lab.files.cache_counts();
        assert!(counts.bytes <= counts.bound && counts.bound <= bound as u64, "{counts:?}");
    }
    assert!(lab.files.cache_counts().evictions > 0);
    let before = lab.ios(Op::Read);
    hot(&lab);
    assert_eq!(lab.ios(Op::Read), before, "the scan left the hot set");
    drop((disk, file));
    (0..1000).for_each(|_| {
        lab.core.turn(false);
    });
    let counts = lab.files.cache_counts();
    assert_eq!((counts.bytes, counts.bound), (0, 0), "the memory went with its last channel");
}

#[test]
fn a_nameless_file_is_finished_when_its_last_handle_closes() {
    let lab = Lab::new();
    let free = |lab: &Lab| {
        let volume = lab.volume.clone();
        lab.run(async move { volume.statfs().await }).unwrap().blocks_free
    };
    let (file, disk) = image(&lab);
    let root = lab.volume.root();
    let before = free(&lab);
    lab.op(move |op| names::unlink(op, root, b"image").map(drop));
    lab.volume.finish_orphans();
    pass(&lab, &disk, 4096);
    assert!(free(&lab) <= before + 1, "it is whole while it is open");
    let core = Rc::clone(&lab.core);
    drop((disk, file));
    for _ in 0..100_000 {
        core.turn(false);
    }
    assert!(free(&lab) >= before + SIZE / BLOCK, "it is gone in the background");
}
