//! What users see of a file, step by step.

use byway_engine::block::{BlockDevice, ExtentKind, Io, Op, Outcome};
use byway_engine::error::ErrorKind;

use super::lab::{BLOCK, Lab};
use crate::store::FsError;

#[test]
fn what_was_written_is_read_and_the_rest_is_zero() {
    let lab = Lab::new();
    let file = lab.file("a", 1 << 20);
    let disk = lab.disk(&file);
    lab.write(&disk, 8192, &[7; 4096]);
    lab.write(&disk, 20_480 + 512, &[9; 512]);
    let bytes = lab.read(&disk, 0, 32_768);
    assert!(bytes[..8192].iter().all(|byte| *byte == 0));
    assert!(bytes[8192..12_288].iter().all(|byte| *byte == 7));
    assert!(bytes[12_288..20_992].iter().all(|byte| *byte == 0));
    assert!(bytes[20_992..21_504].iter().all(|byte| *byte == 9));
    assert!(bytes[21_504..].iter().all(|byte| *byte == 0));
    lab.flush(&disk);
    assert_eq!(lab.read(&disk, 0, 32_768), bytes);
}

#[test]
fn an_overwrite_is_one_request_of_the_device_and_no_change_of_metadata() {
    let lab = Lab::new();
    let file = lab.file("a", 1 << 20);
    let disk = lab.disk(&file);
    lab.write(&disk, 0, &[1; 65_536]);
    lab.flush(&disk);
    let before = (lab.ios(Op::Write), lab.ios(Op::Flush), lab.commits());
    (0..16).for_each(|n| lab.write(&disk, n * BLOCK, &[2; 4096]));
    lab.flush(&disk);
    let after = (lab.ios(Op::Write), lab.ios(Op::Flush), lab.commits());
    assert_eq!(after, (before.0 + 16, before.1 + 1, before.2));
    assert_eq!(lab.read(&disk, 0, 65_536), [2; 65_536]);
}

#[test]
fn a_block_may_lie_nearer_to_the_start_of_the_device_than_of_the_file() {
    let lab = Lab::new();
    let file = lab.file("a", 1 << 40);
    let disk = lab.disk(&file);
    let far = 1 << 39;
    lab.write(&disk, far, &[1; 8192]);
    lab.flush(&disk);
    lab.write(&disk, far + BLOCK, &[2; 4096]);
    assert_eq!(lab.read(&disk, far, 4096), [1; 4096]);
    assert_eq!(lab.read(&disk, far + BLOCK, 4096), [2; 4096]);
}

#[test]
fn a_closed_file_opens_with_what_was_written_without_a_flush() {
    let lab = Lab::new();
    let file = lab.file("a", 1 << 20);
    let at = file.inode();
    let disk = lab.disk(&file);
    lab.write(&disk, 4096, &[5; 8192]);
    drop((disk, file));
    let file = lab.open(at);
    let disk = lab.disk(&file);
    assert_eq!(lab.read(&disk, 4096, 8192), [5; 8192]);
}

#[test]
fn two_channels_see_what_the_other_wrote_into_a_hole() {
    let lab = Lab::new();
    let file = lab.file("a", 1 << 20);
    let (one, two) = (lab.disk(&file), lab.disk(&file));
    assert_eq!(lab.read(&two, 0, 8192), [0; 8192], "two knows that it is a hole");
    lab.write(&one, 0, &[1; 4096]);
    assert_eq!(lab.read(&two, 0, 4096), [1; 4096]);
    lab.write(&two, 4096, &[2; 4096]);
    lab.write(&one, 4096 + 512, &[3; 512]);
    assert_eq!(lab.read(&two, 4096, 512), [2; 512]);
    assert_eq!(lab.read(&two, 4608, 512), [3; 512]);
}

#[test]
fn a_punch_is_seen_through_every_channel() {
    let lab = Lab::new();
    let file = lab.file("a", 1 << 20);
    let (one, two) = (lab.disk(&file), lab.disk(&file));
    lab.write(&one, 0, &[1; 65_536]);
    assert_eq!(lab.read(&two, 0, 65_536), [1; 65_536]);
    let punched = file.clone();
    lab.run(async move { punched.punch(1000..20_000).await }).unwrap();
    for disk in [&one, &two] {
        let bytes = lab.read(disk, 0, 65_536);
        assert!(bytes[..1000].iter().all(|byte| *byte == 1));
        assert!(bytes[1000..20_000].iter().all(|byte| *byte == 0));
        assert!(bytes[20_000..].iter().all(|byte| *byte == 1));
    }
}

