//! Volumes from the command line, without a daemon or a mount.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[allow(dead_code, reason = "each test uses a part of it")]
mod common;

use common::{Folder, byway, failure};

/// Runs the binary; its standard output and exit code.
fn run(args: &[&str]) -> (Vec<u8>, i32) {
    let output = byway(args).output().unwrap();
    (output.stdout, output.status.code().unwrap())
}

/// A volume in the folder: the URI of its device.
fn volume(folder: &Folder) -> String {
    let path = folder.file("volume", 128 << 20);
    let device = format!("file:{}?direct=off", path.display());
    assert_eq!(run(&["mkfs", &device, "--label", "one"]).1, 0);
    device
}

#[test]
fn a_volume_is_made_once_damaged_and_mended() {
    let folder = Folder::new("fs-fsck");
    let device = volume(&folder);
    let (line, code) = failure(&byway(&["mkfs", &device]).output().unwrap());
    assert!(code == 1 && line.contains("--force"), "{line}");
    assert_eq!(run(&["fsck", &device]).1, 0);
    assert_eq!(run(&["fs", "wreck", &device, "bitmap", "--yes"]).1, 0);
    assert_eq!(run(&["fsck", &device]).1, 4);
    assert_eq!(run(&["fsck", "-y", &device]).1, 1);
    assert_eq!(run(&["fsck", &device]).1, 0);
    assert_eq!(run(&["fsck", "floppy:a"]).1, 16);
    assert_eq!(run(&["fsck", "mem:64m"]).1, 8);
}

#[test]
fn files_go_in_and_come_out_as_they_were() {
    let folder = Folder::new("fs-cp");
    let device = volume(&folder);
    let bytes: Vec<u8> = (0..3_000_001_u32).map(|n| (n / 7) as u8).collect();
    let source = folder.path("source");
    std::fs::write(&source, &bytes).unwrap();
    let inside = format!("fs:[{device}]/dir");
    assert_eq!(run(&["mkdir", &inside]).1, 0);
    assert_eq!(run(&["cp", source.to_str().unwrap(), &inside]).1, 0);
    let file = format!("{inside}/source");
    assert_eq!(run(&["cat", &file]).0, bytes);
    let back = folder.path("back");
    assert_eq!(run(&["cp", &file, back.to_str().unwrap()]).1, 0);
    assert_eq!(std::fs::read(&back).unwrap(), bytes);
    assert_eq!(run(&["rm", &inside]).1, 1);
    assert_eq!(run(&["rm", "-r", &inside]).1, 0);
    assert_eq!(run(&["ls", &format!("fs:[{device}]/")]).0, b"");
    assert_eq!(run(&["fsck", &device]).1, 0);
}

#[test]
fn an_image_and_its_clone_take_space_as_they_are_written() {
    let folder = Folder::new("fs-image");
    let device = volume(&folder);
    let (image, root) = (format!("fs:[{device}]/a.img"), format!("fs:[{device}]/"));
    assert_eq!(run(&["image", "create", &image, "32m"]).1, 0);
    let load = ["--rw", "randwrite", "--runtime", "200ms", "--warmup", "0s"];
    let args = [&["bench", "run", &image][..], &load].concat();
    assert_eq!(run(&args).1, 0);
    assert_eq!(run(&["image", "clone", &image, "/b.img"]).1, 0);
    let (a, b) = (run(&["cat", &image]).0, run(&["cat", &format!("fs:[{device}]/b.img")]).0);
    assert!(a.len() == 32 << 20 && a == b);
    assert_eq!(run(&["image", "resize", &image, "16m"]).1, 2);
    assert_eq!(run(&["image", "rm", &image]).1, 0);
    assert_eq!(run(&["ls", &root]).0, b"b.img\n");
    assert_eq!(run(&["fsck", &device]).1, 0);
}
