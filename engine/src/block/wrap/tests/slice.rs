use super::*;
use crate::block::wrap::Slice;
use crate::block::{DeviceEvent, Extent, ExtentKind};

#[test]
fn a_window_is_where_it_says_and_nowhere_else() {
    let disk = mem(1 << 20);
    let slice = Slice::new(disk.clone(), 8192, 16384).unwrap();
    let (mut whole, mut window) = (Lab::on(&*disk), Lab::on(&slice));
    assert_eq!(window.write(4096, 4096, 5), Ok(Outcome::Done));
    assert!(whole.reads(12288, 4096, 5) && whole.reads(8192, 4096, 0));
    assert_eq!(window.read(16384, 512).unwrap_err(), ErrorKind::Range);
    assert_eq!(window.read(u64::MAX - 511, 512).unwrap_err(), ErrorKind::Range);
    assert!(window.run(Io::flush()).result.is_ok());
}

#[test]
fn offsets_come_back_as_the_window_counts_them() {
    let slice = Slice::new(mem(1 << 20), 8192, 16384).unwrap();
    let mut window = Lab::on(&slice);
    window.write(4096, 4096, 1).unwrap();
    let extent = |offset, len, kind| Extent { offset, len, kind };
    let expected = vec![
        extent(512, 3584, ExtentKind::Hole),
        extent(4096, 4096, ExtentKind::Data),
        extent(8192, 8192, ExtentKind::Hole),
    ];
    let status = window.run(Io::block_status(512, 16384 - 512)).result;
    assert_eq!(status, Ok(Outcome::Extents(Box::new(expected))));
    let error = window.run(Io::write(1, window.lease(512, 0))).result.unwrap_err();
    assert_eq!((error.offset, error.len), (1, 512));
}

#[test]
fn a_window_that_does_not_fit_is_refused() {
    assert!(Slice::new(mem(8192), 4096, 8192).is_err());
    assert!(Slice::new(mem(8192), u64::MAX - 511, 1024).is_err());
    let unaligned = Slice::new(mem(8192), 100, 512).err().unwrap().to_string();
    assert!(unaligned.contains("multiples of 512"), "{unaligned}");
}

#[test]
fn an_unaligned_window_promises_smaller_atoms() {
    assert_eq!(Slice::new(mem(8192), 1024, 4096).unwrap().info().atomic_len, 1024);
    assert_eq!(Slice::new(mem(8192), 0, 4096).unwrap().info().atomic_len, 4096);
}

#[test]
fn a_resize_is_an_event_only_where_the_window_changes() {
    let disk = Arc::new(MemDevice::with_limit(64 << 10, 1 << 20).unwrap());
    let slice = Slice::new(disk.clone(), 16 << 10, 32 << 10).unwrap();
    let mut window = Lab::on(&slice);
    disk.resize(1 << 20).unwrap();
    assert_eq!(window.channel.take_event(), None);
    disk.resize(20 << 10).unwrap();
    assert_eq!(window.channel.take_event(), Some(DeviceEvent::Resized { size: 4 << 10 }));
    assert_eq!(slice.info().size, 4 << 10);
}
