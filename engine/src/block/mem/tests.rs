use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::block::{
    Completion, Completions, DeviceEvent, Extent, ExtentKind, Io, IoResult, Outcome, Payload,
    SegmentList,
};
use crate::error::ErrorKind;
use crate::memory::Lease;

const MIB: u64 = 1 << 20;

/// One core with one channel to a device.
struct Bench {
    core: Rc<Core>,
    channel: Box<dyn Channel>,
}

impl Bench {
    fn on(device: &MemDevice) -> Bench {
        let core = Core::standalone().unwrap();
        let channel = device.open_channel(&core).unwrap();
        Bench { core, channel }
    }

    fn lease(&self, len: u32, value: u8) -> Lease {
        let mut lease = self.core.arena().lease(len).unwrap();
        lease.fill(value);
        lease
    }

    fn run(&mut self, io: Io) -> Completion {
        self.channel.submit(io.with_tag(7)).unwrap();
        self.channel.flush_submissions();
        let mut done = Completions::new();
        self.channel.poll(&mut done);
        assert_eq!((done.len(), done[0].tag), (1, 7));
        done.remove(0)
    }

    fn write(&mut self, offset: u64, len: u32, value: u8) {
        let lease = self.lease(len, value);
        assert_eq!(self.run(Io::write(offset, lease)).result, Ok(Outcome::Done));
    }

    fn read(&mut self, offset: u64, len: u32) -> Lease {
        let lease = self.lease(len, 0xAA);
        let completion = self.run(Io::read(offset, lease));
        assert_eq!(completion.result, Ok(Outcome::Done));
        completion.payload.into_lease().unwrap()
    }

    fn reads(&mut self, offset: u64, len: u32, value: u8) -> bool {
        self.read(offset, len).iter().all(|b| *b == value)
    }

    fn extents(&mut self, offset: u64, len: u64) -> Vec<Extent> {
        match self.run(Io::block_status(offset, len)).result {
            Ok(Outcome::Extents(extents)) => *extents,
            other => panic!("{other:?}"),
        }
    }
}

fn kind(result: &IoResult) -> ErrorKind {
    result.as_ref().unwrap_err().kind
}

#[test]
fn what_was_written_is_read_and_the_rest_is_zero() {
    let mut bench = Bench::on(&MemDevice::new(MIB).unwrap());
    bench.write(4096 - 512, 1024, 3);
    assert!(bench.reads(0, 4096 - 512, 0));
    assert!(bench.reads(4096 - 512, 1024, 3));
    assert!(bench.reads(4096 + 512, 8192, 0));
}

#[test]
fn segments_of_any_length_are_one_request() {
    let mut bench = Bench::on(&MemDevice::new(MIB).unwrap());
    let mut list = SegmentList::with_capacity(3);
    for (len, value) in [(1, 1), (4000, 2), (95 + 512, 3)] {
        list.push(bench.lease(len, value)).unwrap();
    }
    let io = Io::write(512, Payload::Many(Box::new(list)));
    assert_eq!(bench.run(io).result, Ok(Outcome::Done));
    let back = bench.read(512, 4608);
    assert_eq!((back[0], back[1], back[4000], back[4001]), (1, 2, 2, 3));
    assert_eq!(back[4607], 3);
}

#[test]
fn a_request_outside_or_not_aligned_is_refused_and_gives_the_memory_back() {
    let mut bench = Bench::on(&MemDevice::new(MIB).unwrap());
    for offset in [MIB, MIB - 512, u64::MAX - 511, 1] {
        let completion = bench.run(Io::read(offset, bench.lease(1024, 0)));
        assert_eq!(kind(&completion.result), ErrorKind::Range);
        assert_eq!(completion.payload.len(), 1024);
    }
    let short = Io { len: 512, ..Io::write(0, bench.lease(1024, 0)) };
    assert_eq!(kind(&bench.run(short).result), ErrorKind::Range);
    let keys = Io { payload: Payload::None, ..Io::flush() };
    let keys = Io { op: crate::block::Op::ReservationIn, ..keys };
    assert_eq!(kind(&bench.run(keys).result), ErrorKind::Unsupported);
}

