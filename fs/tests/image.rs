//! Copies of the metadata of a volume: whole volumes themselves, without a byte of anybody's data.

mod lab;

use std::rc::Rc;
use std::sync::Arc;

use byway_engine::core::Core;
use byway_fs::extents::{Mapping, lookup};
use byway_fs::image::{ImageOptions, Summary, copy};
use byway_fs::inode::inline_put;
use byway_fs::store::Mutation;
use byway_fs::volume::Volume as Mounted;
use lab::bench::{disk, image_of, run};
use lab::image::Image;
use lab::matrix::{SIZE, look, made, options};
use lab::volume::Volume;

const SECRET: &[u8] = b"nobody else's business";

/// A volume with secrets in a block of data, in a small file, in a name and in an attribute.
fn with_secrets() -> Image {
    let mut volume = Volume::open(made(3), 100);
    let root = volume.root();
    let large = volume.file(root, "large");
    volume.scattered(large, 20);
    let small = volume.file(root, "small");
    volume.run(|op| inline_put(op, small, 0, SECRET)).expect("a sound volume");
    volume.file(root, std::str::from_utf8(SECRET).expect("a sound volume"));
    volume.set_xattr(small, "user.secret", SECRET);
    volume.set_xattr(large, "user.secret", &SECRET.repeat(100));
    let Mapping::Extent { run, .. } =
        volume.run(|op| lookup(op, large.ino, 0)).expect("a sound volume")
    else {
        panic!("the first block of the file is data");
    };
    let mut image = volume.into_image();
    let mut data = SECRET.repeat(24);
    data.truncate(512);
    image.write(run.start * 4096, &data);
    image
}

fn copied(image: &Image, scramble: bool) -> (Summary, Image) {
    let (from, to) = (disk(image.clone(), SIZE), Arc::new(disk(Image::default(), SIZE)));
    let theirs = Arc::clone(&to);
    let done = run(|core: Rc<Core>| async move {
        copy(&core, &from, &*theirs, ImageOptions { scramble }).await.map_err(|e| e.to_string())
    });
    (done.expect("a sound volume"), image_of(&to))
}

fn times(image: &Image, what: &[u8]) -> usize {
    let mut bytes = vec![0; SIZE as usize];
    image.read(0, &mut bytes);
    bytes.windows(what.len()).filter(|window| *window == what).count()
}

#[test]
fn a_copy_is_a_volume_without_data() {
    let image = with_secrets();
    let before = look(&image).unwrap();
    let (summary, copy) = copied(&image, false);
    assert!(summary.blocks > 20 && summary.blocks < 200 && summary.unread == 0, "{summary:?}");
    let report = look(&copy).unwrap();
    assert_eq!((&report.findings[..], report.digest), (&[][..], before.digest));
    // The name, and the attributes: whoever asks for a copy is told so.
    let in_the_large_value = 100;
    assert_eq!(times(&copy, SECRET), 1 + 1 + in_the_large_value);
}

#[test]
fn a_scrambled_copy_tells_nothing() {
    let image = with_secrets();
    let (_, copy) = copied(&image, true);
    assert_eq!(times(&copy, SECRET), 0);
    let report = look(&copy).unwrap();
    assert_eq!((&report.findings[..], report.names), (&[][..], 3));
}

#[test]
fn a_copy_can_be_mounted() {
    let (_, copy) = copied(&with_secrets(), false);
    let device = Arc::new(disk(copy, SIZE));
    let done = run(|core: Rc<Core>| async move {
        let mounted = Mounted::mount(&core, device, options(Mutation::None)).await;
        mounted.map_err(|e| e.to_string())?.unmount().await.map_err(|e| e.to_string())
    });
    assert_eq!(done, Ok(()));
}