#[test]
fn a_clone_shares_until_one_of_the_two_writes() {
    let lab = Lab::new();
    let file = lab.file("a", 1 << 20);
    let disk = lab.disk(&file);
    lab.write(&disk, 0, &[1; 1 << 20]);
    let to = lab.orphan();
    let cloned = file.clone();
    lab.run(async move { cloned.clone_to(to).await }).unwrap();
    let copy = lab.open(to);
    let other = lab.disk(&copy);
    assert_eq!(lab.read(&other, 0, 1 << 20), vec![1; 1 << 20]);
    lab.write(&disk, 4096 + 512, &[2; 512]);
    lab.write(&other, 500 * 1024, &[3; 4096]);
    let (mine, theirs) = (lab.read(&disk, 0, 1 << 20), lab.read(&other, 0, 1 << 20));
    assert_eq!((mine[4607], mine[4608], mine[5120], mine[500 * 1024]), (1, 2, 1, 1));
    assert_eq!((theirs[4608], theirs[500 * 1024], theirs[504 * 1024]), (1, 3, 1));
    lab.flush(&disk);
    lab.flush(&other);
    assert_eq!((lab.read(&disk, 0, 1 << 20), lab.read(&other, 0, 1 << 20)), (mine, theirs));
}

#[test]
fn small_files_live_in_their_dinode_until_they_grow() {
    let lab = Lab::new();
    let file = lab.file("a", 0);
    let before = lab.ios(Op::Write);
    let small = file.clone();
    let place = lab.run(async move {
        small.write_at(10, b"hello".to_vec()).await?;
        small.append(b" world".to_vec()).await
    });
    assert_eq!((place, file.size()), (Ok(15), 21));
    assert_eq!(lab.ios(Op::Write), before, "no data went to the device");
    let large = file.clone();
    lab.run(async move { large.write_at(10_000, vec![7; 5000]).await }).unwrap();
    let read = file.clone();
    let bytes = lab.run(async move { read.read_at(0, 20_000).await }).unwrap();
    assert_eq!(bytes.len(), 15_000);
    assert_eq!(&bytes[8..24], b"\0\0hello world\0\0\0");
    assert!(bytes[24..10_000].iter().all(|byte| *byte == 0));
    assert!(bytes[10_000..].iter().all(|byte| *byte == 7));
}

#[test]
fn block_status_tells_data_from_space_and_holes() {
    let lab = Lab::new();
    let file = lab.file("a", 1 << 20);
    let disk = lab.disk(&file);
    lab.write(&disk, 65_536, &[1; 8192]);
    let allocated = file.clone();
    lab.run(async move { allocated.allocate(0..8192).await }).unwrap();
    let done = lab.submit(&disk, Io::block_status(0, 1 << 20));
    let Ok(Outcome::Extents(extents)) = done.result else { panic!("extents are the answer") };
    let seen: Vec<_> = extents.iter().map(|e| (e.offset, e.len, e.kind)).collect();
    let end = 65_536 + 8192;
    let expected = [
        (0, 8192, ExtentKind::Zero),
        (8192, 65_536 - 8192, ExtentKind::Hole),
        (65_536, 8192, ExtentKind::Data),
        (end, (1 << 20) - end, ExtentKind::Hole),
    ];
    assert_eq!(seen, expected);
    let sought = file.clone();
    let places = lab.run(async move {
        let data = sought.seek_data(100).await?;
        Ok::<_, FsError>((data, sought.seek_hole(65_600).await?))
    });
    assert_eq!(places, Ok((Some(65_536), Some(end))));
}

#[test]
fn what_ends_beyond_the_file_or_is_no_sector_is_refused() {
    let lab = Lab::new();
    let file = lab.file("a", 10_000);
    assert_eq!(file.info().size, 9728, "whole sectors");
    let disk = lab.disk(&file);
    let refused = |io: Io| lab.submit(&disk, io).result.unwrap_err().kind;
    assert_eq!(refused(Io::read(9728, lab.core.lease(512).unwrap())), ErrorKind::Range);
    assert_eq!(refused(Io::read(100, lab.core.lease(512).unwrap())), ErrorKind::Range);
    assert_eq!(refused(Io::discard(8192, 4096)), ErrorKind::Range);
    let grown = file.clone();
    lab.run(async move { grown.truncate(20_480).await }).unwrap();
    assert_eq!(lab.read(&disk, 9728, 512), [0; 512]);
    lab.core.turn(false);
    assert!(disk.take_event().is_some(), "the size changed");
}

#[test]
fn what_was_cut_off_is_zero_when_the_file_grows_again() {
    let lab = Lab::new();
    let file = lab.file("a", 65_536);
    let disk = lab.disk(&file);
    lab.write(&disk, 0, &[1; 65_536]);
    let cut = file.clone();
    lab.run(async move {
        cut.truncate(5000).await?;
        cut.truncate(65_536).await
    })
    .unwrap();
    let bytes = lab.read(&disk, 0, 65_536);
    assert!(bytes[..5000].iter().all(|byte| *byte == 1));
    assert!(bytes[5000..].iter().all(|byte| *byte == 0));
}