#[test]
fn block_status_follows_writes_and_discards() {
    let mut bench = Bench::on(&MemDevice::new(64 * MIB).unwrap());
    bench.write(8192, 4096, 1);
    bench.write(12288 + 512, 512, 1);
    let extent = |offset, len, kind| Extent { offset, len, kind };
    assert_eq!(
        bench.extents(512, 64 * MIB - 512),
        [
            extent(512, 8192 - 512, ExtentKind::Hole),
            extent(8192, 8192, ExtentKind::Data),
            extent(16384, 64 * MIB - 16384, ExtentKind::Hole),
        ]
    );
    assert_eq!(bench.run(Io::discard(8192 + 512, 8192)).result, Ok(Outcome::Done));
    assert!(bench.reads(12288, 4096, 0), "the whole block in the middle is freed");
    assert_eq!(bench.extents(12288, 4096), [extent(12288, 4096, ExtentKind::Hole)]);
}

#[test]
fn zeroes_free_memory_only_where_they_may() {
    let mut bench = Bench::on(&MemDevice::new(16 * MIB).unwrap());
    for unmap in [false, true] {
        bench.write(0, 2 << 20, 9);
        bench.write(2 * MIB, 1 << 20, 9);
        let zeroes = Io::write_zeroes(512, 3 * MIB - 1024, unmap);
        assert_eq!(bench.run(zeroes).result, Ok(Outcome::Done));
        assert!(bench.reads(0, 512, 9) && bench.reads(3 * MIB - 512, 512, 9));
        assert!(bench.reads(512, (2 << 20) - 512, 0) && bench.reads(2 * MIB, (1 << 20) - 512, 0));
        let expected = if unmap { ExtentKind::Hole } else { ExtentKind::Data };
        assert_eq!(bench.extents(4096, 2 * MIB)[0].kind, expected);
    }
    let small = Io::write_zeroes(0, 512, true);
    assert_eq!(bench.run(small).result, Ok(Outcome::Done));
    assert!(bench.reads(0, 512, 0));
}

#[test]
fn compare_and_write_changes_nothing_on_a_difference() {
    let mut bench = Bench::on(&MemDevice::new(MIB).unwrap());
    bench.write(0, 8192, 5);
    let mut words = bench.lease(4096, 5);
    words[2048..].fill(6);
    words[1000] = 4;
    let completion = bench.run(Io::compare_and_write(3072, words));
    assert_eq!(kind(&completion.result), ErrorKind::Miscompare { at: 1000 });
    assert!(bench.reads(0, 8192, 5));
    let mut words = completion.payload.into_lease().unwrap();
    words[1000] = 5;
    assert_eq!(bench.run(Io::compare_and_write(3072, words)).result, Ok(Outcome::Done));
    assert!(bench.reads(3072, 2048, 6) && bench.reads(5120, 3072, 5));
    let long = bench.lease(2 * (64 << 10) + 1024, 0);
    let refused = bench.run(Io::compare_and_write(0, long)).result.unwrap_err();
    assert!(refused.detail.contains("at most 65536"));
}

#[test]
fn a_resize_is_an_event_on_every_channel_and_cuts_bytes_off_for_good() {
    let device = MemDevice::with_limit(64 << 10, MIB).unwrap();
    let (mut a, mut b) = (Bench::on(&device), Bench::on(&device));
    a.write(0, 64 << 10, 8);
    device.resize(1024).unwrap();
    device.resize(MIB).unwrap();
    assert!(device.resize(MIB + 512).unwrap_err().to_string().contains("larger limit"));
    assert!(a.reads(0, 1024, 8) && a.reads(1024, 63 << 10, 0));
    b.write(MIB - 512, 512, 1);
    for bench in [&mut a, &mut b] {
        let event = bench.channel.take_event();
        assert_eq!(event, Some(DeviceEvent::Resized { size: MIB }));
        assert_eq!(bench.channel.take_event(), None);
    }
}

#[test]
fn sizes_that_cannot_be_had_are_refused_with_a_remedy() {
    assert!(MemDevice::new(1000).unwrap_err().to_string().contains("multiple of 512"));
    assert!(MemDevice::new(0).is_err());
    let text = MemDevice::new(1 << 62).unwrap_err().to_string();
    assert!(text.contains("use a smaller size"), "{text}");
}

#[test]
fn a_full_channel_gives_the_request_back() {
    let mut bench = Bench::on(&MemDevice::new(MIB).unwrap());
    for tag in 0..u64::from(MEM_DEPTH_MAX) {
        bench.channel.submit(Io::flush().with_tag(tag)).unwrap();
    }
    assert_eq!(bench.channel.submit(Io::flush().with_tag(9)).unwrap_err().tag, 9);
    assert_eq!(bench.channel.in_flight(), MEM_DEPTH_MAX);
    let mut done = Completions::new();
    bench.channel.poll(&mut done);
    let tags: HashSet<u64> = done.iter().map(|c| c.tag).collect();
    assert_eq!((tags.len() as u32, bench.channel.in_flight()), (MEM_DEPTH_MAX, 0));
}

