//! Checks of whole volumes: sound ones are clean, and what is broken is found and mended.

mod lab;

use std::rc::Rc;
use std::sync::Arc;

use byway_engine::block::BlockDevice;
use byway_engine::core::Core;
use byway_fs::format::PlanOptions;
use byway_fs::fsck::{CODES, Code, FsckOptions, Report, fsck};
use byway_fs::mkfs::{MkfsOptions, mkfs};
use byway_fs::wreck::wreck;
use lab::bench::{disk, image_of, run};
use lab::image::Image;
use lab::volume::Volume;

/// Large enough for a copy of the superblock.
const SIZE: u64 = 72 << 20;

/// A new volume.
fn made() -> Image {
    let device = Arc::new(disk(Image::default(), SIZE));
    let theirs = Arc::clone(&device);
    run(|core: Rc<Core>| async move {
        let plan =
            PlanOptions { group_len: Some(8 << 20), journal_len: Some(1 << 20), journals: Some(1) };
        let options = MkfsOptions { plan, ..MkfsOptions::default() };
        mkfs(&core, &*theirs, &options).await.map(drop).map_err(|e| e.to_string())
    })
    .expect("a new volume");
    image_of(&device)
}

fn checked(image: &Image, repair: bool) -> (Report, Image) {
    let (report, image) = tried(image, repair);
    (report.expect("a report"), image)
}

fn tried(image: &Image, repair: bool) -> (Result<Report, String>, Image) {
    let device = Arc::new(disk(image.clone(), SIZE));
    let theirs = Arc::clone(&device);
    let report = run(|core: Rc<Core>| async move {
        let device: &dyn BlockDevice = &*theirs;
        fsck(&core, device, FsckOptions { repair }, |_| {}).await.map_err(|e| format!("{e:?}"))
    });
    (report, image_of(&device))
}

#[test]
fn a_new_volume_is_clean() {
    let (report, _) = checked(&made(), false);
    assert_eq!(report.findings, []);
    assert_eq!(report.inodes, 1);
}

/// A volume with a bit of everything.
fn populated() -> Image {
    let mut volume = Volume::open(made(), 100);
    let root = volume.root();
    let dir = volume.dir(root, "images");
    let deep = volume.dir(dir, "deep");
    for number in 0..300 {
        volume.file(deep, &format!("a file with a rather long name, number {number}"));
        if number % 50 == 49 {
            volume.commit();
        }
    }
    let image = volume.file(dir, "scattered");
    volume.scattered(image, 400);
    let clone = volume.file(dir, "clone");
    volume.clone_extents(image, clone);
    for name in ["one", "another"] {
        let file = volume.file(dir, name);
        volume.scattered(file, 30);
    }
    volume.set_xattr(image, "user.small", b"value");
    volume.set_xattr(clone, "user.large", &[7; 20_000]);
    for number in (0..300).step_by(3) {
        volume.unlink(deep, &format!("a file with a rather long name, number {number}"));
    }
    volume.commit();
    let gone = volume.file(root, "gone");
    volume.scattered(gone, 50);
    volume.unlink(root, "gone");
    volume.into_image()
}

#[test]
fn a_volume_in_use_is_clean() {
    let (report, _) = checked(&populated(), false);
    assert_eq!(report.findings, []);
    assert_eq!(report.names, 2 + 200 + 4);
    assert_eq!(report.inodes, 1 + report.names);
}

fn wrecked(image: &Image, code: Code) -> (String, Image) {
    let device = Arc::new(disk(image.clone(), SIZE));
    let theirs = Arc::clone(&device);
    let what = run(|core: Rc<Core>| async move {
        wreck(&core, &*theirs, code).await.map_err(|e| e.to_string())
    });
    (what.unwrap_or_else(|why| panic!("{code:?}: {why}")), image_of(&device))
}

#[test]
fn every_wreck_is_found_and_mended() {
    let image = populated();
    let mut wrong = Vec::new();
    for code in CODES {
        let (what, broken) = wrecked(&image, code);
        let (found, untouched) = checked(&broken, false);
        if !found.has(code) {
            wrong.push(format!("{code:?} ({what}): found {:?}", found.findings));
            continue;
        }
        let (again, _) = checked(&untouched, false);
        assert_eq!(again, found, "{code:?}: a check without repair writes nothing");
        let (repaired, mended) = tried(&broken, true);
        let (clean, _) = checked(&mended, false);
        if !repaired.as_ref().is_ok_and(|report| report.repaired) || !clean.is_clean() {
            wrong.push(format!("{code:?} ({what}): mended {repaired:?}, then {clean:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
