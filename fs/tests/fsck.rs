//! Checks of whole volumes: sound ones are clean, and what is broken is found and mended.

mod lab;

use std::rc::Rc;
use std::sync::Arc;

use byway_engine::block::BlockDevice;
use byway_engine::core::Core;
use byway_fs::format::PlanOptions;
use byway_fs::fsck::{FsckOptions, Report, fsck};
use byway_fs::mkfs::{MkfsOptions, mkfs};
use lab::bench::{disk, image_of, run};
use lab::image::Image;

const SIZE: u64 = 32 << 20;

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
    .unwrap();
    image_of(&device)
}

fn checked(image: &Image, repair: bool) -> (Report, Image) {
    let device = Arc::new(disk(image.clone(), SIZE));
    let theirs = Arc::clone(&device);
    let report = run(|core: Rc<Core>| async move {
        let device: &dyn BlockDevice = &*theirs;
        fsck(&core, device, FsckOptions { repair }, |_| {}).await.map_err(|e| e.to_string())
    });
    (report.unwrap(), image_of(&device))
}

#[test]
fn a_new_volume_is_clean() {
    let (report, _) = checked(&made(), false);
    assert_eq!(report.findings, []);
    assert_eq!(report.inodes, 1);
}