/// Resident KiB of all mappings of at least 64 GiB.
fn resident_kib() -> u64 {
    let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let value = |line: &str| line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap();
    let (mut is_large, mut resident) = (false, 0);
    for line in smaps.lines() {
        if line.starts_with("Size:") {
            is_large = value(line) >= 64 << 20;
        } else if line.starts_with("Rss:") && is_large {
            resident += value(line);
        }
    }
    resident
}

#[test]
fn a_large_device_takes_memory_for_what_is_written() {
    let mut bench = Bench::on(&MemDevice::new(64 << 30).unwrap());
    bench.write((64 << 30) - 4096, 4096, 1);
    assert!(bench.reads(32 << 30, 1 << 20, 0));
    bench.run(Io::discard(0, 32 << 30));
    let resident = resident_kib();
    assert!((4..=4096).contains(&resident), "{resident} KiB for one block");
}

/// Adds one to a counter in the first sector with compare-and-write, `times` times.
fn count_up(device: &MemDevice, times: u64) {
    let mut bench = Bench::on(device);
    let (mut counted, mut seen) = (0, 0u64);
    while counted < times {
        let mut words = bench.lease(1024, 0);
        words[..8].copy_from_slice(&seen.to_le_bytes());
        words[512..520].copy_from_slice(&(seen + 1).to_le_bytes());
        match bench.run(Io::compare_and_write(0, words)).result {
            Ok(_) => counted += 1,
            Err(e) => assert!(matches!(e.kind, ErrorKind::Miscompare { .. })),
        }
        seen = u64::from_le_bytes(bench.read(0, 512)[..8].try_into().unwrap());
    }
}

#[test]
fn compare_and_write_of_several_cores_loses_no_update() {
    let device = Arc::new(MemDevice::new(MIB).unwrap());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| count_up(&device, 300));
        }
    });
    let words = Bench::on(&device).read(0, 512);
    assert_eq!(u64::from_le_bytes(words[..8].try_into().unwrap()), 900);
}

#[test]
fn aligned_blocks_are_never_torn_between_cores() {
    let device = Arc::new(MemDevice::new(MIB).unwrap());
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for value in 1..3 {
            let (device, stop) = (&device, &stop);
            scope.spawn(move || {
                let mut bench = Bench::on(device);
                while !stop.load(Ordering::Relaxed) {
                    bench.write(0, 16384, value);
                    bench.run(Io::discard(4096, 8192));
                }
            });
        }
        let mut bench = Bench::on(&device);
        for _ in 0..2000 {
            let seen = bench.read(0, 16384);
            let torn = seen.chunks(4096).position(|b| b.iter().any(|x| *x != b[0]));
            if torn.is_some() {
                stop.store(true, Ordering::Relaxed);
            }
            assert_eq!(torn, None);
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn only_what_was_written_is_lent() {
    let device = MemDevice::with_limit(MIB, 2 * MIB).unwrap();
    let mut bench = Bench::on(&device);
    assert!(bench.channel.lend(0, 4096).is_none());
    bench.write(64 << 10, 128 << 10, 7);
    let lent = bench.channel.lend((64 << 10) + 512, (128 << 10) - 512).unwrap();
    assert_eq!(lent.len(), (128 << 10) - 512);
    assert!(bench.channel.lend(60 << 10, 8192).is_none(), "its start is a hole");
    assert!(bench.channel.lend(188 << 10, 8192).is_none(), "its end is a hole");
    bench.run(Io::discard(100 << 10, 4096));
    assert!(bench.channel.lend(64 << 10, 128 << 10).is_none(), "there is a hole in it");
    assert!(bench.channel.lend(64 << 10, 32 << 10).is_some());
    bench.write(MIB - 4096, 4096, 7);
    assert!(bench.channel.lend(MIB - 4096, 4096).is_some());
    assert!(bench.channel.lend(MIB - 4096, 8192).is_none(), "it ends beyond the device");
    assert!(bench.channel.lend(u64::MAX - 511, 512).is_none());
}

#[test]
#[should_panic(expected = "for the kernel alone")]
fn what_is_lent_is_not_looked_at() {
    let device = MemDevice::new(MIB).unwrap();
    let mut bench = Bench::on(&device);
    bench.write(0, 4096, 7);
    bench.channel.lend(0, 4096).unwrap().copy_to(0, &mut [0; 512]);
}
